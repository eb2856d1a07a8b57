"""The calls of one executor that are not done: where they wait for a System that starts, and what ends with them."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from slither_actors.errors import DispatchError, ForkedSystemError, SystemStopped
from slither_actors.futures.call_future import CallFuture
from slither_actors.futures.replies import Outcome, error_of, outcome_of
from slither_actors.futures.requests import Request
from slither_actors.item import Item
from supervisors import WouldDeadlock
from supervisors.runtime.interrupts import Event, locked

AFTER_SHUTDOWN = "cannot schedule new futures after shutdown"
AT_EXIT = "cannot schedule new futures after interpreter shutdown"


class Lane(Protocol):
    """The way to the workers of a pool."""

    def submit(self, batch: list[Request], /) -> Future[list[Item]]:
        """Send a batch; never blocks."""


class _Here(threading.local):
    """Of the calling thread."""

    deliveries = 0
    """Futures that it is completing, each in a callback of the one before: their own callbacks are being called."""


class PendingCalls:
    """The calls that are not done.

    Args:
        begin: called with the first call where there is no lane yet: has one made, and `open` or `fail` called. It
            must not block.
        on_end: called once no call is pending and none can come any more; it must not block, and may be called twice.
        join: called behind that by what waits for the end.
        lane: where calls go; None: they wait for `open`.
    """

    def __init__(
        self,
        begin: Callable[[], object] = lambda: None,
        on_end: Callable[[], object] = lambda: None,
        join: Callable[[], object] = lambda: None,
        lane: Lane | None = None,
    ) -> None:
        self._begin = begin
        self._on_end = on_end
        self._join = join
        self._lane = lane
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may submit, too, and the garbage collector close
        self._calls: dict[CallFuture, None] = {}
        self._waiting: deque[tuple[CallFuture, Request]] = deque()
        self._waiters: list[Event] = []
        self._closed: str | None = None
        self._here = _Here()
        self.broken: BaseException | None = None
        """Why no call can be executed any more."""

    @property
    def forked(self) -> bool:
        """Whether this is another process than the one that it was made in."""
        return os.getpid() != self._pid

    def check(self) -> None:
        """Refuse a call where none is taken.

        Raises:
            RuntimeError: after `close`.
            InitializerFailed: the workers cannot be started.
            ForkedSystemError: this is a forked child.
        """
        if self.forked:
            raise ForkedSystemError("this executor was made before the process forked; make one in the child")
        if self.broken is not None:
            raise self.broken
        if self._closed is not None:
            raise RuntimeError(self._closed)

    def submit(self, future: CallFuture, request: Request) -> None:
        """Send a call, or keep it until there is a lane.

        Raises:
            RuntimeError, InitializerFailed, ForkedSystemError: as `check` does; also where the System was stopped.
        """
        self.check()
        lane = locked(self._lock, self._enter, future, request)
        try:
            if lane is None:
                self._begin()
            else:
                self._send(lane, future, request)
        except BaseException as error:
            self._discard(future)
            if isinstance(error, SystemStopped):
                raise RuntimeError(f"cannot schedule new futures: {error}") from error
            raise

    def _enter(self, future: CallFuture, request: Request) -> Lane | None:
        self.check()
        self._calls[future] = None
        if self._lane is None:
            self._waiting.append((future, request))
            future.add_done_callback(self._discard)  # it may be cancelled before it is sent
        else:
            future.take()
        return self._lane

    def _send(self, lane: Lane, future: CallFuture, request: Request) -> None:
        try:
            sent = lane.submit([request])
        except DispatchError as error:
            if isinstance(error.reason, SystemStopped):
                raise error.reason from None
            self._finish(future, Outcome([], error_of(error, future.name)))
            return
        future.follow(sent)
        sent.add_done_callback(functools.partial(self._deliver, future))

    def open(self, lane: Lane) -> None:
        """Send what waits, in order, and from now on everything at once."""
        while (entry := locked(self._lock, self._next_waiting, lane)) is not None:
            future, request = entry
            if not future.take():
                continue
            try:
                self._send(lane, future, request)
            except BaseException as error:
                future.set_exception(error)

    def _next_waiting(self, lane: Lane) -> tuple[CallFuture, Request] | None:
        if self._waiting:
            return self._waiting.popleft()
        self._lane = lane
        return None

    def fail(self, error: BaseException) -> None:
        """Fail what waits, and refuse everything from now on."""
        for future, _ in locked(self._lock, self._break, error):
            if future.take():
                future.set_exception(error)

    def _break(self, error: BaseException) -> list[tuple[CallFuture, Request]]:
        self.broken = error
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _deliver(self, future: CallFuture, sent: Future[list[Item]]) -> None:
        """Complete a future; on the thread that completes requests, or on the one that cancels it."""
        self._here.deliveries += 1
        future.release()
        try:
            if sent.cancelled():
                future.end_cancelled()
                self._discard(future)
            else:
                self._finish(future, _outcome(future, sent))
        finally:
            self._here.deliveries -= 1

    def _finish(self, future: CallFuture, outcome: Outcome) -> None:
        try:
            if future.chunk is not None and (outcome.results or outcome.error is None):
                future.set_result(outcome)
            elif outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.results[0])
        finally:
            self._discard(future)

    def _discard(self, future: Future[object]) -> None:
        if locked(self._lock, self._remove, future):
            self._on_end()

    def _remove(self, future: CallFuture) -> bool:
        self._calls.pop(future, None)
        if self._calls:
            return False
        for waiter in list(self._waiters):  # each takes itself out when it wakes
            waiter.set()
        return self._closed is not None

    def close(self, why: str = AFTER_SHUTDOWN, *, cancel: bool = False) -> None:
        """Take no more calls.

        Args:
            why: the text of the error from now on.
            cancel: cancel those that have not begun.
        """
        if self.forked:
            return
        calls = locked(self._lock, self._close, why)
        if cancel:
            for future in reversed(calls):
                future.cancel()
        if not calls:
            self._on_end()

    def _close(self, why: str) -> list[CallFuture]:
        self._closed = self._closed or why
        return list(self._calls)

    def wait(self) -> None:
        """Wait until no call is pending, and what was begun for the calls has ended. Call `close` first.

        Raises:
            WouldDeadlock: called in a callback of a future, on the thread that would complete the others.
        """
        if self.forked:
            return
        if self._here.deliveries:
            raise WouldDeadlock("shutdown() in a callback of a future would wait for itself; use shutdown(wait=False)")
        waiter = Event()
        self._waiters.append(waiter)
        try:
            if self._calls:
                waiter.wait()
        finally:
            self._waiters.remove(waiter)
        self._join()


def _outcome(future: CallFuture, sent: Future[list[Item]]) -> Outcome:
    error = sent.exception()
    if error is not None:
        return Outcome([], error_of(error, future.name))
    (item,) = sent.result()
    return outcome_of(item.payload, future.name, future.chunk or 1)
