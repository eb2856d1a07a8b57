"""Timers in a heap, with lazy deletion. No thread or clock of its own: the time is passed in."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from supervisors.runtime.mailbox import MailboxTarget
from supervisors.wording import shown

__all__ = ["Timer", "TimerHeap", "check_timer"]

# Below this many cancelled timers the heap is not worth rebuilding.
_COMPACT_FROM = 64


def check_timer(delay: float, fn: object) -> float:
    """Return the delay in seconds, at least 0; checked where the caller's line is still in the traceback.

    Raises:
        TypeError, ValueError: the delay is no number that fits in a float, or `fn` cannot be called.
    """
    if not callable(fn):
        raise TypeError(f"a timer calls a function, not {shown(fn)}")
    if not hasattr(delay, "__float__"):
        raise TypeError(f"delay must be seconds, not {shown(delay)}")
    try:
        seconds = float(delay)
    except OverflowError:
        raise ValueError(f"delay must be seconds that fit in a float, not {shown(delay)}") from None
    if seconds != seconds:
        raise ValueError("delay is not a number")
    return max(seconds, 0.0)


class Timer:
    """A call that is due at `deadline` (clock seconds). Scheduler thread only."""

    __slots__ = ("_fn", "_heap", "args", "deadline", "owner")

    def __init__(
        self,
        heap: TimerHeap,
        deadline: float,
        fn: Callable[..., object],
        args: tuple[Any, ...],
        owner: MailboxTarget | None,
    ) -> None:
        self._heap: TimerHeap | None = heap
        self._fn: Callable[..., object] | None = fn
        self.deadline = deadline
        self.args = args
        self.owner = owner

    @property
    def pending(self) -> bool:
        """True until the timer has run or has been cancelled."""
        return self._fn is not None

    def cancel(self) -> bool:
        """Cancel the timer. Return whether it was still pending."""
        if self.take() is None:
            return False
        self.args, self.owner = (), None  # its entry may stay in the heap for long, and must not keep objects alive
        if self._heap is not None:
            self._heap._cancelled_one()
        return True

    def cancel_owned(self) -> None:
        """Cancel it at the end of its owner, which iterates over its set of timers: leave that unchanged."""
        self.owner = None
        self.cancel()

    def take(self) -> Callable[..., object] | None:
        """Return the function to call, once; None if it has run or has been cancelled."""
        fn = self._fn
        self._fn = None
        if fn is not None and self.owner is not None and self.owner._timers is not None:
            self.owner._timers.discard(self)
        return fn


class TimerHeap:
    """The pending timers of one scheduler, the soonest first, those of one deadline in the order they were made."""

    __slots__ = ("_cancelled", "_count", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Return the number of entries, including cancelled ones that are not removed yet."""
        return len(self.heap)

    def add(
        self, deadline: float, fn: Callable[..., object], args: tuple[Any, ...], owner: MailboxTarget | None
    ) -> Timer:
        """Add a timer, also to the set of its owner."""
        timer = Timer(self, deadline, fn, args, owner)
        self._count += 1
        heapq.heappush(self.heap, (deadline, self._count, timer))
        if owner is not None:
            if owner._timers is None:
                owner._timers = set()
            owner._timers.add(timer)
        return timer

    def pop_due(self, now: float) -> list[Timer]:
        """Remove and return the timers that are due. One of them may still cancel another."""
        due: list[Timer] = []
        heap = self.heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            timer._heap = None
            if timer._fn is None:
                self._cancelled -= 1
            else:
                due.append(timer)
        return due

    def next_deadline(self) -> float | None:
        """Return the deadline of the next pending timer; None if there is none."""
        heap = self.heap
        while heap and heap[0][2]._fn is None:
            heapq.heappop(heap)[2]._heap = None
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > _COMPACT_FROM and self._cancelled * 2 > len(self.heap):
            # In place, since the scheduler's loop holds the list.
            self.heap[:] = [entry for entry in self.heap if entry[2]._fn is not None]
            heapq.heapify(self.heap)
            self._cancelled = 0
