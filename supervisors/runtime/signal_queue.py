"""A queue for the main thread that signals wake up, too."""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Collection
from functools import partial
from itertools import chain, starmap
from typing import Any, Generic, Self, TypeVar

from supervisors.runtime.descriptors import close_all
from supervisors.runtime.interrupts import locked, raised_by_handler

__all__ = ["SignalQueue"]

T = TypeVar("T")

_LONGEST_WAIT = 1e6
"""Seconds; a poll takes milliseconds in 31 bits. Longer waits take several."""

_set_wakeup_fd = partial(signal.set_wakeup_fd, warn_on_full_buffer=False)

_entered: list[SignalQueue[Any]] = []
"""Those that handle signals in this process now: of the main thread, one within the other."""


class SignalQueue(Generic[T]):
    """Events of other threads and signals, for one thread that waits for both. A context manager.

    Python runs signal handlers between two bytecodes of the main thread. A signal that arrives after the last of them
    and before a wait begins (of a lock, a queue, a read) does not end that wait. So the C handler itself writes to the
    pipe that is waited for: `signal.set_wakeup_fd`. Handlers and wake-up descriptor are restored at the exit, and in a
    forked child at its begin.

    An interrupt may leave out the exit of a ``with`` block: callers that can be interrupted use `with_cleanup` around
    it, with `close`.

    Args:
        signals: that are events. Must be empty in other threads than the main one.
    """

    def __init__(self, signals: Collection[int]) -> None:
        self._signals = signals
        self._events: deque[T | signal.Signals] = deque()
        self._lock = threading.RLock()
        # What there was before, noted before it is changed, or within the same call of C code: an interrupt between
        # the two would leave no way back.
        self._handlers: dict[int, Any] = {}
        self._wakeup: list[int] = []
        self._pid = -1
        self._ends: list[int] = []
        """Of the pipe, while it is open: the end that is read, and the one that is written."""

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Restore handlers and wake-up descriptor, close the pipe. Done by the exit; may be repeated."""
        try:
            self._leave()
        except BaseException:
            self._leave()
            raise

    def put(self, event: T) -> None:
        """Add an event. From any thread; without effect after the exit."""
        self._events.append(event)
        locked(self._lock, self._write)

    def get(self, timeout: float | None = None) -> T | signal.Signals | None:
        """Wait for the next event; None after `timeout` seconds."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._ends[0], select.POLLIN)
        while not self._events:
            left = deadline - time.monotonic()
            if left < 0:
                return None
            poll.poll(None if left == math.inf else math.ceil(min(left, _LONGEST_WAIT) * 1000.0))
            self._drain()
        return self._events.popleft()

    def _enter(self) -> None:
        self._pid = os.getpid()
        self._ends.extend(chain.from_iterable(starmap(os.pipe, [()])))
        for end in self._ends:
            os.set_blocking(end, False)
        if self._signals:
            _entered.append(self)
            self._wakeup.extend(map(_set_wakeup_fd, self._ends[1:]))
        for number in self._signals:
            if number not in self._handlers:
                self._handlers[number] = signal.getsignal(number)
                signal.signal(number, self._handle)

    def _leave(self) -> None:
        for number, former in self._handlers.items():
            if signal.getsignal(number) is not former:  # else it was not changed, perhaps cannot be
                signal.signal(number, former if former is not None else signal.SIG_DFL)
        self._handlers.clear()
        if self._wakeup:
            try:
                signal.set_wakeup_fd(self._wakeup[0])
            except (OSError, ValueError) as error:  # closed by its owner meanwhile
                if raised_by_handler(error):
                    raise
                signal.set_wakeup_fd(-1)
            self._wakeup.clear()
        # Last: while a number is the wake-up descriptor, signals write to whatever has it.
        locked(self._lock, close_all, self._ends)
        if self in _entered:
            _entered.remove(self)

    def leave_in_child(self) -> None:
        """In a forked child: leave it, as nothing there waits for its events."""
        self._lock = threading.RLock()  # the parent's may have been held at the fork
        self.close()

    def _handle(self, number: int, _: object) -> None:
        if os.getpid() != self._pid:  # before `_after_fork_in_child`, or forked by code that calls no such function
            self.leave_in_child()
            signal.raise_signal(number)
            return
        # Writes as well, since this may run after the byte of the C handler was read and before the next wait.
        self._events.append(signal.Signals(number))
        self._write()

    def _write(self) -> None:
        if len(self._ends) == 2:  # else the number may be that of another descriptor by now
            try:
                os.write(self._ends[1], b"\0")
            except BlockingIOError:  # it is full, so that the waiter wakes up in any case
                pass

    def _drain(self) -> None:
        try:
            while os.read(self._ends[0], 4096):
                pass
        except BlockingIOError:
            pass


def _after_fork_in_child() -> None:
    for queue in reversed(_entered.copy()):
        queue.leave_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
