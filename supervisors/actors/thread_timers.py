"""Timers of an actor with a thread of its own, which runs them between two messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from supervisors.runtime.timers import Timer, TimerHeap, check_timer

__all__ = ["ThreadTimers"]

# The longest single wait for the inbox; a later timer is waited for in several steps. Below every platform's limit.
_LONGEST_WAIT = 86_400.0


class ThreadTimers:
    """The timers of one actor. Only its thread may use them (and the thread that makes it, before that runs).

    Args:
        clock: seconds, monotonic.
    """

    __slots__ = ("_clock", "_heap", "_waits_for_timer")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heap = TimerHeap()
        self._waits_for_timer = False

    def add(self, delay: float, fn: Callable[..., object], args: tuple[Any, ...]) -> Timer:
        """Add a call of ``fn(*args)`` that is due in `delay` seconds (at once, if not positive)."""
        seconds = check_timer(delay, fn)
        return self._heap.add(self._clock() + seconds, fn, args, None)

    def run_due(self, stopped: Callable[[], bool]) -> None:
        """Run the timers that are due, in the order of their deadlines; once the actor is stopped, cancel them."""
        for timer in self._heap.pop_due(self._clock()):
            fn = None if stopped() and timer.cancel() else timer.take()
            if fn is not None:  # not cancelled in the meantime by an earlier one
                fn(*timer.args)

    def wait_time(self, receive_timeout: float | None) -> float | None:
        """Return how long the inbox may be waited for: until the next timer, or for `receive_timeout`."""
        deadline = self._heap.next_deadline()
        self._waits_for_timer = False
        if deadline is None:
            return receive_timeout
        wait = min(max(0.0, deadline - self._clock()), _LONGEST_WAIT)
        if receive_timeout is not None and receive_timeout <= wait:
            return receive_timeout
        self._waits_for_timer = True
        return wait

    @property
    def waits_for_timer(self) -> bool:
        """True if the last wait was for a timer, so that its end is no receive timeout."""
        return self._waits_for_timer

    def cancel_all(self) -> None:
        """Cancel all timers: the actor has ended."""
        for _, _, timer in list(self._heap.heap):
            timer.cancel()


def check_own_thread(thread: threading.Thread | None, what: str) -> None:
    """Check that an actor's own thread is running, or that the actor has no thread yet.

    Raises:
        RuntimeError: it is another thread.
    """
    if thread is not None and thread is not threading.current_thread():
        raise RuntimeError(f"{what} is for the actor's own thread; send it a message from others")
