"""Workers killed at random while much work flows. Run with ``pytest -m chaos -s`` to see the counts."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolSpec, PoolUnavailable, Retry, System

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


class Killer:
    """Kills a random worker of the pool, ready or not, every `interval` seconds."""

    def __init__(self, system: System, interval: float, seed: int) -> None:
        self.kills = 0
        self._system = system
        self._interval = interval
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._stop.wait(self._interval):
            executors = self._system.statistics().pools["default"].executors
            pids = [executor.pid for executor in executors if executor.pid is not None]
            if pids:
                try:
                    os.kill(self._random.choice(pids), signal.SIGKILL)
                    self.kills += 1
                except ProcessLookupError:
                    pass

    @contextmanager
    def at_work(self) -> Iterator[Killer]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


@pytest.mark.parametrize(
    ("items", "workers", "interval", "nap"),
    [(20_000, 4, 0.1, 0.01), (50_000, 8, 0.05, 0.035)],
    ids=["every 100 ms", "every 50 ms"],
)
def test_every_item_comes_out_once_and_in_order_while_workers_are_killed(
    items: int, workers: int, interval: float, nap: float
) -> None:
    seed = random.randrange(1 << 32)
    spec = PoolSpec(size=workers, max_restarts=None, path=[FUNCTIONS])
    with System({"default": spec}) as system, Killer(system, interval, seed).at_work() as killer:
        stream = system.dispatch.stream(
            ((number, nap) for number in range(items)),
            module="tasks",
            function="naps_for",
            batch_size=16,
            on_error=Retry(max_attempts=10),
        )
        numbers = [item.payload for item in stream]
        ledger = stream.statistics()
        pool = system.statistics().pools["default"].counts
    print(
        f"\nseed {seed}: {killer.kills} kills, {ledger.retries} retries, {pool.redelivered} redelivered, "
        f"{items} items, {items - len(set(numbers))} lost, {len(numbers) - len(set(numbers))} doubled"
    )
    assert numbers == list(range(items))
    assert killer.kills > 0
    assert (ledger.pulled, ledger.emitted) == (items, items)
    assert ledger.buffered == ledger.in_flight == ledger.awaiting_retry == ledger.held == ledger.dropped == 0


def test_with_the_default_budget_the_pool_gives_up_and_the_error_has_all_results_so_far() -> None:
    seed = random.randrange(1 << 32)
    with (
        System({"default": PoolSpec(size=8, path=[FUNCTIONS])}) as system,
        Killer(system, 0.02, seed).at_work() as killer,
        pytest.raises(DispatchError) as caught,
    ):
        system.dispatch.run(
            [(number, 0.035) for number in range(50_000)],
            module="tasks",
            function="naps_for",
            batch_size=16,
            on_error=Retry(max_attempts=10),
        )
    error = caught.value
    print(f"\nseed {seed}: gave up after {killer.kills} kills, {len(error.partial_results)} results")
    assert isinstance(error.reason, PoolUnavailable)
    done = [item.payload for item in error.partial_results]
    assert len(done) == len(set(done))
    assert not set(done) & set(error.unfinished)
