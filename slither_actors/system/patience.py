"""Waiting with a limit that a standstill does not count towards."""

from __future__ import annotations

import time
from collections.abc import Callable

from slither_actors.pools.worker.deadline import LATE, LOOK

SLICE = LOOK / 2
"""Seconds between two looks at the clock, while something is waited for."""


class Patience:
    """The seconds that a caller waits in all, for one thing or several in turn.

    A time in which nothing ran (SIGSTOP, ``docker pause``) is seen by a wait that ends late, as in
    `slither_actors.pools.worker.deadline`, and does not count. In all no more is forgiven than the seconds that were
    given, so that a caller that is starved of its processor still gets there.

    Args:
        seconds: that it has.
        now: the clock.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left = seconds
        self._movable = seconds

    def wait(self, wait: Callable[[float], bool]) -> bool:
        """Wait for one thing.

        Args:
            wait: waits so many seconds at most, and returns whether it has come true. Called again until it has.

        Returns:
            False if it has not come true, and the time is over.
        """
        while True:
            span = max(0.0, min(self._left, SLICE))
            began = self._now()
            if wait(span):
                self._took(self._now() - began, span)
                return True
            self._took(max(span, self._now() - began), span)
            if self._left <= 0.0:
                return False

    def _took(self, seconds: float, span: float) -> None:
        late = seconds - span
        if late > LATE and self._movable > 0.0:
            self._movable -= late
            # A worker's deadline is moved back by up to a LOOK, and its verdict, which says more, comes first.
            self._left += LOOK
        else:
            self._left -= seconds
