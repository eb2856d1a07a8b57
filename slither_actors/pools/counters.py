"""What has happened in a pool since its System was started: counters that only grow, over all restarts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from slither_actors.wording import signal_name


class PoolCounts(Struct, frozen=True):
    """What has happened in a pool, by kind.

    Args:
        started: worker processes that were made.
        exits: worker processes that ended, by ``"exit CODE"`` or the name of the signal.
        kills: workers that we killed, by reason: "timeout" (of a batch), "load_timeout", "start_timeout",
            "protocol", "shutdown" (they did not end when asked), "budget" (their pool gave up), "abandoned" (their
            Executor ended), "unwanted" (all callers of what they executed were gone, with ``on_abandon="kill"``).
        protocol_errors: by reason, see `slither_actors.errors.ProtocolError`.
        recycled: workers replaced between two batches, by reason: "max_batches", "max_rss".
        restarts: executors started again after an unplanned end, by index.
        deaths: unplanned ends of workers, those that could not start included.
        redelivered: batches that went to another worker because theirs ended before it began them.
        late: replies that arrived after their run or batch was cancelled.
        overloaded: runs and requests that were refused at `max_waiting`.
        queue_timeouts: batches that waited longer than `queue_timeout`.
        overdue: runs and requests that ended at their `deadline`.
    """

    started: int
    exits: Mapping[str, int]
    kills: Mapping[str, int]
    protocol_errors: Mapping[str, int]
    recycled: Mapping[str, int]
    restarts: Mapping[int, int]
    deaths: int
    redelivered: int
    late: int
    overloaded: int = 0
    queue_timeouts: int = 0
    overdue: int = 0


class WorkerRecord:
    """What one index of a pool has done, over its executors and their workers."""

    __slots__ = ("done", "executors", "timeouts", "unwanted_at", "workers")

    def __init__(self) -> None:
        self.done = 0
        self.timeouts = 0
        self.workers = 0
        self.executors = 0
        self.unwanted_at: float | None = None
        """When a worker was killed for what it executed, which was not wanted any more."""

    def made(self) -> None:
        """Count a worker process that was made."""
        self.workers += 1


class PoolCounters:
    """The counters behind a `PoolCounts`. Written on the scheduler's thread."""

    def __init__(self) -> None:
        self.exits: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.protocol_errors: Counter[str] = Counter()
        self.recycled: Counter[str] = Counter()
        self.workers: dict[int, WorkerRecord] = {}
        self.deaths = self.redelivered = self.late = 0
        self.overloaded = self.queue_timeouts = self.overdue = 0

    def worker(self, index: int) -> WorkerRecord:
        """Return the record of one index."""
        record = self.workers.get(index)
        if record is None:
            record = self.workers[index] = WorkerRecord()
        return record

    def completed(self) -> int:
        """Return how many batches the workers have answered in all."""
        return sum(record.done for record in self.workers.values())

    def exited(self, code: int) -> None:
        """Count a worker process that was reaped; `code` as `subprocess` gives it (negative: the signal)."""
        self.exits[f"exit {code}" if code >= 0 else signal_name(-code)] += 1

    def snapshot(self) -> PoolCounts:
        """All of them now."""
        again = {index: record.executors - 1 for index, record in self.workers.items() if record.executors > 1}
        return PoolCounts(
            started=sum(record.workers for record in self.workers.values()),
            exits=dict(self.exits),
            kills=dict(self.kills),
            protocol_errors=dict(self.protocol_errors),
            recycled=dict(self.recycled),
            restarts=again,
            deaths=self.deaths,
            redelivered=self.redelivered,
            late=self.late,
            overloaded=self.overloaded,
            queue_timeouts=self.queue_timeouts,
            overdue=self.overdue,
        )
