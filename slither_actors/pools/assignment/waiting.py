"""Who waits at a pool that bounds how many may, and for how long. Pure: the time is passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from slither_actors.pools.assignment.fair_queue import FairQueue

if TYPE_CHECKING:
    from slither_actors.pools.assignment.job import Job, RunQueue

LOOKS_IN_A_WAIT = 100
"""Looks for what has waited too long, in the time that it may wait: where much comes and waits, one by one would cost
more than it gains. So nothing waits longer by more than a hundredth."""


@final
class WaitingLine(FairQueue):
    """A line that knows how many runs, and requests of shared run queues, wait without having been served at all."""

    __slots__ = ("_shared", "_unserved", "clocks")

    def __init__(self) -> None:
        super().__init__()
        self._unserved: dict[RunQueue, None] = {}
        self._shared: dict[RunQueue, None] = {}
        self.clocks: dict[RunQueue, QueueClock] = {}
        """Of the run queues whose wait is bounded, while something of them waits."""

    def unserved(self) -> int:
        """Return how many there are."""
        return len(self._unserved) + sum(len(run_queue.waiting) for run_queue in self._shared)

    def admitted(self, run_queue: RunQueue) -> bool:
        """Return whether a run has been served, or is among those that wait for it: then it is not refused any more."""
        return bool(run_queue.served_by) or run_queue in self._unserved

    def exempt(self, run_queue: RunQueue) -> None:
        """Count a run no more: it was served before, as a request."""
        self._unserved.pop(run_queue, None)

    def join(self, run_queue: RunQueue) -> None:
        """Put a run queue at the end of the line, as `FairQueue` does, and count it."""
        if run_queue.shared:
            self._shared[run_queue] = None
        elif not run_queue.served_by:
            self._unserved[run_queue] = None
        super().join(run_queue)

    def rejoin(self, run_queue: RunQueue) -> None:
        """Make a run queue due, as `FairQueue` does, and count it."""
        if run_queue.shared:
            self._shared[run_queue] = None
        super().rejoin(run_queue)

    def serve(self, run_queue: RunQueue, count: int = 1) -> None:
        """Note that jobs of a run queue have gone out, as `FairQueue` does."""
        super().serve(run_queue, count)
        clock = self.clocks.get(run_queue)
        if clock is not None:
            clock.served = True
        self._gone(run_queue)

    def leave(self, run_queue: RunQueue) -> None:
        """Take a run queue out, as `FairQueue` does."""
        super().leave(run_queue)
        self._gone(run_queue)

    def _gone(self, run_queue: RunQueue) -> None:
        if not run_queue.shared:
            self._unserved.pop(run_queue, None)
        elif not run_queue.waiting:
            self._shared.pop(run_queue, None)


@final
class QueueClock:
    """For how long the jobs of one run queue have waited for a worker the first time.

    A run waits while it has nothing at any worker: its later batches wait for the earlier ones, which is no fault of
    the pool. So its time begins again at a look that finds it served. Each request of a shared run queue waits for
    itself. A job that comes back, as its worker died or as another attempt, has waited already: it is not timed again.

    Args:
        timeout: seconds that a job may wait.
    """

    __slots__ = ("_since", "_timeout", "served")

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._since = 0.0
        self.served = False
        """Jobs of the run queue have gone out since the last look."""

    def take_overdue(self, run_queue: RunQueue, now: float) -> tuple[list[Job], float | None]:
        """Take out what has waited too long.

        Args:
            run_queue: whose clock this is.
            now: by the clock of `Job.queued`.

        Returns:
            The jobs, and when to look again; None: nothing is timed.
        """
        waiting, timeout = run_queue.waiting, self._timeout
        if not run_queue.shared and (self.served or run_queue.occupied):
            self._since = now
        self.served = False
        since = 0.0 if run_queue.shared else self._since
        back: list[Job] = []  # what came back is in front
        overdue: list[Job] = []
        while waiting and not _is_timed(waiting[0]):
            back.append(waiting.popleft())
        while waiting and _is_timed(waiting[0]) and max(waiting[0].queued, since) + timeout <= now:
            overdue.append(waiting.popleft())
        following = max(waiting[0].queued, since) + timeout if waiting else None
        waiting.extendleft(reversed(back))
        return overdue, following if following is None else max(following, now + timeout / LOOKS_IN_A_WAIT)


def _is_timed(job: Job) -> bool:
    """Return whether a job waits for the first time: it was in no pipe yet."""
    return job.timed and not job.request_id
