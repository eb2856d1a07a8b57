"""Replies that the host cannot decode: the items concerned fail by the policy, and the run goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.drivers import WAYS, outcome

from slither_actors import Item, PoolSpec, Retry, Route, System, UnexpectedResponse
from slither_actors.executors import Call

HERE = str(Path(__file__).parents[1] / "support" / "for_workers")

ways = pytest.mark.parametrize("way", WAYS)
orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])

POLICIES = ["skip", Retry(3, backoff=0, then="skip"), Retry(3, backoff=0, split=True, then="skip")]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[HERE])}) as system:
        yield system


@ways
@orderings
@pytest.mark.parametrize("policy", POLICIES)
def test_the_items_fail_alone_and_the_run_goes_on(system: System, way: str, ordering: str, policy: Any) -> None:
    came = outcome(
        system,
        range(64),
        way,
        module="undecodable",
        function="batch",
        batch_size=8,
        ordering=ordering,
        on_error=policy,
    )
    assert came.error is None
    items = came.items if ordering == "preserve" else sorted(came.items, key=lambda item: item.id)
    assert [item.id for item in items] == list(range(64))
    assert [item.id for item in items if item.meta.get("skipped")] == [37, 38]
    assert [item.payload for item in items] == [n if n in (37, 38) else {"of": n} for n in range(64)]
    for item in items[37:39]:
        assert isinstance(item.meta["error"], UnexpectedResponse)
        assert f"the result for item {item.id} cannot be decoded in this process" in str(item.meta["error"])
    assert came.numbers == (64, 64, 2, 0)
    assert (came.ledger.failed, came.ledger.retries) == (2, 0)


@ways
@orderings
def test_a_route_gets_the_item_and_the_reason(system: System, way: str, ordering: str) -> None:
    reasons: list[Exception] = []

    def elsewhere(item: Item, reason: Exception) -> Item:
        reasons.append(reason)
        return item.put_meta(routed=True)

    items = [Item(f"n{n}", n, {"kept": n}) for n in range(64)]
    came = outcome(
        system,
        items,
        way,
        module="undecodable",
        function="one",
        each=True,
        batch_size=8,
        ordering=ordering,
        on_error=Route(elsewhere),
    )
    assert came.error is None
    assert sorted(item.id for item in came.items if item.meta.get("routed")) == ["n37", "n38"]
    assert all("kept" in item.meta for item in came.items)
    assert [type(reason) for reason in reasons] == [UnexpectedResponse] * 2
    assert (came.ledger.routed, came.ledger.failed, came.ledger.emitted) == (2, 2, 64)


@ways
def test_the_very_last_reply_may_be_one(system: System, way: str) -> None:
    for _ in range(5):
        came = outcome(system, range(64), way, module="undecodable", function="last", batch_size=8, on_error="skip")
        assert came.error is None
        assert [item.id for item in came.items] == list(range(64))
        assert came.numbers == (64, 64, 4, 0)
    came = outcome(system, [1], way, module="undecodable", function="all_of_them", on_error="skip")
    assert came.numbers == (1, 1, 1, 0)


@ways
@orderings
def test_halt_names_the_batch_and_the_reason(system: System, way: str, ordering: str) -> None:
    came = outcome(
        system, range(64), way, module="undecodable", function="batch", batch_size=8, ordering=ordering, prefetch=0
    )
    assert came.error is not None
    assert isinstance(came.error.reason, UnexpectedResponse)
    assert came.error.batch_ref is not None
    failed = f"batch {came.error.batch_ref} (8 items, 32 to 39) failed: UnexpectedResponse: the result for item 37"
    assert failed in str(came.error)
    done = sorted(item.id for item in came.items + came.error.partial_results)
    if ordering == "preserve":
        assert done == list(range(32))
    assert sorted(done + came.error.unfinished) == list(range(came.ledger.pulled))
    assert came.ledger.failed == 2
    assert came.ledger.pulled == came.ledger.emitted + came.ledger.dropped


@ways
def test_beside_items_that_failed_in_the_worker(system: System, way: str) -> None:
    came = outcome(
        system, range(64), way, module="undecodable", function="partly", each=True, batch_size=8, on_error="skip"
    )
    assert [item.id for item in came.items if item.meta.get("skipped")] == [36, 37, 38]
    assert came.numbers == (64, 64, 3, 0)


@ways
def test_a_route_function_that_raises_ends_run_with_its_error(system: System, way: str) -> None:
    def broken(item: Item, reason: Exception) -> Item:
        raise LookupError("no way")

    came = outcome(system, range(64), way, module="undecodable", function="batch", batch_size=8, on_error=Route(broken))
    assert came.error is not None
    assert isinstance(came.error.reason, LookupError)
    assert "the route function failed for item 37" in str(came.error)


class Own:
    """A user's executor: what its replies hold only it knows, so the batch fails as a whole."""

    def request(self, batch: Any, context: Any, options: Any) -> Call:
        return Call("undecodable", "batch", False, [item.payload for item in batch])

    def results(self, batch: Any, reply: Any) -> Any:
        return [item.update_payload(payload) for item, payload in zip(batch, reply, strict=True)]


def test_of_a_users_executor_the_batch_fails(system: System) -> None:
    came = outcome(system, range(64), "in memory", executor=Own, batch_size=8, on_error="skip")
    assert [item.id for item in came.items if item.meta.get("skipped")] == list(range(32, 40))
    assert came.numbers == (64, 64, 8, 0)


def test_a_library_that_is_missing_here_is_named(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "slither_actors.wire.arrays", raising=False)
    came = outcome(system, [1, 2], "in memory", module="numpy", function="float32", each=True, on_error="skip")
    assert [item.id for item in came.items if item.meta.get("skipped")] == [0, 1]
    assert "install numpy for" in str(came.items[0].meta["error"])
