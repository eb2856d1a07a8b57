"""What a System holds, at one moment: made on its scheduler's thread, asked for from any."""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import Struct

from slither_actors.errors import SystemStopped
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.statistics import PoolSnapshot
from slither_actors.runs.opener import RunOpener
from slither_actors.system.supervision import SystemTree
from supervisors import Scheduler
from supervisors.runtime.interrupts import Event

POLL = 0.5
"""Seconds after which a caller that waits for statistics checks whether the scheduler that makes them still runs."""


class SystemStatistics(Struct, frozen=True):
    """What a System holds, at one moment.

    Args:
        pools: by name.
        runs: runs under way.
        stuck_threads: threads of closed runs that were still inside user code after the grace; counted, never fewer.
        dropped_events: log records and telemetry events dropped because their handlers were too slow.
        pids: of the processes that it has: workers, and the guardian that ends them should this process be killed.
        descriptors: open descriptors of its own in this process.
    """

    pools: Mapping[str, PoolSnapshot]
    runs: int
    stuck_threads: int
    dropped_events: int
    pids: tuple[int, ...]
    descriptors: int


class Snapshots:
    """Takes the statistics of one System.

    Args:
        scheduler: the System's.
        tree: its actors.
        links: to its pools.
        opener: of its runs.
    """

    def __init__(
        self, scheduler: Scheduler, tree: SystemTree, links: Mapping[str, PoolHandle], opener: RunOpener
    ) -> None:
        self._scheduler = scheduler
        self._tree = tree
        self._links = links
        self._opener = opener

    def ask(self, timeout: float) -> SystemStatistics:
        """Have them taken by the scheduler, and wait for that. Not on its own thread.

        Raises:
            SystemStopped: the scheduler has ended.
            TimeoutError: it did not answer.
        """
        taken: list[SystemStatistics] = []
        done = Event()  # no Future: an interrupted waiter leaves its lock held, for which the scheduler would wait

        def take() -> None:
            taken.append(self.take())
            done.set()

        self._scheduler.post(take)
        deadline = time.monotonic() + timeout
        while not done.wait(min(timeout, POLL)):
            if self._scheduler.stopped:
                raise SystemStopped(f"system {self._scheduler.name!r} was stopped")
            if time.monotonic() >= deadline:
                raise TimeoutError
        return taken[0]

    def take(self) -> SystemStatistics:
        """They as they are now. Scheduler's thread only."""
        pools = {name: link.snapshot() for name, link in self._links.items()}
        pids = [executor.pid for pool in pools.values() for executor in pool.executors if executor.pid is not None]
        guardian = self._tree.guardian
        return SystemStatistics(
            pools=pools,
            runs=self._opener.live.count,
            stuck_threads=self._opener.stuck,
            dropped_events=self._scheduler.background.dropped,
            pids=(*pids, guardian) if guardian is not None else tuple(pids),
            descriptors=self._scheduler.descriptors + len(self._tree.descriptors()),
        )
