"""Whole runs on worker processes: results, orders, strategies, executors, sessions."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.for_workers import tasks
from support.gates import Gates

from slither_actors import Context, DispatchError, Item, OptionError, StrategyError, System, UnknownCommand, UnknownPool
from slither_actors.executors import Call, Command, SnakeBridge, Snakepit
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch

ORDERINGS = ["preserve", "as_completed"]


def lazily(items: Iterable[Any]) -> Iterator[Any]:
    yield from items


def payloads(items: Iterable[Item]) -> list[Any]:
    return [item.payload for item in items]


def ids(items: Iterable[Item]) -> list[Any]:
    return [item.id for item in items]


sources = pytest.mark.parametrize("source", [list, lazily, tuple], ids=["list", "generator", "tuple"])


@sources
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_run_gives_each_item_once_in_input_order(system: System, source: Any, count: int) -> None:
    results = system.dispatch.run(source(range(count)), module="tasks", function="double")
    assert ids(results) == list(range(count))
    assert payloads(results) == [2 * i for i in range(count)]


@sources
def test_as_completed_gives_each_item_once(system: System, source: Any) -> None:
    results = system.dispatch.run(
        source(range(1000)), module="tasks", function="double", batch_size=7, ordering="as_completed"
    )
    assert sorted(ids(results)) == list(range(1000))
    assert all(item.payload == 2 * item.id for item in results)


@sources
def test_items_keep_id_meta_and_route_beside_bare_payloads(system: System, source: Any) -> None:
    given = [Item("a", 1, {"k": 1}, "elsewhere"), 2, Item("b", 3)]
    results = system.dispatch.run(source(given), module="tasks", function="double", batch_size=2)
    assert [(item.id, item.payload, dict(item.meta), item.route) for item in results] == [
        ("a", 2, {"k": 1}, "elsewhere"),
        (1, 4, {}, "default"),
        ("b", 6, {}, "default"),
    ]


@sources
def test_items_with_same_id_come_out_as_often_as_they_went_in(system: System, source: Any) -> None:
    given = [Item("same", i) for i in range(100)]
    for strategy in (FixedBatch(7), WeightedBatch(max_weight=5)):
        results = system.dispatch.run(source(given), module="tasks", function="double", strategy=strategy)
        assert payloads(results) == [2 * i for i in range(100)], strategy
    # A strategy that reorders them leaves no way to tell them apart.
    results = system.dispatch.run(
        source(given), module="tasks", function="double", strategy=KeyPartition(lambda item: item.payload % 3, 4)
    )
    assert sorted(payloads(results)) == [2 * i for i in range(100)]


def test_a_function_may_be_given_as_itself(system: System) -> None:
    # This module is found by another name here than in the workers.
    function = tasks.double
    name, function.__module__ = function.__module__, "tasks"
    try:
        with pytest.raises(OptionError, match="say where it is by name"):
            system.dispatch.run([1], function=function)
    finally:
        function.__module__ = name
    assert payloads(system.dispatch.run([b"ab"], function=abs, each=True, on_error="skip")) == [b"ab"]
    assert payloads(system.dispatch.run([-3], function=abs, each=True)) == [3]


def test_each_calls_the_function_with_one_payload_at_a_time(system: System) -> None:
    results = system.dispatch.run(range(100), module="tasks", function="square", each=True, batch_size=9)
    assert payloads(results) == [i * i for i in range(100)]


def test_a_command_of_the_adapter_serves_batches(system: System) -> None:
    results = system.dispatch.run(range(10), executor=Snakepit, command="score", batch_size=3)
    assert payloads(results) == [10 * i for i in range(10)]


def test_unknown_commands_and_pools_name_the_known_ones(system: System) -> None:
    with pytest.raises(UnknownCommand, match="score"):
        system.dispatch.stream([1], command="scroe")
    with pytest.raises(UnknownPool, match="default"):
        system.dispatch.stream([1], module="tasks", function="double", pool="defualt")


def test_call_batch_sends_one_batch_as_it_is(system: System) -> None:
    results = system.dispatch.call_batch(list(range(100)), module="tasks", function="sizes")
    assert payloads(results) == [100] * 100
    assert system.dispatch.call_batch([], module="tasks", function="sizes") == []
    with pytest.raises(OptionError, match="batch_size"):
        system.dispatch.call_batch([1], module="tasks", function="sizes", batch_size=3)
    with pytest.raises(OptionError, match=r"^call_batch takes a list or tuple .*; give list\(\) of it, or use run"):
        system.dispatch.call_batch(iter([1]), module="tasks", function="sizes")  # type: ignore[arg-type]


@sources
def test_preserve_holds_back_what_is_early(system: System, gates: Gates, source: Any) -> None:
    given = [(0, gates["first"]), 1, 2, 3]
    common: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1, "max_in_flight": 2}
    with system.dispatch.stream(source(given), ordering="as_completed", prefetch=2, **common) as stream:
        got = [next(stream).id for _ in range(3)]
        gates.open("first")
        got += ids(stream)
    assert got == [1, 2, 3, 0]

    given[0] = (0, gates["second"])
    with system.dispatch.stream(source(given), prefetch=2, **common) as stream, ThreadPoolExecutor(1) as threads:
        first = threads.submit(next, stream)
        while stream.statistics().held < 3:  # the others are done, and kept back
            pass
        assert not first.done()
        gates.open("second")
        assert first.result(20).id == 0
        assert ids(stream) == [1, 2, 3]


@sources
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_weighted_batches_are_closed_by_weight(system: System, source: Any, ordering: str) -> None:
    given = ["x" * (i % 7) for i in range(200)]
    results = system.dispatch.run(
        source(given), module="tasks", function="double", strategy=WeightedBatch, max_weight=10, ordering=ordering
    )
    assert sorted(ids(results)) == list(range(200))
    assert all(item.payload == 2 * given[item.id] for item in results)
    if ordering == "preserve":
        assert ids(results) == list(range(200))
    sizes = system.dispatch.run(
        source([3, 3, 3, 3, 30, 1]),
        module="tasks",
        function="sizes",
        strategy=WeightedBatch,
        max_weight=9,
        weight_fn=lambda item: item.payload,
    )
    assert payloads(sizes) == [3, 3, 3, 1, 1, 1]


@sources
def test_key_partition_gives_results_by_key_then_input_order(system: System, source: Any) -> None:
    results = system.dispatch.run(
        source(range(100)), module="tasks", function="double", strategy=KeyPartition, key_fn=lambda item: -(item.id % 3)
    )
    assert ids(results) == [i for key in (2, 1, 0) for i in range(100) if i % 3 == key]
    sizes = system.dispatch.run(
        source(range(10)), module="tasks", function="sizes", strategy=KeyPartition, key_fn=lambda item: item.id % 2
    )
    assert payloads(sizes) == [5] * 10


@sources
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_key_partition_with_a_batch_size_gives_each_item_once(system: System, source: Any, ordering: str) -> None:
    results = system.dispatch.run(
        source(range(500)),
        module="tasks",
        function="double",
        strategy=KeyPartition,
        key_fn=lambda item: item.id % 5,
        batch_size=8,
        max_in_flight=2,
        ordering=ordering,
    )
    assert sorted(ids(results)) == list(range(500))
    if ordering == "preserve":
        assert ids(results) == list(range(500))


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("source", [itertools.count, lambda: lazily(itertools.count())], ids=["count", "generator"])
@pytest.mark.parametrize("keys", [1, 3, 1000], ids=lambda keys: f"{keys} keys")
def test_key_partition_with_a_batch_size_works_on_endless_input(
    system: System, source: Any, ordering: str, keys: int
) -> None:
    # With more keys than the window has items no batch is ever full: the oldest is released, and nothing stalls.
    with system.dispatch.stream(
        source(),
        module="tasks",
        function="double",
        strategy=KeyPartition,
        key_fn=lambda item: item.id % keys,
        batch_size=4,
        max_in_flight=2,
        prefetch=2,
        ordering=ordering,
    ) as stream:
        got = ids(itertools.islice(stream, 300))
    assert len(set(got)) == 300
    if ordering == "preserve":
        assert got == list(range(300))


def test_key_partition_with_prefetch_0_does_not_stall(system: System) -> None:
    results = system.dispatch.run(
        lazily(range(50)),
        module="tasks",
        function="double",
        strategy=KeyPartition,
        key_fn=lambda item: item.id,
        batch_size=4,
        max_in_flight=1,
        prefetch=0,
    )
    assert ids(results) == list(range(50))


class Pairs(Strategy):
    """The newest first, two and two; a leftover of one comes with flush."""

    def __init__(self, backwards: bool = True) -> None:
        self.backwards = backwards
        self.held: list[Item] = []

    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        self.held.append(item)
        return self.flush() if len(self.held) == 2 else []

    def flush(self) -> Sequence[Sequence[Item]]:
        held, self.held = self.held, []
        return [held[::-1] if self.backwards else held] if held else []


@sources
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_an_own_strategy_may_shuffle_within_its_batches(system: System, source: Any, ordering: str) -> None:
    results = system.dispatch.run(
        source(range(101)), module="tasks", function="sizes", strategy=Pairs, backwards=True, ordering=ordering
    )
    assert sorted(ids(results)) == list(range(101))
    assert {item.id: item.payload for item in results} == {i: 2 if i < 100 else 1 for i in range(101)}
    if ordering == "preserve":
        assert ids(results) == list(range(101))


class Hoarding(Strategy):
    """Two batches that interleave: even and odd ones, given at every twentieth item."""

    def __init__(self) -> None:
        self.held: list[Item] = []

    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        self.held.append(item)
        return self.flush() if len(self.held) == 20 else []

    def flush(self) -> Sequence[Sequence[Item]]:
        held, self.held = self.held, []
        return [batch for batch in (held[1::2], held[::2]) if batch]


@sources
def test_batches_that_interleave_come_out_in_input_order(system: System, source: Any) -> None:
    results = system.dispatch.run(source(range(205)), module="tasks", function="double", strategy=Hoarding)
    assert ids(results) == list(range(205))


class Losing(Strategy):
    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        return [[item]] if item.id != 3 else []

    def flush(self) -> Sequence[Sequence[Item]]:
        return []


class Doubling(Losing):
    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        return [[item, item]] if item.id == 3 else [[item]]


class Inventing(Losing):
    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        return [[Item(3, "new")]] if item.id == 2 else [[item]]


@sources
@pytest.mark.parametrize("strategy", [Losing, Doubling, Inventing])
def test_a_strategy_that_loses_or_invents_an_item_is_named(
    system: System, source: Any, strategy: type[Strategy]
) -> None:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(source(range(6)), module="tasks", function="double", strategy=strategy)
    assert isinstance(caught.value.reason, StrategyError)
    assert caught.value.reason.ids == [3]
    assert strategy.__name__ in str(caught.value)


class Tagging:
    """A RemoteExecutor that adds to what it sends, and to what it gets."""

    def __init__(self, tag: int = 1) -> None:
        self.tag = tag

    def request(self, batch: Sequence[Item], context: Context, options: Any) -> Call | Command:
        assert context.session_id == "tagged"
        if batch[0].id % 2:
            return Command("score", {"items": [item.payload for item in batch]})
        return Call("tasks", "double", False, [item.payload for item in batch])

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        values = reply["items"] if isinstance(reply, dict) else reply
        return [item.update_payload((self.tag, value)) for item, value in zip(batch, values, strict=True)]


@sources
def test_an_own_remote_executor_says_what_is_sent_and_returned(system: System, source: Any) -> None:
    results = system.dispatch.run(
        source(range(9)), executor=Tagging, tag=7, batch_size=3, context=Context.new(session_id="tagged")
    )
    assert payloads(results) == [(7, i * (10 if i // 3 == 1 else 2)) for i in range(9)]


def test_a_remote_executor_with_a_wrong_count_ends_the_run(system: System) -> None:
    class Short(SnakeBridge):
        def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
            return list(super().results(batch, reply))[1:]

    with pytest.raises(DispatchError, match=r"Short\.results gave 2 items for 3"):
        system.dispatch.run([1, 2, 3], executor=Short, module="tasks", function="double")


def test_runs_from_several_threads_get_the_workers_in_turn(system: System, gates: Gates) -> None:
    # One run has filled every worker and has more waiting; another run's only batch goes before those.
    given = [(i, gates[i]) for i in range(20)]
    order: list[int] = []
    ready = threading.Barrier(2, timeout=20)

    def long_run() -> None:
        with system.dispatch.stream(
            given, module="tasks", function="through_gates", batch_size=1, max_in_flight=2, prefetch=0
        ) as stream:
            order.extend(item.id for item in stream)

    def short_run() -> None:
        ready.wait()
        result = system.dispatch.run([(100, gates[100])], module="tasks", function="through_gates")
        order.extend(ids(result))

    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(long_run), threads.submit(short_run)]
        gates.wait_begun(0)
        gates.wait_begun(1)
        ready.wait()
        while system.statistics().pools["default"].pool.waiting < 1:  # type: ignore[union-attr]
            pass
        gates.open(0)
        gates.wait_begun(100)  # as 1 and 100 hold both workers now, nothing of the long run was given in between
        assert gates.begun(3) == []
        gates.open(100, *range(1, 20))
        for run in runs:
            run.result(20)
    assert sorted(order) == [0, *range(20)]


def test_many_runs_at_once_each_get_their_own_results(system: System) -> None:
    def one(number: int) -> None:
        results = system.dispatch.run(
            (lazily if number % 2 else list)(range(number, number + 200)),
            module="tasks",
            function="double",
            batch_size=1 + number,
            max_in_flight=1 + number % 3,
        )
        assert payloads(results) == [2 * i for i in range(number, number + 200)]

    with ThreadPoolExecutor(12) as threads:
        for run in [threads.submit(one, number) for number in range(24)]:
            run.result(60)


def test_max_in_flight_bounds_the_workers_that_a_run_occupies(system: System, gates: Gates) -> None:
    given = [(i, gates[i]) for i in range(4)]
    with (
        system.dispatch.stream(
            given, module="tasks", function="through_gates", batch_size=1, max_in_flight=1, prefetch=3
        ) as stream,
        ThreadPoolExecutor(1) as threads,
    ):
        results = threads.submit(list, stream)
        gates.wait_begun(0)
        # A run of its own gets the worker that is left, in spite of three batches that wait.
        assert payloads(system.dispatch.run([1], module="tasks", function="double")) == [2]
        assert [gates.begun(i) for i in (1, 2, 3)] == [[], [], []]
        gates.open(*range(4))
        assert ids(results.result(20)) == [0, 1, 2, 3]


def test_session_finds_its_store_again_and_another_one_does_not(system: System) -> None:
    mine, other = Context.new(session_id="mine"), Context.new(session_id="other")

    def count(context: Context | None) -> list[Any]:
        return payloads(system.dispatch.run([0, 0], module="tasks", function="counts", context=context))

    # The hint leads back to the worker that has the store, as it is idle.
    assert [count(mine)[0], count(mine)[0], count(other)[0], count(mine)[0]] == [2, 4, 2, 6]
    assert count(None) == count(None) == [2, 2]


def test_a_worker_forgets_the_store_of_a_generated_session(system: System) -> None:
    context = Context.new()
    first = system.dispatch.run([0], module="tasks", function="counts", context=context, max_in_flight=1)
    # The same generated id again: its stores went with the first run, whichever worker has the second.
    second = system.dispatch.run([0], module="tasks", function="counts", context=context, max_in_flight=1)
    assert payloads(first) == payloads(second) == [1]
