"""For tests: a scheduler without a thread, with a clock that is moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supervisors.runtime.background_thread import BackgroundThread
from supervisors.runtime.scheduler import Scheduler, activate

__all__ = ["ManualClock", "ManualScheduler"]


class ManualClock:
    """A clock that stands still.

    Args:
        now: its first time, in seconds.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class _InlineSide(BackgroundThread):
    """Runs the jobs where they are submitted, so that a test needs no thread to see them."""

    def submit(self, fn: Callable[..., object], *args: object) -> bool:
        fn(*args)
        return True


class ManualScheduler(Scheduler):
    """A scheduler that runs only inside `run_until_idle` and `advance`, on the thread that made it.

    That thread counts as its thread all the time, so a test may call `exit` or `call_later` directly; only inside
    those two calls (and `active()`) it is `Scheduler.current()`. A test must `stop()` it.

    Args:
        clock: by default one that begins at 1000 s.
    """

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock if clock is not None else ManualClock()
        super().__init__("manual", clock=self.clock, background=_InlineSide("manual-side"))
        self._ident = threading.get_ident()

    def start(self) -> None:
        """Do nothing: there is no thread to start."""

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within it, this is `Scheduler.current()`."""
        with activate(self):
            yield

    def run_until_idle(self, max_turns: int = 100_000) -> int:
        """Run turns until there is nothing to do without the clock moving.

        Returns:
            How many turns did something.

        Raises:
            AssertionError: it was still busy after `max_turns`: some actors send each other messages without end.
        """
        turns = 0
        with activate(self):
            while self._turn(False):
                turns += 1
                if turns >= max_turns:
                    raise AssertionError(f"still busy after {turns} turns")
        return turns

    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`, stopping at each timer's deadline on the way, and run what comes of it."""
        target = self.clock.now + seconds
        self.run_until_idle()
        while (deadline := self._timers.next_deadline()) is not None and deadline <= target:
            self.clock.now = max(self.clock.now, deadline)
            self.run_until_idle()
        self.clock.now = target
        self.run_until_idle()

    @property
    def pending_timers(self) -> int:
        """The number of pending timers."""
        return sum(timer.pending for _, _, timer in self._timers.heap)
