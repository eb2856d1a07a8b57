"""From made batches to what the Collector receives; the size of each request is chosen by the test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from support.a_run import Recorder, a_batch, a_run, started

from slither_actors import Item, PayloadError, Route
from slither_actors.pools.assignment.target import Target
from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.input.batch_sender import BatchSender
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.input.unsendable import take_out
from slither_actors.runs.messages import AskRoute, BatchesReady, InputEnd, RebuildBatch, Routed, Split
from slither_actors.wire.codec import decode


class FakeEncoder:
    """Gives each item ten bytes, and makes two batches of one whose first payload is to be taken out."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.closed = False
        self.take_out: dict[int, Batch] = {}

    def encode(self, batches: list[Batch]) -> None:
        self.calls.append([batch.ref for batch in batches])
        batches += [self.take_out.pop(batch.ref) for batch in list(batches) if batch.ref in self.take_out]
        for batch in batches:
            batch.encoded = 10 * batch.count

    def close(self) -> None:
        self.closed = True


class Bench:
    """A sender, between a run and its Collector."""

    def __init__(self, *, budget: int | None = None, encodes: bool = True) -> None:
        self.run = a_run(batch_size=4)
        self.collector: Recorder = started(self.run)
        if budget is not None:
            self.run.budget = ByteBudget(budget, lambda: None)
        self.encoder = FakeEncoder()
        encoder: Any = self.encoder if encodes else None
        self.sender = BatchSender(self.run, encoder)

    def made(self, *positions: int) -> Batch:
        """Add a batch to the backlog."""
        batch = a_batch(self.run, positions)
        self.sender.backlog.append(batch)
        return batch

    def flush(self) -> list[BatchesReady]:
        """Flush; return what the Collector got."""
        self.sender.flush()
        return self.collector.take()

    def delivered(self, batch: Batch) -> None:
        """Take a batch out of what is under way, as the consumer does."""
        del self.run.undelivered[batch.ref]
        assert self.run.budget is not None
        self.run.budget.change(-batch.encoded)


# --- without a budget


@pytest.mark.parametrize("encodes", [True, False])
def test_the_whole_backlog_goes_in_one_message(encodes: bool) -> None:
    bench = Bench(encodes=encodes)
    batches = [bench.made(0, 1), bench.made(2)]
    assert bench.flush() == [BatchesReady(batches)]
    assert bench.encoder.calls == ([[1, 2]] if encodes else [])
    assert bench.sender.backlog == []
    assert bench.flush() == []


def test_what_was_taken_out_of_a_batch_goes_with_it() -> None:
    bench = Bench()
    batch, alone = bench.made(0), a_batch(bench.run, [1])
    bench.encoder.take_out[batch.ref] = alone
    assert bench.flush() == [BatchesReady([batch, alone])]


def test_the_list_of_the_backlog_stays_the_same() -> None:
    bench = Bench()
    backlog = bench.sender.backlog
    bench.made(0)
    bench.flush()
    assert bench.sender.backlog is backlog


@pytest.mark.parametrize("with_batch", [True, False])
def test_the_end_of_the_input_goes_once_with_the_last(with_batch: bool) -> None:
    bench = Bench()
    batches = [bench.made(0)] if with_batch else []
    bench.sender.input_end = end = InputEnd(1, LookupError())
    assert bench.flush() == [BatchesReady(batches, None, end)]
    assert bench.sender.input_end is None
    assert bench.flush() == []


def test_closing_it_closes_the_encoder() -> None:
    bench = Bench()
    bench.sender.close()
    assert bench.encoder.closed
    Bench(encodes=False).sender.close()


# --- within a budget


def test_batches_are_encoded_one_by_one_up_to_the_budget() -> None:
    bench = Bench(budget=20)
    batches = [bench.made(position) for position in range(5)]
    assert bench.flush() == [BatchesReady(batches[:3])]  # a budget is over when it is exceeded
    assert bench.encoder.calls == [[1], [2], [3]]
    assert bench.sender.backlog == batches[3:]
    assert bench.run.budget is not None
    assert bench.run.budget.held == 30
    assert bench.flush() == []
    bench.delivered(batches[0])
    assert bench.flush() == [BatchesReady(batches[3:4])]


def test_the_end_waits_for_what_has_no_room() -> None:
    bench = Bench(budget=5)
    first, last = bench.made(0), bench.made(1)
    bench.sender.input_end = end = InputEnd(2, None)
    assert bench.flush() == [BatchesReady([first])]
    assert bench.sender.input_end is end
    bench.delivered(first)
    assert bench.flush() == [BatchesReady([last], None, end)]


def test_the_oldest_of_all_is_admitted_however_full() -> None:
    bench = Bench(budget=5)
    odd, later, oldest = bench.made(1, 3), bench.made(4), bench.made(0, 2)
    assert bench.flush() == [BatchesReady([odd, oldest])]
    assert bench.sender.backlog == [later]


def test_the_oldest_that_waits_is_held_behind_an_older_one() -> None:
    bench = Bench(budget=5)
    first, last, second = bench.made(0), bench.made(5), bench.made(3)
    assert bench.flush() == [BatchesReady([first])]
    bench.delivered(first)
    bench.run.budget.change(100)  # type: ignore[union-attr]
    assert bench.flush() == [BatchesReady([second])]
    assert bench.sender.backlog == [last]


def test_each_part_of_a_batch_is_counted() -> None:
    bench = Bench(budget=100)
    batch, alone = bench.made(0, 1, 2), a_batch(bench.run, [3])
    bench.encoder.take_out[batch.ref] = alone
    assert bench.flush() == [BatchesReady([batch, alone])]
    budget = bench.run.budget
    assert budget is not None
    # A quarter of the budget, by the size that four items had.
    assert (budget.held, budget.ahead()) == (40, 2)


def test_an_inline_runs_batches_take_none_of_the_budget() -> None:
    bench = Bench(budget=1, encodes=False)
    batches = [bench.made(0), bench.made(1)]
    assert bench.flush() == [BatchesReady(batches)]
    assert bench.run.budget is not None
    assert bench.run.budget.held == 0


# --- rebuilt


def failed(bench: Bench, *positions: int) -> Batch:
    """Return a batch that was sent and has failed at its second attempt, at worker 1."""
    batch = a_batch(bench.run, positions, attempt=2, avoid=1)
    bench.collector.take()
    return batch


@pytest.mark.parametrize(
    ("at", "parts"),
    [(1, [[4], [5, 6]]), (2, [[4, 5], [6]]), (0, [[4, 5, 6]]), (3, [[4, 5, 6]])],
)
def test_a_split_makes_halves_and_no_empty_one(at: int, parts: list[list[int]]) -> None:
    bench = Bench()
    batch = failed(bench, 4, 5, 6)
    bench.sender.rebuild(Split(batch, at, attempt=3))
    (ready,) = bench.collector.take()
    assert [list(part.positions) for part in ready.batches] == parts
    assert {(part.attempt, part.avoid, part.closed_by) for part in ready.batches} == {(3, 1, "split")}
    assert (ready.parent, ready.input_end) == (batch.ref, None)
    assert bench.encoder.calls == [[part.ref for part in ready.batches]]
    assert bench.run.undelivered == {part.ref: part for part in ready.batches}
    assert batch.ref not in bench.run.undelivered


def test_a_retry_makes_one_batch_of_some_items() -> None:
    bench = Bench()
    batch = failed(bench, 4, 5, 6, 7)
    bench.sender.rebuild(RebuildBatch(batch, [1, 3], 5))
    (ready,) = bench.collector.take()
    (part,) = ready.batches
    assert (part.ids(), part.payloads()) == ([5, 7], [50, 70])
    assert (part.attempt, part.avoid, part.closed_by) == (5, 1, "retry")
    assert (ready.parent, list(bench.run.undelivered)) == (batch.ref, [part.ref])


def test_at_no_moment_is_an_item_of_a_rebuilt_batch_in_none() -> None:
    bench = Bench()
    batch = failed(bench, 0, 1)
    seen: list[list[int]] = []
    encode = bench.encoder.encode

    def watched(batches: list[Batch]) -> None:
        seen.append(sorted(bench.run.undelivered))
        encode(batches)

    bench.encoder.encode = watched  # type: ignore[method-assign]
    bench.sender.rebuild(Split(batch, 1))
    assert seen == [[batch.ref, batch.ref + 1, batch.ref + 2]]


def test_rebuilt_batches_are_counted_but_do_not_wait() -> None:
    bench = Bench(budget=5)
    batch = failed(bench, 0, 1)
    budget = bench.run.budget
    assert budget is not None
    budget.change(100)
    bench.sender.rebuild(Split(batch, 1))
    assert len(bench.collector.take()) == 1
    assert budget.held == 120
    inline = Bench(budget=5, encodes=False)
    inline.sender.rebuild(Split(failed(inline, 0, 1), 1))
    assert inline.run.budget is not None
    assert inline.run.budget.held == 0


def test_a_rebuilt_item_without_a_form_on_the_wire_is_alone() -> None:
    run = a_run(batch_size=3)
    collector = started(run)
    encoder = RequestEncoder(run.options, Target)
    encoder.take_out = lambda batch, errors: take_out(run, batch, errors)
    batch = a_batch(run, range(3), entries=[0, object(), 2], attempt=2, target=encoder.target, side=encoder.side)
    BatchSender(run, encoder).rebuild(RebuildBatch(batch, range(3), 3))
    (ready,) = collector.take()
    good, bad = ready.batches
    assert (decode(good.body), good.attempt, bad.attempt) == ([0, 2], 3, 3)
    assert isinstance(bad.error, PayloadError)
    assert set(run.undelivered) == {good.ref, bad.ref}


# --- routed


def test_a_route_is_asked_for_each_failed_item() -> None:
    bench = Bench()
    batch = failed(bench, 4, 5, 6)
    errors: Sequence[Exception] = [LookupError("five"), LookupError("six")]
    asked: list[tuple[Any, Exception]] = []

    def route(item: Item, error: Exception) -> Item:
        asked.append((item.id, error))
        return item.update_payload(str(error))

    bench.sender.rebuild(AskRoute(batch, [1, 2], errors, Route(route)))
    items = [Item(5, "five"), Item(6, "six")]
    assert bench.collector.take() == [Routed(batch, [5, 6], items)]
    assert asked == [(5, errors[0]), (6, errors[1])]
    assert bench.run.undelivered == {batch.ref: batch}
    assert bench.encoder.calls == []


def test_a_route_that_raises_is_blamed_and_sends_nothing() -> None:
    bench = Bench()
    batch = failed(bench, 4, 5)

    def route(item: Item, error: Exception) -> Item:
        raise LookupError("no place")

    with pytest.raises(LookupError) as caught:
        bench.sender.rebuild(AskRoute(batch, [1], [ValueError()], Route(route)))
    assert "the route function failed for item 5" in str(bench.run.ending.blamed(caught.value))
    assert bench.collector.take() == []


def test_a_route_for_other_than_one_error_each_is_refused() -> None:
    bench = Bench()
    batch = failed(bench, 4, 5)
    with pytest.raises(ValueError, match="shorter"):
        bench.sender.rebuild(AskRoute(batch, [0, 1], [ValueError()], Route(lambda item, error: item)))
    assert bench.collector.take() == []
