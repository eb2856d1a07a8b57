"""Workers killed at random while much work flows. Run with ``pytest -m chaos -s`` to see the counts."""

from __future__ import annotations

import random
import time

import pytest
from support.killer import Killer
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolSpec, PoolUnavailable, Retry, System, WorkerCrashed

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.fault(1)
@pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
@pytest.mark.parametrize(
    ("items", "workers", "pause", "nap"),
    [(20_000, 4, 0.1, 0.01), (50_000, 8, 0.05, 0.035)],
    ids=["every 100 ms", "every 50 ms"],
)
def test_every_item_comes_out_once_while_workers_are_killed(
    items: int, workers: int, pause: float, nap: float, ordering: str
) -> None:
    seed = random.randrange(1 << 32)
    spec = PoolSpec(size=workers, max_restarts=None, path=[FUNCTIONS])
    began = time.monotonic()
    with System({"default": spec}) as system, Killer(system, seed, pause, states=None) as killer:
        stream = system.dispatch.stream(
            ((number, nap) for number in range(items)),
            module="tasks",
            function="naps_for",
            batch_size=16,
            ordering=ordering,
            on_error=Retry(max_attempts=10),
        )
        numbers = [item.payload for item in stream]
        ledger = stream.statistics()
        pool = system.statistics().pools["default"].counts
    distinct = len(set(numbers))
    print(
        f"\nseed {seed}: {items} items in {time.monotonic() - began:.1f} s, {killer.kills} kills, "
        f"{pool.deaths} deaths, {ledger.retries} retries, {pool.redelivered} redelivered, "
        f"duplicates {len(numbers) - distinct}, losses {items - distinct}"
    )
    assert sorted(numbers) == list(range(items))
    if ordering == "preserve":
        assert numbers == list(range(items))
    assert killer.kills > 0
    assert (ledger.pulled, ledger.emitted) == (items, items)
    assert ledger.buffered == ledger.in_flight == ledger.awaiting_retry == ledger.held == ledger.dropped == 0
    # Each death costs one attempt of one batch at the most; and nothing else killed or ended a worker.
    assert ledger.retries <= pool.deaths <= killer.kills
    assert set(pool.exits) == {"SIGKILL"}
    assert (pool.kills, pool.protocol_errors, pool.late) == ({}, {}, 0)


@pytest.mark.fault(2)
def test_with_default_budget_it_goes_on_while_items_complete() -> None:
    seed = random.randrange(1 << 32)
    items = 20_000
    with System({"default": PoolSpec(size=4, path=[FUNCTIONS])}) as system, Killer(system, seed, 0.1) as killer:
        results = system.dispatch.run(
            [(number, 0.01) for number in range(items)],
            module="tasks",
            function="naps_for",
            batch_size=16,
            on_error=Retry(max_attempts=10),
        )
        pool = system.statistics().pools["default"].counts
    assert [item.payload for item in results] == list(range(items))
    assert pool.deaths > 20  # the budget
    print(f"\nseed {seed}: {killer.kills} kills, {pool.deaths} deaths")
    assert pool.kills == {}


@pytest.mark.fault(2)
def test_workers_killed_before_any_completion_end_the_pool() -> None:
    seed = random.randrange(1 << 32)
    items = 50_000
    with System({"default": PoolSpec(size=8, path=[FUNCTIONS])}) as system:
        began = time.monotonic()
        with Killer(system, seed, 0.02, states=None) as killer, pytest.raises(DispatchError) as caught:
            system.dispatch.run(
                [(number, 3600.0 if number >= 1024 else 0.0) for number in range(items)],
                module="tasks",
                function="naps_for",
                batch_size=16,
                on_error=Retry(max_attempts=1000),
                timeout=None,
            )
        seconds = time.monotonic() - began
        pool = system.statistics().pools["default"].counts
    error = caught.value
    done = [item.payload for item in error.partial_results]
    both = set(done) & set(error.unfinished)
    print(
        f"\nseed {seed}: gave up after {seconds:.1f} s, {killer.kills} kills and {pool.deaths} deaths, with "
        f"{len(done)} results and {len(error.unfinished)} unfinished, {len(done) - len(set(done))} duplicates, "
        f"{len(both)} both done and unfinished"
    )
    assert isinstance(error.reason, PoolUnavailable)
    assert isinstance(error.reason.__cause__, WorkerCrashed)
    assert pool.deaths > 32  # four for each of eight workers
    assert len(done) == len(set(done))
    assert not both
    # What was pulled is a beginning of the input, and all of it is accounted for.
    assert sorted({*done, *error.unfinished}) == list(range(len(done) + len(error.unfinished)))
