"""What the restart budget counts: a pool finds its way through poison items, and gives up if nothing gets done."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import pytest
from support.victims import counts, works

from slither_actors import DispatchError, LoadError, PoolUnavailable, Retry, System, WorkerCrashed

pytestmark = pytest.mark.fault(2)

Start = Callable[..., System]
CEILING = 60.0
"""Seconds, against a hang: a quiet machine takes 2 to 6."""


def poisoned(count: int, poison: Collection[int]) -> list[tuple[int, bool]]:
    return [(number, number in poison) for number in range(count)]


@pytest.mark.parametrize(
    ("poison", "workers"),
    [({0}, 1), (set(range(700, 706)), 1), (set(range(700, 706)), 2), (set(range(0, 2000, 200)), 2)],
    ids=["the first", "6 together, 1 worker", "6 together", "10 all over"],
)
def test_poison_items_of_batches_are_named_with_default_budget(start: Start, poison: set[int], workers: int) -> None:
    system = start(workers)
    results = system.dispatch.run(
        poisoned(2000, poison), module="poison", function="kills_list", on_error=Retry(split=True, then="skip")
    )
    assert [item.id for item in results] == list(range(2000))
    assert {item.id for item in results if item.meta.get("skipped")} == poison
    seen = counts(system)
    assert seen.kills == {}
    assert seen.deaths > 3 * len(poison)
    assert works(system)


def test_poison_items_that_are_called_one_by_one_as_well(start: Start) -> None:
    system = start(2)
    poison = set(range(0, 2000, 100))
    results = system.dispatch.run(
        poisoned(2000, poison),
        module="poison",
        function="kills",
        each=True,
        batch_size=16,
        on_error=Retry(split=True, then="skip"),
    )
    assert {item.id for item in results if item.meta.get("skipped")} == poison
    assert counts(system).kills == {}


def test_items_that_fail_by_their_own_exception_are_completed(start: Start) -> None:
    system = start(1, max_restarts=1)
    payloads = [(number, number % 3 == 2) for number in range(60)]
    results = system.dispatch.run(
        payloads, module="poison", function="fails_or_kills", each=True, batch_size=1, on_error="skip"
    )
    assert len(results) == 60
    assert counts(system).deaths == 20
    assert counts(system).kills == {}


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(
    ("module", "function", "each"),
    [
        ("poison", "kills_list", False),
        ("poison", "kills", True),
        ("kills_when_imported", "function", False),
        ("crashes", "exits_in_c", False),
    ],
)
def test_function_that_kills_every_worker_ends_with_clear_error(
    start: Start, workers: int, module: str, function: str, each: bool
) -> None:
    system = start(workers)
    payload: object = (1, True) if module == "poison" else 0
    began = time.monotonic()
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            [payload] * 5000, module=module, function=function, each=each, on_error=Retry(split=True, then="skip")
        )
    print(f"\n{module}.{function} on {workers}: {time.monotonic() - began:.1f} s, {counts(system).deaths} deaths")
    assert time.monotonic() - began < CEILING
    assert isinstance(caught.value.reason, PoolUnavailable)
    assert isinstance(caught.value.reason.__cause__, WorkerCrashed)
    limit = max(20, 4 * workers)
    assert limit < counts(system).deaths <= limit + 2 * workers
    text = str(caught.value.reason)
    assert f"max_restarts={limit}" in text
    assert "PoolSpec(max_restarts=None) lifts that" in text
    assert "\n" not in text


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("policy", ["halt", "skip", Retry(split=True, then="skip")], ids=["halt", "skip", "split"])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_module_that_ends_its_importer_is_a_load_error(
    start: Start, workers: int, policy: str | Retry, each: bool
) -> None:
    system = start(workers)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(range(200), module="aborts_when_imported", function="function", each=each, on_error=policy)
    assert isinstance(caught.value.reason, LoadError)
    assert isinstance(caught.value.reason.reason, WorkerCrashed)
    assert "aborts_when_imported" in str(caught.value)
    assert caught.value.unfinished == list(range(len(caught.value.unfinished)))
    assert 2 <= counts(system).deaths <= 1 + 2 * workers
    assert system.dispatch.run([1, 2], module="operator", function="neg", each=True)[1].payload == -2


def test_with_the_budget_lifted_a_killer_of_all_ends_by_policy(start: Start) -> None:
    system = start(2, max_restarts=None)
    results = system.dispatch.run(
        [(number, True) for number in range(3)],
        module="poison",
        function="kills",
        each=True,
        batch_size=1,
        on_error=Retry(2, backoff=0, then="skip"),
    )
    assert all(item.meta.get("skipped") for item in results)
    assert counts(system).deaths == 6
