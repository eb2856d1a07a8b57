"""Blocking calls aside from an event loop, each in a daemon thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from sys import is_finalizing
from typing import TypeVar

from slither_actors.runs.output.asyncio_inbox import call_soon
from supervisors.runtime.interrupts import Thread

R = TypeVar("R")


async def run_in_thread(function: Callable[[], R], name: str, *, to_the_end: bool = False) -> R:
    """Call something that blocks, without blocking the loop.

    Not in the loop's own executor: what the application has queued there must not hold up a start or a stop.

    Args:
        function: what to call.
        name: of the thread.
        to_the_end: a cancellation takes effect when the call has returned, and where there is no thread to be had the
            call is made here, as it is where no loop runs: in a coroutine that is dropped. Without it the call goes on
            alone, and what it returns or raises is dropped.

    Raises:
        BaseException: what it raises; or what interrupts the wait: the call then goes on alone.
        RuntimeError: there is no thread to be had.
    """
    if is_finalizing():  # CPython 3.11 starts a thread then, waits for it, and lets it do nothing
        return function()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # the coroutine is closed, not run: with its loop, or dropped after that
        if not to_the_end:
            raise
        return function()
    answer: asyncio.Future[R] = loop.create_future()

    def tell(result: R | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:
            error = raised
        try:
            call_soon(loop, tell, result, error)
        except RuntimeError:  # the loop is closed: no task waits any more
            pass

    try:
        Thread(call, name).start()
    except RuntimeError:  # the system has no thread left
        if not to_the_end:
            raise
        call()  # what is to be done to its end is done here, then: a loop that waits is better than a leak
    if not to_the_end:
        return await answer
    cancelled: asyncio.CancelledError | None = None
    while not answer.done():
        try:
            await asyncio.shield(answer)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException as error:
            if not answer.done() or error is not answer.exception():
                raise  # an interrupt, or this coroutine is dropped
            break  # the call's own, which is raised below
    if cancelled is not None:
        if not answer.cancelled():
            answer.exception()  # retrieved, so that asyncio does not warn of it
        raise cancelled
    return answer.result()
