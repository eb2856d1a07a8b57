"""What a pool and its workers hold, as frozen snapshots."""

from __future__ import annotations

from msgspec import Struct

from slither_actors.pools.counters import PoolCounts


class PoolStatistics(Struct, frozen=True):
    """What a Pool holds, at one moment.

    Args:
        size: workers it is meant to have.
        ready: workers that take batches.
        runs: runs that use it.
        waiting: batches in no worker's pipe yet.
        in_pipes: batches in workers' pipes.
        sessions: sessions that it remembers.
        unserved: runs and requests that wait and were not served at all.
        max_waiting: how many of these there may be; None: no limit.
    """

    size: int
    ready: int
    runs: int
    waiting: int
    in_pipes: int
    sessions: int
    unserved: int = 0
    max_waiting: int | None = None


class ExecutorStatistics(Struct, frozen=True):
    """What an Executor is doing, at one moment.

    Args:
        state: "spawning", "starting", "ready", "killing", "stopping", "retiring" or "dead".
        pid: of its worker, None while there is none.
        in_pipe: batches in the worker's pipe, the one in execution included.
        done: batches that the workers of this index have answered, over all its executors.
        timeouts: workers of this index killed at a batch's deadline.
        workers: workers of this index started so far.
    """

    state: str
    pid: int | None
    in_pipe: int
    done: int
    timeouts: int
    workers: int


class PoolSnapshot(Struct, frozen=True):
    """A pool with its executors, at one moment.

    Args:
        available: whether runs may use it now.
        pool: what the Pool holds; None while it is not available.
        executors: each worker's driver, by index.
        counts: what has happened in the pool since its System was started.
    """

    available: bool
    pool: PoolStatistics | None
    executors: tuple[ExecutorStatistics, ...]
    counts: PoolCounts

    @property
    def restarts(self) -> int:
        """Executors started again after an unplanned end, in all."""
        return sum(self.counts.restarts.values())
