"""The runs of a System that are under way, and how many have ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from supervisors.runtime.interrupts import Event


class LiveRuns:
    """Counts runs, and wakes who waits until there are none.

    Attributes:
        finished: runs that have ended so far, however. Scheduler's thread only writes it.
        cut_off: runs that were under way when the System was stopped. Likewise.
    """

    def __init__(self) -> None:
        # By number. A starting thread adds, the scheduler's thread removes, each in one step: so an interrupted start
        # is counted or it is not.
        self._runs: dict[int, None] = {}
        self._idle: list[Event] = []
        self.finished = 0
        self.cut_off = 0
        self._others: dict[int, Callable[[], int]] = {}

    @property
    def count(self) -> int:
        """Runs under way, those that are single requests included."""
        return len(self._runs) + sum(count() for count in list(self._others.values()))

    def begin(self, run_id: int) -> None:
        """Count a run. From any thread."""
        self._runs[run_id] = None

    def withdraw(self, run_id: int) -> None:
        """Count it no more: it could not start."""
        self._runs.pop(run_id, None)

    def ended(self, run_id: int, cut_off: bool) -> None:
        """Note the end of a run. On the scheduler's thread."""
        self.finished += 1  # before it is gone: a drain that finds no run any more counts what has finished
        self.cut_off += cut_off
        self._runs.pop(run_id, None)
        if self._idle and not self._runs:
            self.look_again()

    def request_ended(self, count: int = 1) -> None:
        """Note the end of so many requests that were counted, and are not any more. On the scheduler's thread."""
        self.finished += count
        if self._idle:
            self.look_again()

    def count_also(self, key: int, count: Callable[[], int]) -> None:
        """Count what is under way elsewhere, too: requests, and calls that wait for a batch. From any thread.

        Args:
            key: for `count_not`.
            count: how many there are; called by any thread.
        """
        self._others[key] = count

    def count_not(self, key: int) -> None:
        """Count that no more. May be repeated."""
        self._others.pop(key, None)
        self.look_again()

    def wait_until_idle(self, timeout: float, others_done: Callable[[], bool]) -> None:
        """Wait until no run is under way and `others_done` (see `look_again`), for `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        while True:
            idle = Event()
            try:
                self._idle.append(idle)
                # Looked at after that: one of the two sees the other.
                if others_done() and not self.count:
                    return
                if not idle.wait(max(0.0, deadline - time.monotonic())):
                    return
            finally:
                if idle in self._idle:
                    self._idle.remove(idle)

    def look_again(self) -> None:
        """Wake `wait_until_idle`: what it waits for besides runs may have come true."""
        for idle in list(self._idle):
            idle.set()
