"""The lane of requests with a deadline."""

from __future__ import annotations

from typing import Any, final

from slither_actors.errors import DeadlineExceeded
from slither_actors.pools.assignment.job import Outcomes, Replies, RunNotice
from slither_actors.pools.assignment.waiting import LOOKS_IN_A_WAIT
from slither_actors.pools.events import tell_exception
from slither_actors.pools.messages import CancelJobs, QueueMessage
from slither_actors.requests.lane import Lane, Request
from slither_actors.runs.live_runs import LiveRuns
from supervisors import Ref, Scheduler, Timer


@final
class DeadlineLane(Lane):
    """A lane each of whose requests has the same time: so they are in the order in which it ends, and share one timer.

    Args:
        pool: as for `Lane`.
        live: likewise.
        scheduler: likewise.
        seconds: that a request has.
        options: for `RunQueue`.
    """

    __slots__ = ("_alarm", "_seconds", "_watched")

    def __init__(
        self, pool: Ref[QueueMessage], live: LiveRuns, scheduler: Scheduler, *, seconds: float, **options: Any
    ) -> None:
        super().__init__(pool, live, scheduler, **options)
        self._seconds = seconds
        self._alarm: Timer | None = None
        self._watched = False
        self.checks = True

    def entered(self, request: Request) -> None:
        """Let the time of a request begin. From any thread."""
        request.due = self.scheduler.now() + self._seconds
        if not self._watched:
            self._watched = True
            self.scheduler.post(self._look)

    def _look(self) -> None:
        """End what has had its time, and look again when the next one will have."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        # First: a request whose time begins while this looks is found below, or finds this.
        self._watched = False
        now = self.scheduler.now()
        overdue: list[Request] = []
        for request in list(self.pending):
            if request.answered or not request.due:
                continue
            if request.due > now:
                self._watched = True
                wait = max(request.due - now, self._seconds / LOOKS_IN_A_WAIT)
                self._alarm = self.scheduler.call_later(wait, self._look)
                break
            overdue.append(request)
        if overdue:
            self._end(overdue)

    def _end(self, overdue: list[Request]) -> None:
        for request in overdue:
            request.answered = True  # first: an event loop that is about to send it finds that, or is before us
        self.drop(overdue)
        self.pool.tell(CancelJobs(self, overdue, overdue=True))
        for request in overdue:
            error = DeadlineExceeded(self._seconds, "at its worker" if request.began else "waiting for a worker")
            tell_exception(self.scheduler, request, error, "halt", request.count)
            request.reply_to.finished(request, error)

    def tell(self, notice: RunNotice, /) -> None:
        """Take outcomes from the Pool, but those of requests that were overdue before it knew."""
        if isinstance(notice, Replies):
            jobs: Any = notice.jobs
            notice = Replies([request for request in jobs if _takes(request)])
        else:
            ended: Any = notice.ended
            notice = Outcomes([(request, outcome) for request, outcome in ended if _takes(request)])
        super().tell(notice)

    def fail(self, error: Exception) -> None:
        """End all that is pending: the pool, or the System, is gone. On the scheduler's thread."""
        super().fail(error)
        if self._alarm is not None:
            self._alarm.cancel()


def _takes(request: Request) -> bool:
    """Return whether a request has no outcome yet; it has one from here on."""
    answered, request.answered = request.answered, True
    return not answered
