"""The handle of a pool, which stays over its restarts: for runs, the System and statistics."""

from __future__ import annotations

from typing import Never, Protocol

from slither_actors.errors import PoolUnavailable
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.counters import PoolCounters
from slither_actors.pools.messages import PoolMessage
from slither_actors.pools.processes.cgroup import OomKills
from slither_actors.pools.shared_memory import RequestArena
from slither_actors.pools.statistics import ExecutorStatistics, PoolSnapshot, PoolStatistics
from slither_actors.pools.worker.restart_budget import MENTIONS, PoolRestarts
from slither_actors.wording import exception_text, shown
from supervisors import Crashed, ExitReason, Killed, Ref, RestartBudgetExceeded, Shutdown, StartFailed, monitor


class PoolSource(Protocol):
    """What is needed here of a Pool."""

    @property
    def actor_ref(self) -> Ref[PoolMessage]:
        """Its reference."""

    def statistics(self) -> PoolStatistics:
        """Return what it holds now."""


class ExecutorSource(Protocol):
    """What is needed here of an Executor."""

    def statistics(self) -> ExecutorStatistics:
        """Return what it is doing now."""

    def has_loaded(self, target: Target) -> bool:
        """Return whether its worker serves and has loaded this function."""


class PoolHandle:
    """The Pool actor that lives now, or why there is none. Written on the scheduler's thread, read from any.

    Args:
        name: of the pool.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ref: Ref[PoolMessage] | None = None
        self.pool: PoolSource | None = None
        self.arena: RequestArena | None = None
        self.commands: tuple[str, ...] | None = None
        self.executors: dict[int, ExecutorSource] = {}
        self.last_error: Exception | None = None
        self.oom_kills = OomKills()
        self.counters = PoolCounters()
        self.restarts: PoolRestarts | None = None
        """The restart budget of the executors that live now."""
        self._why = "it has not started yet"
        self._mentions: dict[str, str] = {}

    def share(self, workers: Ref[Never]) -> None:
        """Make memory for workers to share, for as long as their supervisor lives.

        No memory is used before there is a large payload.
        """
        arena = self.arena = RequestArena()

        def close(down: object) -> None:
            arena.close()
            if self.arena is arena:
                self.arena = None

        monitor(workers, close)

    def up(self, pool: PoolSource) -> None:
        """Enter the Pool that lives now."""
        self.pool = pool
        self.ref = pool.actor_ref

    def down(self, reason: ExitReason) -> PoolUnavailable:
        """Withdraw the Pool, which has ended. Returns the error for its users."""
        self.ref = self.pool = None
        given_up = self.restarts.why if self.restarts is not None else None
        self._why, self._mentions = _why(reason) if given_up is None else (given_up, MENTIONS)
        return self.unavailable()

    def unavailable(self) -> PoolUnavailable:
        """Return the error for a run that needs the pool now."""
        error = PoolUnavailable(self.name, self._why)
        error.mentions = self._mentions
        error.__cause__ = self.last_error
        return error

    def executor_up(self, index: int, executor: ExecutorSource) -> None:
        """Enter the Executor of an index, the first one or one after a crash."""
        self.counters.worker(index).executors += 1
        self.executors[index] = executor

    def snapshot(self) -> PoolSnapshot:
        """Return what the pool holds now. Scheduler's thread only."""
        return PoolSnapshot(
            available=self.ref is not None,
            pool=self.pool.statistics() if self.pool is not None else None,
            executors=tuple(executor.statistics() for _, executor in sorted(self.executors.items())),
            counts=self.counters.snapshot(),
        )


_LIFTED = "PoolSpec(max_restarts=None)"


def _why(reason: ExitReason) -> tuple[str, dict[str, str]]:
    """Return why a pool ended, in one sentence, and the options that this mentions.

    Supervisors give up one inside the other, each with the reason of the one below: the innermost says it all.
    """
    gave_up = False
    while True:
        if isinstance(reason, Shutdown) and isinstance(reason.term, RestartBudgetExceeded):
            gave_up, reason = True, reason.term.last_reason
        elif isinstance(reason, Crashed) and isinstance(reason.exception, StartFailed):
            reason = reason.exception.reason
        else:
            break
    if isinstance(reason, Crashed):
        last = exception_text(reason.exception)
    elif isinstance(reason, Shutdown):
        last = "it was stopped" if reason.term is None else f"it was stopped: {shown(reason.term)}"
    else:
        last = "it was killed" if isinstance(reason, Killed) else "it ended by itself"
    if not gave_up:
        return (f"it failed: {last}" if isinstance(reason, Crashed) else last), {}
    text = f"its workers failed more often than its max_restarts allows ({_LIFTED} lifts that); the last time: {last}"
    return text, {_LIFTED: "max_restarts=None", "its max_restarts": "max_restarts"}
