"""What tests that do harm look at, and do: a pool's workers, its counters, whether it still works."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from slither_actors import System, telemetry
from slither_actors.pools.counters import PoolCounts
from slither_actors.pools.statistics import ExecutorStatistics, PoolSnapshot
from support.gates import SECONDS, wait_gone


def pool(system: System, name: str = "default") -> PoolSnapshot:
    return system.statistics().pools[name]


def counts(system: System) -> PoolCounts:
    return pool(system).counts


def counts_after(system: System) -> PoolCounts:
    """Of a System that was stopped, or could not start."""
    return system._links["default"].counters.snapshot()


def executor(system: System, index: int = 0) -> ExecutorStatistics:
    return pool(system).executors[index]


def pids(system: System) -> list[int]:
    """Of the workers that there are now."""
    return [each.pid for each in pool(system).executors if each.pid]


def guardian(system: System) -> int | None:
    """The pid of the guardian that there is now."""
    statistics = system.statistics()
    others = set(statistics.pids) - {each.pid for each in statistics.pools["default"].executors}
    return others.pop() if others else None


def works(system: System) -> bool:
    """Whether the next batch is served."""
    results = system.dispatch.run([1, 2], module="tasks", function="double", timeout=SECONDS)
    return [item.payload for item in results] == [2, 4]


def kill_and_wait(pid: int, sig: int = signal.SIGKILL) -> None:
    """Send the signal, and wait until the process is dead: a signal is under way for a while."""
    os.kill(pid, sig)
    wait_gone(pid)


@contextmanager
def beside(function: Callable[..., object], *arguments: Any) -> Iterator[threading.Thread]:
    """Run it in a thread beside what the context does; what it raises is raised at the end."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            function(*arguments)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(2 * SECONDS)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


class Starts:
    """How often each attempt of each batch was given to a worker, as telemetry tells. Also after the run: see `all`."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[int, int]] = Counter()
        self._stops = 0

    def all(self, batches: int, eventually: Callable[..., None]) -> Counter[tuple[int, int]]:
        """By reference and attempt, when so many batches are known to have succeeded: handlers run on a side thread."""
        eventually(lambda: self._stops >= batches)
        return self.seen

    @contextmanager
    def watched(self) -> Iterator[Starts]:
        with (
            telemetry.attach(telemetry.BATCH_START, self._started),
            telemetry.attach(telemetry.BATCH_STOP, self._stopped),
        ):
            yield self

    def _started(self, event: telemetry.Event) -> None:
        self.seen[event.metadata["batch_ref"], event.metadata["attempt"]] += 1

    def _stopped(self, event: telemetry.Event) -> None:
        self._stops += 1
