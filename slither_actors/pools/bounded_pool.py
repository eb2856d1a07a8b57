"""The Pool that bounds how many wait for its workers, and for how long."""

from __future__ import annotations

from typing import final

from slither_actors.errors import Overloaded, QueueTimeout
from slither_actors.pools.assignment.job import Job, Outcomes, RunQueue
from slither_actors.pools.assignment.waiting import QueueClock, WaitingLine
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import CloseQueue, Submit
from slither_actors.pools.pool import Pool
from slither_actors.pools.statistics import PoolStatistics
from slither_actors.wording import shown
from supervisors import Timer

_REMEDY = "try again later or elsewhere, or give it more workers or a larger PoolSpec(max_waiting=...)"


@final
class BoundedPool(Pool):
    """A Pool with `max_waiting` or `queue_timeout`. A class of its own, so that they cost the others nothing.

    What it refuses was not executed: it looks when jobs come, after the idle workers have got theirs.

    Args:
        name: of the pool.
        size: number of its executors.
        link: the handle of the pool.
        max_failed_starts: as for `Pool`.
        concurrency: batches that each worker executes at a time.
        max_waiting: runs and requests that may wait without having been served; None: any number.
        queue_timeout: seconds that a batch may wait the first time; None: any time.
    """

    def __init__(
        self,
        name: str,
        size: int,
        link: PoolHandle,
        max_failed_starts: int | None = None,
        concurrency: int = 1,
        max_waiting: int | None = None,
        queue_timeout: float | None = None,
    ) -> None:
        self._waiting = WaitingLine()
        super().__init__(name, size, link, max_failed_starts, concurrency)
        self._max_waiting = max_waiting
        self._queue_timeout = queue_timeout
        self._alarms: dict[RunQueue, Timer] = {}

    def _make_line(self) -> WaitingLine:
        return self._waiting

    def _submit(self, message: Submit) -> None:
        run_queue, line = message.run_queue, self._waiting
        admitted = line.admitted(run_queue)
        if not message.front:
            now = self.scheduler.now()
            for job in message.jobs:
                job.queued = now
                job.timed = True
        super()._submit(message)
        if run_queue.closed or run_queue.over is not None:
            return
        if message.front:  # another attempt, or what is left of a batch: of a run that has been served
            line.exempt(run_queue)
            return
        most = self._max_waiting
        if most is not None and run_queue.waiting and (excess := line.unserved() - most) > 0:
            if run_queue.shared:
                self._turn_away(run_queue, min(excess, len(message.jobs), len(run_queue.waiting)), most)
            elif not admitted and not run_queue.served_by:
                self._turn_away(run_queue, len(run_queue.waiting), most)
        if self._queue_timeout is not None and run_queue.waiting and run_queue not in self._alarms:
            line.clocks[run_queue] = QueueClock(self._queue_timeout)
            self._alarms[run_queue] = self.call_later(self._queue_timeout, self._look, run_queue)

    def _turn_away(self, run_queue: RunQueue, count: int, most: int) -> None:
        """Refuse the last jobs of a run queue: of a run all that it has, and all that is still to come."""
        self._counters.overloaded += count if run_queue.shared else 1
        refused = [run_queue.waiting.pop() for _ in range(count)]
        refused.reverse()
        ended: list[tuple[Job, Overloaded]] = []
        for job in refused:
            error = Overloaded(f"pool {shown(self._name)}", most, _REMEDY)
            error.mentions = {"PoolSpec(max_waiting=...)": "max_waiting"}
            ended.append((job, error))
        if not run_queue.shared:
            run_queue.over = ended[0][1]
        self._left(run_queue)
        run_queue.collector.tell(Outcomes(ended))

    def _left(self, run_queue: RunQueue) -> None:
        """Note that jobs of a run queue wait no more, without having been sent."""
        if not run_queue.waiting:
            self._assigner.nothing_waits(run_queue)
            if run_queue.shared:
                self._rest_if_quiet(run_queue)

    def _look(self, run_queue: RunQueue) -> None:
        """Fail what has waited too long, and look again when the next one will have."""
        del self._alarms[run_queue]
        overdue, following = self._waiting.clocks[run_queue].take_overdue(run_queue, self.scheduler.now())
        if following is None:
            del self._waiting.clocks[run_queue]
        else:
            self._alarms[run_queue] = self.call_later(following - self.scheduler.now(), self._look, run_queue)
        if overdue:
            timeout = self._queue_timeout or 0.0
            self._counters.queue_timeouts += len(overdue)
            self._left(run_queue)
            run_queue.collector.tell(Outcomes([(job, QueueTimeout(self._name, timeout)) for job in overdue]))

    def _close(self, message: CloseQueue) -> None:
        alarm = self._alarms.pop(message.run_queue, None)
        if alarm is not None:  # it would keep the run in memory
            alarm.cancel()
            del self._waiting.clocks[message.run_queue]
        super()._close(message)

    def statistics(self) -> PoolStatistics:
        """Return a snapshot of the pool's queues, workers and sessions."""
        found = super().statistics()
        return PoolStatistics(
            size=found.size,
            ready=found.ready,
            runs=found.runs,
            waiting=found.waiting,
            in_pipes=found.in_pipes,
            sessions=found.sessions,
            unserved=found.unserved,
            max_waiting=self._max_waiting,
        )

    def _unserved(self) -> int:
        return self._waiting.unserved()
