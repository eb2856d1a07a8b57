"""When calls are overdue, and when to look for that. Pure."""

from __future__ import annotations

import heapq
import itertools

from slither_actors.dynamic_batcher.call_queue import Call

LEAST = 256
"""Entries below which those of calls that have ended are not looked for."""

_next_number = itertools.count().__next__


class Deadlines:
    """The deadlines of calls. Not thread-safe.

    Entries of calls that ended in time are dropped when they are half of all: a deadline may be an hour, and each entry
    holds what the call was made with. An alarm is set only where none that was set comes before, so there are as many
    as there are different spans, however many calls there are.
    """

    __slots__ = ("_alarms", "_heap", "_limit")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, float, Call]] = []
        self._limit = LEAST
        self._alarms: list[float] = []  # that were set and have not rung, the next one last

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._heap)

    def add(self, call: Call, seconds: float) -> None:
        """Note when a call is overdue.

        Args:
            call: it.
            seconds: of all its time, from when it came.
        """
        heap = self._heap
        if len(heap) >= self._limit:
            heap[:] = [entry for entry in heap if not entry[3].future.done()]
            heapq.heapify(heap)
            self._limit = max(LEAST, 2 * len(heap))
        heapq.heappush(heap, (call.since + seconds, _next_number(), seconds, call))

    def overdue(self, now: float) -> list[tuple[Call, float]]:
        """Take out the calls that are overdue, each with the seconds that it had."""
        heap, found = self._heap, []
        while heap and (heap[0][0] <= now or heap[0][3].future.done()):
            _, _, seconds, call = heapq.heappop(heap)
            if not call.future.done():
                found.append((call, seconds))
        return found

    def alarm(self) -> float | None:
        """Return when an alarm is to be set; None if none is needed, or an earlier one was set."""
        if not self._heap:
            return None
        when = self._heap[0][0]
        if self._alarms and self._alarms[-1] <= when:
            return None
        self._alarms.append(when)
        return when

    def rang(self, when: float) -> None:
        """Note that the alarm of this time has rung. A clock may be a little early."""
        while self._alarms and self._alarms[-1] <= when:
            self._alarms.pop()
