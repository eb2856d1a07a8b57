"""The Batcher as a role, without threads: a collector that writes down what it receives, and a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors import Item, PayloadError, Route, StrategyError
from slither_actors.option_parsing import parse_options
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.input.unsendable import take_out
from slither_actors.runs.messages import AskRoute, BatchesReady, InputEnd, RebuildBatch, Routed, SourceEnded, Split
from slither_actors.runs.run import Run
from slither_actors.strategies import KeyPartition, Strategy, WeightedBatch
from slither_actors.wire.codec import decode


class Bench:
    """A Batcher with everything around it played by the test."""

    def __init__(self, *, encode: bool = True, budget: int | None = None, **options: Any) -> None:
        if "command" not in options:
            options = {"module": "m", "function": "f", **options}
        self.options = parse_options(options)
        self.options.settle(8)
        self.run = Run(self.options, None)  # type: ignore[arg-type]  # nothing here is scheduled
        self.told: list[Any] = []
        collector: Any = SimpleNamespace(tell=self.told.append)
        self.run.start(RunQueue(max_in_flight=1, ahead=True, timeout=None), collector)
        self.woken = self.freed = 0
        producer: Any = SimpleNamespace(wake=self._wake)
        self.run.producer = producer
        if budget is not None:
            self.run.budget = ByteBudget(budget, self._free)
        self.now = 100.0
        encoder = RequestEncoder(self.options, Target) if encode else None
        self.batcher = Batcher(self.run, encoder, lambda: self.now)

    def _wake(self) -> None:
        self.woken += 1

    def _free(self) -> None:
        self.freed += 1

    def feed(self, *entries: Any) -> None:
        self.run.credit.pulled += len(entries)
        self.batcher.feed(list(entries))

    def finish(self, error: BaseException | None = None) -> None:
        self.run.source_done = True
        self.batcher.finish(SourceEnded(error))

    @property
    def batches(self) -> list[Batch]:
        return [batch for message in self.told if isinstance(message, BatchesReady) for batch in message.batches]

    def shape(self) -> list[list[int]]:
        return [list(batch.positions) for batch in self.batches]

    def deliver(self, batch: Batch) -> None:
        self.run.undelivered.pop(batch.ref)
        self.run.credit.returned += batch.count
        if self.run.budget is not None:
            self.run.budget.change(-batch.encoded)
        self.batcher.look()


def ended(bench: Bench) -> InputEnd:
    ready = [message for message in bench.told if isinstance(message, BatchesReady)]
    (end,) = [message.input_end for message in ready if message.input_end is not None]
    assert bench.told[-1].input_end is end
    return end


# --- strategies and positions


def test_bare_payloads_are_encoded_without_being_wrapped() -> None:
    bench = Bench(batch_size=3)
    bench.feed(10, 11)
    assert bench.batches == []
    bench.feed(12, 13, 14, 15, 16)
    bench.finish()
    assert bench.shape() == [[0, 1, 2], [3, 4, 5], [6]]
    assert [decode(batch.body) for batch in bench.batches] == [[10, 11, 12], [13, 14, 15], [16]]
    assert all(batch.bare and batch.encoded == len(batch.body) for batch in bench.batches)
    assert [batch.ref for batch in bench.batches] == [1, 2, 3]
    assert bench.run.undelivered == {batch.ref: batch for batch in bench.batches}
    assert ended(bench).total == 7


def test_bare_payloads_among_items_get_their_positions_as_ids() -> None:
    bench = Bench(batch_size=2)
    bench.feed(10, Item("x", 11), Item("y", 12), Item("z", 13), 14, 15)
    assert [batch.ids() for batch in bench.batches] == [[0, "x"], ["y", "z"], [4, 5]]
    assert [batch.bare for batch in bench.batches] == [False, False, True]


def test_batches_of_keys_have_the_positions_of_their_items() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload % 2, batch_size=2)
    bench.feed(1, 2, 3, 5, 4, 6)
    bench.finish()
    assert bench.shape() == [[0, 2], [1, 4], [3], [5]]
    assert [batch.ids() for batch in bench.batches] == [[0, 2], [1, 4], [3], [5]]


def test_a_whole_input_strategy_decides_the_positions() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload % 2)
    bench.feed(1, 2, 3, 4, 5)
    assert bench.batches == []
    bench.finish()
    assert bench.shape() == [[0, 1], [2, 3, 4]]
    assert [batch.payloads() for batch in bench.batches] == [[2, 4], [1, 3, 5]]


def test_equal_ids_are_told_apart_by_the_objects() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload % 2, batch_size=2)
    bench.feed(Item("a", 0), Item("a", 1), Item("a", 3), Item("a", 2))
    assert {p: payload for b in bench.batches for p, payload in zip(b.positions, b.payloads(), strict=True)} == {
        0: 0,
        1: 1,
        2: 3,
        3: 2,
    }


class Giving(Strategy):
    """Gives what the test's function makes of what it holds."""

    def __init__(self, give: Callable[[list[Item]], Any], at: int = 4) -> None:
        self.give, self.at = give, at
        self.held: list[Item] = []

    def add(self, item: Item) -> Any:
        self.held.append(item)
        return self.flush() if len(self.held) == self.at else []

    def flush(self) -> Any:
        held, self.held = self.held, []
        return self.give(held) if held else []


def test_items_come_in_input_order_for_any_order_in_the_batch() -> None:
    bench = Bench(strategy=Giving(lambda held: [held[::-1]]))
    bench.feed(0, 1, 2, 3)
    assert bench.shape() == [[0, 1, 2, 3]]
    assert bench.batches[0].payloads() == [0, 1, 2, 3]


def test_item_that_strategy_changed_keeps_its_place_by_its_id() -> None:
    bench = Bench(strategy=Giving(lambda held: [[item.update_payload("new") for item in held]]))
    bench.feed(0, 1, 2, 3)
    assert bench.shape() == [[0, 1, 2, 3]]


def test_empty_batches_are_passed_over() -> None:
    bench = Bench(strategy=Giving(lambda held: [[], held, ()]))
    bench.feed(0, 1, 2, 3)
    assert bench.shape() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("give", "ids"),
    [
        (lambda held: [held + held[:1]], [0]),
        (lambda held: [held[:2], held[1:]], [1]),
        (lambda held: [[*held, Item("new", 1)]], ["new"]),
        (lambda held: [["no item"]], [None]),
        (lambda held: [held[0]], []),
        (lambda held: held, []),
    ],
    ids=["twice in a batch", "in two batches", "an unknown one", "no item", "an item for a batch", "items for batches"],
)
def test_a_strategy_that_breaks_its_contract_is_named(give: Any, ids: list[Any]) -> None:
    bench = Bench(strategy=Giving(give))
    with pytest.raises(StrategyError, match="Giving") as caught:
        bench.feed(0, 1, 2, 3)
    assert caught.value.ids == ids


def test_a_strategy_that_holds_items_after_flush_is_named() -> None:
    bench = Bench(strategy=Giving(lambda held: [held[:-1]]))
    bench.feed(0, 1, 2, 3)
    with pytest.raises(StrategyError, match="after flush Giving still holds 1 items") as caught:
        bench.finish()
    assert caught.value.ids == [3]


def test_an_unhashable_id_is_named_with_all_that_was_not_fed() -> None:
    bench = Bench(strategy=WeightedBatch)
    with pytest.raises(StrategyError, match="cannot be hashed"):
        bench.feed(Item("a", 1), Item(["b"], 2), Item("c", 3))
    assert bench.batcher.held_ids() == ["a", ["b"], "c"]


@pytest.mark.parametrize("strategy", ["fixed", "weighted"])
def test_what_the_strategy_holds_can_be_named(strategy: str) -> None:
    bench = Bench(**({"batch_size": 4} if strategy == "fixed" else {"strategy": WeightedBatch, "max_weight": 4}))
    bench.feed(*range(4), Item("x", 1), 5)
    assert bench.batcher.inside == 2
    assert bench.batcher.held_ids() == ["x", 5]


@given(
    st.integers(1, 7),
    st.lists(st.integers(0, 9), max_size=60),
    st.lists(st.integers(1, 20), min_size=1, max_size=20),
    st.sampled_from(["fixed", "weighted", "keyed", "whole"]),
)
def test_each_item_is_in_one_batch_and_each_position_taken_once(
    size: int, payloads: list[int], chunks: list[int], kind: str
) -> None:
    options: dict[str, Any] = {
        "fixed": {"batch_size": size},
        "weighted": {"strategy": WeightedBatch, "weight_fn": lambda item: item.payload, "max_weight": 3 * size},
        "keyed": {"strategy": KeyPartition, "key_fn": lambda item: item.payload % 3, "batch_size": size},
        "whole": {"strategy": KeyPartition, "key_fn": lambda item: item.payload % 3},
    }[kind]
    bench = Bench(**options)
    rest = list(payloads)
    while rest:
        count = chunks[len(rest) % len(chunks)]
        bench.feed(*rest[:count])
        for batch in list(bench.run.undelivered.values()):  # a consumer that keeps up, so that nothing starves
            bench.deliver(batch)
        del rest[:count]
    bench.finish()
    assert sorted(p for batch in bench.batches for p in batch.positions) == list(range(len(payloads)))
    if kind != "whole":
        assert all(
            payload == payloads[p]
            for batch in bench.batches
            for p, payload in zip(batch.positions, batch.payloads(), strict=True)
        )
    assert sorted(payload for batch in bench.batches for payload in batch.payloads()) == sorted(payloads)
    assert bench.batcher.inside == 0
    assert ended(bench).total == len(payloads)


# --- linger


def test_linger_is_measured_from_the_first_item_of_open_batch() -> None:
    bench = Bench(batch_size=3, linger=2.0)
    assert bench.batcher.lingers_until() is None
    bench.feed(0)
    bench.now += 1
    bench.feed(1)
    assert bench.batcher.lingers_until() == 102.0
    bench.now = 101.9
    bench.batcher.on_linger()
    assert bench.batches == []
    bench.now = 102.0
    bench.batcher.on_linger()
    assert bench.shape() == [[0, 1]]
    assert bench.batcher.lingers_until() is None
    bench.now = 200.0
    bench.feed(2, 3, 4, 5)  # a full one, and one item more, which came now
    assert bench.shape() == [[0, 1], [2, 3, 4]]
    assert bench.batcher.lingers_until() == 202.0


def test_linger_releases_the_open_batch_with_oldest_item_only() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload % 2, batch_size=9, linger=2.0)
    bench.feed(1, 3)
    bench.now += 1
    bench.feed(2)
    bench.now += 1
    bench.batcher.on_linger()
    assert bench.shape() == [[0, 1]]
    assert bench.batcher.lingers_until() == 103.0
    bench.now += 1
    bench.batcher.on_linger()
    assert bench.shape() == [[0, 1], [2]]


# --- starvation


def test_the_oldest_batch_is_released_when_credit_is_used_up() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload, batch_size=4, max_in_flight=1, prefetch=0)
    bench.feed(0, 1, 2)
    assert bench.batches == []
    bench.feed(3)  # the window of one batch of four is used up
    assert bench.shape() == [[0]]
    bench.deliver(bench.batches[0])
    assert bench.shape() == [[0]]  # one item may be pulled again, so it may yet fill up
    bench.feed(0)
    assert bench.shape() == [[0], [1]]


def test_a_batch_is_not_released_while_older_item_is_under_way() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload, batch_size=2, max_in_flight=2, prefetch=0)
    bench.feed(0, 0, 1, 2)
    assert bench.shape() == [[0, 1]]
    assert bench.run.starving
    bench.deliver(bench.batches[0])
    bench.feed(3, 4)
    assert bench.shape() == [[0, 1], [2]]


def test_a_window_sized_by_the_strategy_grows_before_a_release() -> None:
    bench = Bench(strategy=WeightedBatch, weight_fn=lambda item: 0.001, max_weight=1, max_in_flight=1, prefetch=0)
    for start in range(0, 1024, 64):
        bench.feed(*range(start, start + 64))
    assert bench.woken > 0
    assert len(bench.batches) == 1
    assert bench.batches[0].count > 900


def test_a_strategy_whose_release_gives_nothing_is_named() -> None:
    class Mean(Giving):
        batch_size = 4

        def release(self) -> Any:
            return []

    bench = Bench(strategy=Mean(lambda held: [held], at=99), max_in_flight=1, prefetch=0)
    with pytest.raises(StrategyError, match=r"Mean\.release gave nothing"):
        bench.feed(0, 1, 2, 3)


def test_nothing_is_released_once_the_source_has_ended() -> None:
    bench = Bench(strategy=KeyPartition, key_fn=lambda item: item.payload, batch_size=4, max_in_flight=1, prefetch=0)
    bench.run.source_done = True
    bench.feed(0, 1, 2, 3)
    assert bench.batches == []


# --- bytes


def test_a_full_budget_holds_back_all_but_the_first() -> None:
    bench = Bench(batch_size=1, budget=100)
    bench.feed(b"x" * 500, b"y" * 500, b"z" * 500)
    assert bench.shape() == [[0]]
    bench.finish()
    assert not any(isinstance(message, InputEnd) for message in bench.told)
    bench.deliver(bench.batches[0])
    assert bench.freed == 1
    assert bench.shape() == [[0], [1]]
    bench.deliver(bench.batches[1])
    assert bench.shape() == [[0], [1], [2]]
    assert ended(bench).total == 3


def test_the_batch_that_all_wait_for_is_admitted_however_full() -> None:
    # Odd ones first: their results wait for the even one, which the budget must not hold back.
    bench = Bench(strategy=Giving(lambda held: [held[1::2], held[::2]], at=4), budget=10)
    bench.feed(*[b"x" * 50] * 4)
    assert bench.shape() == [[1, 3], [0, 2]]


# --- rebuilt


def made_anew(bench: Bench) -> list[Batch]:
    message = bench.told[-1]
    assert isinstance(message, BatchesReady)
    return list(message.batches)


def one_batch(bare: bool = True, **options: Any) -> tuple[Bench, Batch]:
    bench = Bench(batch_size=5, **options)
    bench.feed(*(range(5) if bare else [Item(f"id{i}", i) for i in range(5)]))
    (batch,) = bench.batches
    batch.attempt = 2
    batch.avoid = 1
    return bench, batch


@pytest.mark.parametrize("bare", [True, False])
def test_split_makes_two_halves_at_their_first_attempt(bare: bool) -> None:
    bench, batch = one_batch(bare)
    bench.batcher.rebuild(Split(batch, batch.count // 2))
    first, second = made_anew(bench)
    assert [list(first.positions), list(second.positions)] == [[0, 1], [2, 3, 4]]
    assert [decode(first.body), decode(second.body)] == [[0, 1], [2, 3, 4]]
    assert (first.attempt, second.attempt, first.avoid) == (1, 1, 1)
    assert list(bench.run.undelivered.values()) == [first, second]
    assert first.ref != second.ref != batch.ref


def test_remake_takes_some_items_with_the_attempt_asked_for() -> None:
    bench, batch = one_batch()
    bench.batcher.rebuild(RebuildBatch(batch, [1, 3], 3))
    (part,) = made_anew(bench)
    assert (list(part.positions), part.attempt, decode(part.body)) == ([1, 3], 3, [1, 3])
    assert list(bench.run.undelivered) == [part.ref]


def test_remade_batches_are_counted_in_the_budget() -> None:
    bench, batch = one_batch(budget=10_000)
    assert bench.run.budget is not None
    bench.run.budget.change(-batch.encoded)
    bench.batcher.rebuild(Split(batch, batch.count // 2))
    assert bench.run.budget.held == sum(part.encoded for part in made_anew(bench))


def test_ask_route_gives_what_the_function_returns() -> None:
    bench, batch = one_batch()
    errors = [ValueError("one"), ValueError("three")]
    bench.batcher.rebuild(AskRoute(batch, [1, 3], errors, Route(lambda item, reason: item.update_payload(str(reason)))))
    message = bench.told[-1]
    assert isinstance(message, Routed)
    assert message.items == [Item(1, "one"), Item(3, "three")]
    assert list(message.positions) == [1, 3]


# --- encoding


def test_an_item_that_has_no_form_on_wire_is_a_batch_of_its_own() -> None:
    bench = Bench(batch_size=2)
    bench.feed(Item("a", 1), Item("b", [1, object()]), 5, 6)
    sibling, other, bad = bench.batches
    assert isinstance(bad.error, PayloadError)
    assert (bad.error.item_id, bad.error.path) == ("b", "[1]")
    assert [list(batch.positions) for batch in bench.batches] == [[0], [2, 3], [1]]
    assert (sibling.error, other.error) == (None, None)
    assert decode(sibling.body) == [1]
    assert set(bench.run.undelivered) == {batch.ref for batch in bench.batches}


@pytest.mark.parametrize("budget", [None, 10])
@pytest.mark.parametrize("executor", [{}, {"command": "c"}])
def test_several_bad_items_leave_one_batch_of_their_siblings(budget: int | None, executor: dict[str, Any]) -> None:
    bench = Bench(batch_size=6, budget=budget, **executor)
    bench.feed(0, object(), 2, {3: object()}, 4, 5)
    good, *bad = bench.batches
    assert [list(batch.positions) for batch in (good, *bad)] == [[0, 2, 4, 5], [1], [3]]
    assert decode(good.body) in ([0, 2, 4, 5], {"items": [0, 2, 4, 5]})
    assert [(batch.error.item_id, batch.error.path) for batch in bad] == [(1, ""), (3, "[3]")]  # type: ignore[union-attr]


def test_a_batch_of_bad_items_only_has_no_request() -> None:
    bench = Bench(batch_size=2)
    bench.feed(object(), object())
    assert [(list(batch.positions), type(batch.error)) for batch in bench.batches] == [
        ([0], PayloadError),
        ([1], PayloadError),
    ]


def test_an_item_over_max_frame_is_taken_out() -> None:
    options = parse_options({"module": "m", "function": "f"})
    run_queue = RunQueue(max_in_flight=1, ahead=True, timeout=None)
    options.settle(1)
    encoder = RequestEncoder(options, Target, max_frame=1000)
    run = Run(options, None)  # type: ignore[arg-type]
    encoder.take_out = lambda batch, errors: take_out(run, batch, errors)
    entries = ["a", "b" * 2000, "c"]
    large = Batch(run_queue, 1, 3, encoder.target, encoder.side, positions=range(3), entries=entries, bare=True)
    many = Batch(
        run_queue, 2, 3, encoder.target, encoder.side, positions=range(3, 6), entries=["d" * 500] * 3, bare=True
    )
    encoder.encode(batches := [large, many])
    assert (large.error, list(large.positions), decode(large.body)) == (None, [0, 2], ["a", "c"])
    assert [batch.error.item_id for batch in batches[2:]] == [1]  # type: ignore[union-attr]
    assert isinstance(many.error, PayloadError)
    assert many.error.item_id is None
    assert "use smaller batches" in many.error.reason


def test_a_commands_payload_is_named_by_its_place_in_the_items() -> None:
    options = parse_options({"command": "score", "batch_size": 2})
    run_queue = RunQueue(max_in_flight=1, ahead=True, timeout=None)
    batch = Batch(run_queue, 1, 1, positions=range(1, 2), entries=[{"k": object()}], bare=True)
    RequestEncoder(options, Target).encode([batch])
    assert isinstance(batch.error, PayloadError)
    assert (batch.error.item_id, batch.error.path) == (1, "['k']")


def test_an_inline_runs_batches_are_not_encoded() -> None:
    payload = object()
    bench = Bench(batch_size=1, encode=False)
    bench.feed(payload)
    assert bench.batches[0].entries == [payload]
    assert bench.batches[0].body == b""


def test_batches_are_told_in_chunks_so_that_first_leave_early() -> None:
    bench = Bench(batch_size=1)
    bench.feed(*range(20))
    sizes: Sequence[int] = [len(message.batches) for message in bench.told]
    assert sizes == [8, 8, 4]
