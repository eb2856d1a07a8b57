"""Futures of requests, completed on a thread of their own: their callbacks are user code."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from slither_actors.requests.lane import Request
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.output.gather import gather
from supervisors import Scheduler
from supervisors.runtime.background_thread import BackgroundThread
from supervisors.runtime.interrupts import Thread

if TYPE_CHECKING:
    from slither_actors.item import Item
    from slither_actors.pools.assignment.job import Outcome

_logger = logging.getLogger("slither_actors")


class RequestFuture(Future["list[Item]"]):
    """The future of a request, which knows whether a worker has begun with it.

    Args:
        request: it is pending.
        withdraw: called with the request where the future is cancelled.
    """

    def __init__(self, request: Request, withdraw: Callable[[Request], object]) -> None:
        super().__init__()
        self._request: Request | None = request
        self._withdraw = withdraw
        self.add_done_callback(_ended)  # a function of the module: a method, or a closure, would be a reference cycle

    def running(self) -> bool:
        """Return whether a worker is at it, as far as the host knows, or its results are being read."""
        request = self._request
        return super().running() or (request is not None and request.began > 0.0)

    def release(self) -> None:
        """Let go of the request, which holds this future and what was sent; withdraw it if this was cancelled."""
        request, self._request = self._request, None
        if request is not None and self.cancelled():
            self._withdraw(request)


def _ended(future: Future[list[Item]]) -> None:
    assert isinstance(future, RequestFuture)
    future.release()


def future_of(consumer: Consumer) -> Future[list[Item]]:
    """Return a future of all results of a run, which is driven in a thread of its own. Once begun it is not cancelled.

    Args:
        consumer: of the run.
    """
    future: Future[list[Item]] = Future()
    future.set_running_or_notify_cancel()
    Thread(_complete, f"{consumer.run.spec.scheduler.name}-run", (future, partial(gather, consumer))).start()
    return future


def _complete(future: Future[Any], results: Callable[[], Any]) -> None:
    try:
        done = results()
    except BaseException as error:
        complete(future, error=error)
    else:
        complete(future, done)


def complete(future: Future[Any], result: object = None, error: BaseException | None = None) -> bool:
    """Give a future its result or error; what its callbacks raise is logged, SystemExit and its like as well.

    Args:
        future: to be completed.
        result: its result.
        error: its error, in place of a result.

    Returns:
        False if it was cancelled.
    """
    try:
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
    except InvalidStateError:
        return False
    except BaseException:  # `concurrent.futures` logs those that are an Exception, and leaves the rest to us
        _logger.exception("a callback of %r has raised", future)
    return True


class Reader(Protocol):
    """What reads the outcomes of requests: a Requester."""

    def may_wait(self, request: Request, outcome: Outcome) -> bool:
        """Whether `read` may have to wait for something to be executed again."""

    def read(self, request: Request, outcome: Outcome) -> list[Item]:
        """Return the results of a request, or raise its error."""

    def withdraw(self, request: Request) -> None:
        """Note that the results of a request are not wanted."""


class FutureReplyTo:
    """To futures: `Request.waiter` is a pair of the future and what reads its outcome.

    Args:
        scheduler: of the System.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._thread = BackgroundThread(f"{scheduler.name}-futures", sys.maxsize, begin=scheduler.claim_thread)
        self._done: deque[tuple[Request, Outcome]] = deque()
        self._waking = False

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Keep the outcome, and wake the thread when the workers have got their next requests."""
        self._done.append((request, outcome))
        if not self._waking:
            self._waking = True
            self._scheduler.before_sleep(self._wake)

    def _wake(self) -> None:
        self._waking = False
        self._thread.submit(self._complete_all)

    def _complete_all(self) -> None:
        done = self._done
        while done:
            request, outcome = done.popleft()
            self._complete(request, outcome, *request.waiter)

    def _complete(self, request: Request, outcome: Outcome, future: Future[list[Item]], reader: Reader) -> None:
        if future.cancelled() or not future.set_running_or_notify_cancel():
            reader.withdraw(request)
            return
        read = partial(reader.read, request, outcome)
        if reader.may_wait(request, outcome):
            # For its retries, say; no other future waits for them.
            try:
                Thread(_complete, f"{self._scheduler.name}-retry", (future, read)).start()
                return
            except RuntimeError:  # out of threads
                pass
        _complete(future, read)

    def close(self, timeout: float) -> None:
        """Complete what has come, and end the thread. From any thread; may be repeated.

        Args:
            timeout: seconds to wait for it.
        """
        self._thread.close(timeout)
