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
from typing import Any, Generic, Self, TypeVar

from supervisors.runtime.interrupts import locked

__all__ = ["SignalQueue"]

T = TypeVar("T")

_LONGEST_WAIT = 1e6
"""Seconds; a poll takes milliseconds in 31 bits. Longer waits take several."""


class SignalQueue(Generic[T]):
    """Events of other threads and signals, for one thread that waits for both. A context manager.

    Python runs signal handlers between two bytecodes of the main thread. A signal that arrives after the last of them
    and before a wait begins (of a lock, a queue, a read) does not end that wait. So the C handler itself writes to the
    pipe that is waited for: `signal.set_wakeup_fd`. Handlers and wake-up descriptor are restored at the exit.

    Args:
        signals: that are events. Must be empty in other threads than the main one.
    """

    def __init__(self, signals: Collection[int]) -> None:
        self._signals = signals
        self._events: deque[T | signal.Signals] = deque()
        self._handlers: dict[int, Any] = {}
        self._wakeup: int | None = None
        self._lock = threading.RLock()
        self._open = True
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def __enter__(self) -> Self:
        try:
            if self._signals:
                self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            for number in self._signals:
                self._handlers[number] = signal.signal(number, self._handle)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        if self._wakeup is not None:
            signal.set_wakeup_fd(self._wakeup)
        self.close()

    def close(self) -> None:
        """Close the pipe. Done by the exit; for a queue that is not entered. May be repeated."""
        locked(self._lock, self._close)

    def put(self, event: T) -> None:
        """Add an event. From any thread; without effect after the exit."""
        self._events.append(event)
        locked(self._lock, self._write)

    def get(self, timeout: float | None = None) -> T | signal.Signals | None:
        """Wait for the next event; None after `timeout` seconds."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        while not self._events:
            left = deadline - time.monotonic()
            if left < 0:
                return None
            poll.poll(None if left == math.inf else math.ceil(min(left, _LONGEST_WAIT) * 1000.0))
            self._drain()
        return self._events.popleft()

    def _handle(self, number: int, _: object) -> None:
        # Writes as well, since this may run after the byte of the C handler was read and before the next wait.
        self._events.append(signal.Signals(number))
        self._write()

    def _write(self) -> None:
        if self._open:  # else the number may be that of another descriptor by now
            try:
                os.write(self._writer, b"\0")
            except BlockingIOError:  # it is full, so that the waiter wakes up in any case
                pass

    def _drain(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._reader)
            os.close(self._writer)
