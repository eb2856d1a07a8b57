"""The inbox of a run whose consumer is a task of an event loop: actors put, from their threads; the consumer awaits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, TypeVar

from supervisors.runtime.interrupts import inherits_mask, sigpipe_blocked

M = TypeVar("M")


class AsyncioInbox(Generic[M]):
    """Stands where a `queue.SimpleQueue` stands for a consumer that blocks.

    Args:
        loop: the consumer's.
        lost: called once, by the thread that finds the loop closed, so that nothing will be read here again.
    """

    __slots__ = ("_loop", "_lost", "_messages", "_sleeping")

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: Callable[[], None]) -> None:
        self._loop = loop
        self._lost: Callable[[], None] | None = lost
        self._messages: deque[M] = deque()
        # The waiter, if there is one. The thread that takes it out wakes it: so there is one wake-up for each wait,
        # however many messages come meanwhile, and none while the consumer is busy.
        self._sleeping: list[asyncio.Future[None]] = []

    def put(self, message: M) -> None:
        """Add a message. From any thread; never blocks, never raises."""
        self._messages.append(message)
        if self._sleeping:
            try:
                waiter = self._sleeping.pop()
            except IndexError:  # another thread was faster
                return
            try:
                call_soon(self._loop, _wake, waiter)
                return
            except RuntimeError:  # closed, with its tasks in the middle of things
                pass
        self.check_loop()

    def check_loop(self) -> bool:
        """Call `lost` if the loop has been closed, once. From any thread. Returns whether the loop is open."""
        if not self._loop.is_closed():
            return True
        lost, self._lost = self._lost, None
        if lost is not None:
            lost()
        return False

    def put_quietly(self, message: M) -> None:
        """Add a message that is followed by another one at once; that one's `put` wakes the waiter."""
        self._messages.append(message)

    def empty(self) -> bool:
        """Whether there is nothing to take at once."""
        return not self._messages

    async def get(self, deadline: float | None = None) -> Any:
        """Return the next message.

        Args:
            deadline: by `time.monotonic`; None for no bound.

        Returns:
            None, once the deadline is over.
        """
        messages, loop = self._messages, self._loop
        while not messages:
            waiter = loop.create_future()
            timer = None
            if deadline is not None:
                seconds = deadline - monotonic()
                if seconds <= 0:
                    return None
                timer = loop.call_later(seconds, _wake, waiter)
            self._sleeping.append(waiter)
            try:
                if not messages:  # the last look: what comes from here on finds the waiter
                    await waiter
            finally:
                self._sleeping.clear()
                if timer is not None:
                    timer.cancel()
        return messages.popleft()


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    """Have the loop call something. From any thread.

    A loop closes the reading end of its own pipe first: a thread that writes then must not get a SIGPIPE.

    Raises:
        RuntimeError: the loop is closed.
    """
    if inherits_mask():  # on the scheduler's thread, as nearly always
        loop.call_soon_threadsafe(function, *args)
        return
    with sigpipe_blocked():
        loop.call_soon_threadsafe(function, *args)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
