"""Whether a worker that ended gets a successor, and when: the pool's restart budget. Pure: the time is passed in.

The budget guards against workers that cannot live. What counts is a failed start, and a death with no item completed
in the pool since the last one; a completed item, also one that failed by its own exception, resets it. A pool that
finds its way through poison items therefore goes on, and one that gets nothing done ends in seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from supervisors.supervision.intensity import Backoff, RestartIntensity

if TYPE_CHECKING:
    from supervisors import ExitReason

SHORT_PAUSE = 0.1
"""Longest pause, in seconds, before a restart after a death at work, while a budget bounds how many there are: with
pauses that double, a single worker would need a minute to use up a budget of 20."""
MENTIONS = {"max_restarts": "max_restarts", "PoolSpec(max_restarts=None)": "max_restarts=None"}
"""The options that `PoolRestarts.why` mentions, see `slither_actors.errors.SlitherError.mentions`."""
REMEDY = "PoolSpec(max_restarts=None) lifts that"


class WorkerEnd(Struct, frozen=True):
    """How a worker ended, as far as its successor is concerned.

    Args:
        started: it got ready.
        at_work: it had a batch, or a function to load.
        answered: it had answered a batch before.
        from_outside: SIGKILL, and not ours.
        lived: seconds between ready and its end.
    """

    started: bool = True
    at_work: bool = False
    answered: bool = False
    from_outside: bool = False
    lived: float = 0.0


FAILED_START = WorkerEnd(started=False)


class PoolRestarts:
    """The `RestartPolicy` of a pool's executors: `max_restarts`, counted by what the pool gets done.

    It gives up at more than `max_restarts` counted ends within `max_seconds`; and at more than as many deaths at work
    in a row with no item completed between them, each of a worker that lived less than `max_seconds`, however far
    apart they are: the pauses between restarts must not keep a pool that gets nothing done within its budget.

    Args:
        max_restarts: the budget; None lifts it.
        max_seconds: its window, in seconds.
        backoff: the pauses between restarts that are counted.
        completed: gives the number of batches that the pool's workers have answered so far.
        rand: gives numbers from 0 to 1, for the jitter of the pauses.
    """

    def __init__(
        self,
        max_restarts: int | None,
        max_seconds: float,
        backoff: Backoff,
        completed: Callable[[], int],
        rand: Callable[[], float] = random.random,
    ) -> None:
        self.intensity = RestartIntensity(max_restarts, max_seconds)
        self.streak = 0
        """Deaths at work in a row, with no item completed since the first of them."""
        self.why: str | None = None
        """Why it gave up; None as long as it has not."""
        self._backoff = backoff
        self._completed = completed
        self._rand = rand
        self._unreported = 0
        self._seen = completed()  # of these, at the last death
        self._ended: dict[object, WorkerEnd] = {}
        # Pauses so far, by child. Failed starts, and deaths of workers that were given nothing to do, are apart: that
        # others complete items says nothing of whether this one can live.
        self._deaths: dict[object, int] = {}
        self._starts: dict[object, int] = {}

    def completed_items(self, count: int) -> None:
        """Take note of items that a worker completed before it died with their results, so that no reply reports it.

        Args:
            count: how many; 0 changes nothing.
        """
        self._unreported += count

    def ended(self, child_id: object, how: WorkerEnd) -> None:
        """Take note of how the worker of a child ended, right before the child itself does."""
        self._ended[child_id] = how

    @property
    def doubtful(self) -> bool:
        """Whether so many deaths in a row led to nothing that other work should be tried first."""
        most = self.intensity.max_restarts
        return bool(most) and 2 * self.streak >= most and self._total() == self._seen  # type: ignore[operator]

    def _total(self) -> int:
        return self._completed() + self._unreported

    def delay(self, child_id: object, reason: ExitReason, now: float) -> float | None:
        """Return the seconds to wait before the restart of a child; None: the budget is used up."""
        how = self._ended.pop(child_id, WorkerEnd())
        total = self._total()
        progress = total != self._seen
        self._seen = total
        if progress:
            self.streak = 0
            self.intensity.clear()
            self._deaths.clear()
        if how.at_work or how.answered:
            self._starts[child_id] = 1  # the restart that follows is the one at once
            if progress:
                return 0.0
        idle = how.started and not how.at_work
        if not (progress and idle) and not self._allow(how, reason, now):
            return None
        return self._pause(child_id, how)

    def _allow(self, how: WorkerEnd, reason: ExitReason, now: float) -> bool:
        intensity = self.intensity
        most = intensity.max_restarts
        if most is None:
            return True
        self.streak += how.at_work and how.lived < intensity.max_seconds
        within = intensity.allow(now)
        if within and self.streak <= most:
            return True
        if within:
            what = f"{self.streak} workers in a row died at their work"
        else:
            count = intensity.recent(now)
            what = f"{count} worker{'s' if count > 1 else ''} died or failed to start in {intensity.max_seconds:g} s"
        self.why = (
            f"{what}, with no item completed in between (max_restarts={most}; {REMEDY}); "
            f"the last one: {brief(getattr(reason, 'exception', reason))}"
        )
        return False

    def never_ready(self, count: int, error: Exception) -> None:
        """Take note that the pool gives up, as none of its workers gets ready any more.

        Args:
            count: failed starts in a row.
            error: why the last one failed.
        """
        self.why = (
            f"{count} starts of workers in a row failed while none was ready "
            f"(max_restarts={self.intensity.max_restarts}; PoolSpec(max_restarts=None) tries without end); "
            f"the last one: {brief(error)}"
        )

    def _pause(self, child_id: object, how: WorkerEnd) -> float:
        attempts = self._deaths if how.at_work else self._starts
        if how.from_outside:
            # It says nothing of whether the next one can live. A pause that grew with each kill would leave few
            # workers to be hit, until none lives long enough to work.
            attempts[child_id] = 1
            return 0.0
        attempt = attempts.get(child_id, 0) if how.lived < self._backoff.reset_after else 0
        attempts[child_id] = attempt + 1
        wait = self._backoff.wait(attempt)
        if how.at_work and self.intensity.max_restarts is not None:
            wait = min(wait, max(SHORT_PAUSE, self._backoff.base))
        return wait * (1.0 - self._backoff.jitter * self._rand()) if self._backoff.jitter else wait


def brief(error: object) -> str:
    """Return what an error says in its first line, without the worker's stderr that follows it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].removesuffix("; its last words on stderr:")
