"""What the caller's own code raises on the host: the run's error says which part of it that was, and for what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

import pytest

from slither_actors import Context, DispatchError, Item, Route, StrategyError, System, WorkerError
from slither_actors.executors import Call
from slither_actors.strategies import KeyPartition, Strategy, WeightedBatch
from slither_actors.wire.codec import Encoder

LAZY = pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
SECRET = "a payload that no message copies"


class Own(Exception):
    """The caller's."""


def fail(*_: Any) -> Any:
    raise Own("of mine")


def given(items: Iterable[Any], lazy: bool) -> Any:
    return (item for item in items) if lazy else list(items)


def failure(system: System, items: Any, **options: Any) -> DispatchError:
    if "executor" not in options:
        options = {"module": "tasks", "function": "double", **options}
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(items, **options)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is caught.value.reason
    return caught.value


class Holding(Strategy):
    """Gives nothing before the end; fails in one of its methods."""

    def __init__(self, fails_in: str) -> None:
        self.fails_in = fails_in
        self.held: list[Item] = []

    def add(self, item: Item) -> Sequence[Any]:
        if self.fails_in == "add" and item.id == "c":
            fail()
        self.held.append(item)
        return ()

    def extend(self, items: Iterable[Any]) -> Any:
        return fail() if self.fails_in == "extend" else super().extend(items)

    def flush(self) -> Iterator[Any]:
        yield self.held[:1]
        if self.fails_in == "flush":  # when some of it has been taken already
            fail()
        yield self.held[1:]


STRATEGIES: dict[str, tuple[dict[str, Any], str]] = {
    "key": ({"strategy": KeyPartition, "key_fn": fail}, "the strategy KeyPartition failed in key_fn for item 'a'"),
    "weight": (
        {"strategy": WeightedBatch, "weight_fn": fail},
        "the strategy WeightedBatch failed in weight_fn for item 'a'",
    ),
    "add": ({"strategy": Holding, "fails_in": "add"}, "the strategy Holding failed in add for item 'c'"),
    "extend": ({"strategy": Holding, "fails_in": "extend"}, "the strategy Holding failed in extend"),
    "flush": ({"strategy": Holding, "fails_in": "flush"}, "the strategy Holding failed in flush"),
}


@LAZY
@pytest.mark.parametrize(("options", "said"), STRATEGIES.values(), ids=STRATEGIES)
def test_a_strategy_is_named_with_its_function_and_the_item(
    system: System, lazy: bool, options: dict[str, Any], said: str
) -> None:
    error = failure(system, given([Item(name, SECRET) for name in "abc"], lazy), **options)
    assert str(error) == f"{said}: Own: of mine"
    assert type(error.reason) is Own


def test_what_strategy_got_over_is_not_told_for_what_came_later(system: System) -> None:
    class Forgiving(Holding):
        def add(self, item: Item) -> Sequence[Any]:
            return fail() if item.id == 0 else super().add(item)

        def extend(self, items: Iterable[Any]) -> Any:
            try:
                return super().extend(items)
            except Own:
                raise Own("another one") from None

    assert str(failure(system, range(3), strategy=Forgiving("nothing"))) == (
        "the strategy Forgiving failed in extend: Own: another one"
    )


def test_a_strategy_that_breaks_its_contract_is_named_once(system: System) -> None:
    error = failure(system, range(3), strategy=KeyPartition, key_fn=lambda item: [])
    assert str(error).startswith("the strategy KeyPartition failed: StrategyError: key_fn gave [], which cannot be")
    assert isinstance(error.reason, StrategyError)


def test_a_strategys_foreign_item_is_named_without_payload(system: System) -> None:
    class Inventing(Holding):
        def flush(self) -> Any:
            return [[Item(77, SECRET)]]

    error = failure(system, range(3), strategy=Inventing("nothing"))
    assert "Inventing gave item 77, which it was not given" in str(error)


@LAZY
def test_a_route_function_is_named_with_the_failure_it_hides(system: System, lazy: bool) -> None:
    items = given([Item("good", 1), Item("bad", -5)], lazy)
    error = failure(system, items, function="negative_ones_fail", batch_size=1, on_error=Route(fail))
    called = "for item 'bad', called because of WorkerError (ValueError) in batch 2 (item 1)"
    assert str(error) == f"the route function failed {called}: Own: of mine"
    assert type(error.reason) is Own
    assert error.reason.__notes__ == [f"raised by the route function, {called}"]
    assert isinstance(error.reason.__context__, WorkerError)
    assert "negative: -5" in str(error.reason.__context__)


def test_a_route_function_that_reraises_makes_no_circle(system: System) -> None:
    def again(item: Item, reason: Exception) -> Item:
        raise reason

    def chained(item: Item, reason: Exception) -> Item:
        raise Own("of mine") from reason

    error = failure(system, [-5], function="negative_ones_fail", on_error=Route(again))
    assert isinstance(error.reason, WorkerError)
    assert error.reason.__context__ is None
    error = failure(system, [-5], function="negative_ones_fail", on_error=Route(chained))
    assert error.reason is not None
    assert isinstance(error.reason.__cause__, WorkerError)


def test_a_route_function_that_gives_no_item_is_named_same_way(system: System) -> None:
    error = failure(system, [-5], function="negative_ones_fail", on_error=Route(lambda item, reason: 5))
    assert str(error).startswith("the route function failed for item 0, called because of WorkerError (ValueError) in")
    assert str(error).endswith("TypeError: the route function gave 5 for item 0, not an Item")


class Failing:
    def __iter__(self) -> Iterator[int]:
        return fail()


def after(count: int) -> Iterator[str]:
    for _ in range(count):
        yield SECRET
    fail()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Failing, "before its first item"),
        (lambda: after(0), "before its first item"),
        (lambda: after(1), "after 1 item"),
        (lambda: after(150), "after 150 items"),
    ],
)
def test_a_source_is_named_with_how_many_items_it_gave(system: System, source: Any, said: str) -> None:
    error = failure(system, source())
    assert str(error) == f"the source failed {said}: Own: of mine"
    assert len(error.partial_results) == {"after 1 item": 1, "after 150 items": 150}.get(said, 0)


def test_collection_that_changes_while_it_is_read_is_source_too(system: System) -> None:
    items = dict.fromkeys(range(10_000))
    options: dict[str, Any] = {"module": "tasks", "function": "double", "batch_size": 1, "max_in_flight": 1}
    with system.dispatch.stream(items, prefetch=0, **options) as stream:
        next(stream)
        items[-1] = None
        with pytest.raises(DispatchError, match="the source failed after 1 item: RuntimeError: dictionary"):
            list(stream)


def test_an_asynchronous_source_is_named_too(system: System) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        fail()

    async def run() -> None:
        await system.dispatch.arun(source(), module="tasks", function="double")

    with pytest.raises(DispatchError, match="the source failed after 2 items: Own: of mine"):
        asyncio.run(run())


class Executor:
    def __init__(self, fails_in: str) -> None:
        self.fails_in = fails_in

    def request(self, batch: Sequence[Item], context: Context, options: Any) -> Call:
        if self.fails_in == "request":
            fail()
        return Call("tasks", "double", False, [item.payload for item in batch])

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        return fail()


@LAZY
@pytest.mark.parametrize("method", ["request", "results"])
def test_an_executor_is_named_with_its_method_and_the_batch(system: System, lazy: bool, method: str) -> None:
    error = failure(system, given(range(3), lazy), executor=Executor(method))
    assert str(error) == f"Executor.{method} failed for batch 1 (3 items, 0 to 2): Own: of mine"


def test_out_of_memory_while_encoding_is_no_strategys_fault(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Encoder):
        def encode(self, value: Any) -> Any:
            raise MemoryError

    monkeypatch.setattr("slither_actors.runs.input.request_encoder.Encoder", Full)
    error = failure(system, iter(range(3)))
    assert str(error) == "encoding batch 1 (3 items, 0 to 2) failed: MemoryError"
