"""User code of the host may raise anything anywhere: that run ends with the cause, and nothing else notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from support.failing import Failing

from slither_actors import Context, DispatchError, Item, Route, System
from slither_actors.executors import Call
from slither_actors.strategies import KeyPartition, Strategy, WeightedBatch


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")

    __repr__ = __str__


class Nameless(BaseException):
    """No Exception, and not built in."""


CAUSES = pytest.mark.parametrize(
    "cause",
    [ValueError, SystemExit, KeyboardInterrupt, Unprintable, Nameless, GeneratorExit, StopIteration],
    ids=lambda cause: cause.__name__,
)
LAZY = pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])


def given(lazy: bool) -> Any:
    payloads = [-i if i == 5 else i for i in range(20)]
    return (payload for payload in payloads) if lazy else payloads


class Raising:
    """A RemoteExecutor that raises in one of its methods."""

    def __init__(self, cause: type[BaseException], where: str) -> None:
        self.cause = cause
        self.where = where

    def request(self, batch: Sequence[Item], context: Context, options: Any) -> Call:
        if self.where == "request":
            raise self.cause
        return Call("tasks", "double", False, [item.payload for item in batch])

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        raise self.cause


def raising(cause: type[BaseException]) -> Any:
    def function(item: Item, *_: Any) -> Any:
        if item.payload in (5, -5):
            raise cause
        return 1

    return function


def fails(cause: type[BaseException]) -> Callable[[], Any]:
    def function() -> Any:
        raise cause

    return function


PLACES = {
    "strategy.add": lambda cause: {"strategy": Failing("add", fails(cause))},
    "strategy.flush": lambda cause: {"strategy": Failing("flush", fails(cause))},
    "strategy.release": lambda cause: {"strategy": Failing("release", fails(cause)), "max_in_flight": 1, "prefetch": 0},
    "key_fn": lambda cause: {"strategy": KeyPartition, "key_fn": raising(cause)},
    "weight_fn": lambda cause: {"strategy": WeightedBatch, "weight_fn": raising(cause)},
    "route": lambda cause: {"on_error": Route(raising(cause)), "batch_size": 1},
    "executor.request": lambda cause: {"executor": Raising(cause, "request")},
    "executor.results": lambda cause: {"executor": Raising(cause, "results")},
}


@LAZY
@CAUSES
@pytest.mark.parametrize("place", PLACES)
def test_whatever_user_code_raises_ends_its_run_with_the_cause(
    system: System, place: str, cause: type[BaseException], lazy: bool
) -> None:
    options = PLACES[place](cause)
    if "executor" not in options:
        options |= {"module": "tasks", "function": "negative_ones_fail" if place == "route" else "double"}
    # In the consumer's own thread Ctrl-C is that of the person at the terminal: it goes on as what it is.
    own_thread = not lazy or place == "executor.results"
    expected: Any = (DispatchError, KeyboardInterrupt) if own_thread and cause is KeyboardInterrupt else DispatchError
    with pytest.raises(expected) as caught:
        system.dispatch.run(given(lazy), **options)
    if type(caught.value) is DispatchError:
        assert isinstance(caught.value.reason, cause)
        assert caught.value.__cause__ is caught.value.reason
    results = system.dispatch.run([1], module="tasks", function="double")
    assert [item.payload for item in results] == [2]


@CAUSES
@pytest.mark.parametrize("where", ["iter", "next"])
def test_whatever_a_source_raises_ends_its_run_with_the_cause(
    system: System, cause: type[BaseException], where: str
) -> None:
    class Source:
        def __init__(self) -> None:
            self.count = 0

        def __iter__(self) -> Iterator[int]:
            if where == "iter":
                raise cause
            return self

        def __next__(self) -> int:
            self.count += 1
            if self.count > 10:
                raise cause
            return self.count

    if where == "next" and cause is StopIteration:
        assert len(system.dispatch.run(Source(), module="tasks", function="double")) == 10
        return
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(Source(), module="tasks", function="double", batch_size=3)
    assert isinstance(caught.value.reason, cause)
    assert len(caught.value.partial_results) == (10 if where == "next" else 0)
    assert caught.value.unfinished == []


@CAUSES
def test_whatever_the_closing_of_a_source_raises_hurts_nobody(system: System, cause: type[BaseException]) -> None:
    closed = threading.Event()

    class Source:
        def __iter__(self) -> Iterator[int]:
            return Numbers()

    class Numbers:
        def __iter__(self) -> Iterator[int]:
            return self

        def __next__(self) -> int:
            return 7

        def close(self) -> None:
            closed.set()
            raise cause

    with system.dispatch.stream(Source(), module="tasks", function="double") as stream:
        assert next(stream).payload == 14
    assert closed.wait(20)
    assert [item.payload for item in system.dispatch.run([1], module="tasks", function="double")] == [2]


@LAZY
@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ({"strategy": WeightedBatch, "weight_fn": lambda item: -1}, "must give a number, 0 or more, not -1"),
        ({"strategy": WeightedBatch, "weight_fn": lambda item: float("nan")}, "not nan"),
        ({"strategy": WeightedBatch, "weight_fn": lambda item: "heavy"}, "not 'heavy'"),
        ({"strategy": KeyPartition, "key_fn": lambda item: []}, "cannot be a key"),
    ],
)
def test_nonsense_from_a_weight_or_key_function_names_the_item(
    system: System, lazy: bool, strategy: dict[str, Any], text: str
) -> None:
    with pytest.raises(DispatchError, match=text) as caught:
        system.dispatch.run(given(lazy), module="tasks", function="double", **strategy)
    assert caught.value.reason.ids == [0]  # type: ignore[union-attr]


@LAZY
def test_a_strategy_that_gives_no_batches_is_named(system: System, lazy: bool) -> None:
    class Confused(Strategy):
        def add(self, item: Item) -> Any:
            return [item]

        def flush(self) -> Any:
            return []

    with pytest.raises(DispatchError, match=r"Confused gave .* in place of a batch"):
        system.dispatch.run(given(lazy), module="tasks", function="double", strategy=Confused)


@LAZY
def test_items_with_unhashable_ids_are_named_where_it_matters(system: System, lazy: bool) -> None:
    items: Any = [Item(1, 1), Item([2], 2)]
    results = system.dispatch.run((i for i in items) if lazy else items, module="tasks", function="double")
    assert [item.id for item in results] == [1, [2]]
    with pytest.raises(DispatchError, match="cannot be hashed"):
        system.dispatch.run(
            (i for i in items) if lazy else items, module="tasks", function="double", strategy=WeightedBatch
        )


def test_other_runs_do_not_notice(system: System) -> None:
    with system.dispatch.stream((i for i in range(3000)), module="tasks", function="double", batch_size=10) as stream:
        count = 0
        for item in stream:
            count += item.payload == 2 * item.id
            if item.id % 300 == 0:
                with pytest.raises(DispatchError):
                    system.dispatch.run(
                        given(True), module="tasks", function="double", strategy=Failing("add", fails(SystemExit))
                    )
    assert count == 3000
