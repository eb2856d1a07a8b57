"""The input that a consumer plays itself: step by step, with a Collector that only keeps its messages."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from support.a_run import a_run, started

from slither_actors.pools.assignment.target import Target
from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.memory_input import MemoryInput
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import BatchesReady, InputEnd, RunFailed, Split
from slither_actors.runs.run import Run
from slither_actors.strategies import KeyPartition


class Bench:
    """A started run, and its input."""

    def __init__(self, items: Iterable[Any], at_a_time: int = 100, **options: Any) -> None:
        self.run = a_run(**options)
        self.made: list[Batcher] = []
        self.input = MemoryInput(self.run, items, self._make, at_a_time)
        self.collector = started(self.run)

    def _make(self, run: Run) -> Batcher:
        self.made.append(Batcher(run, RequestEncoder(run.options, Target)))
        return self.made[0]

    def came(self) -> tuple[list[list[Any]], list[InputEnd]]:
        """Return the entries of the batches that came, and how the input ended."""
        messages = self.collector.take()
        assert all(isinstance(message, BatchesReady) for message in messages)
        ends = [message.input_end for message in messages if message.input_end is not None]
        return [batch.entries for message in messages for batch in message.batches], ends

    def failure(self) -> BaseException:
        """Return what ended the run."""
        (failed,) = self.collector.take()
        assert isinstance(failed, RunFailed)
        return failed.error


def test_the_batcher_is_made_and_nothing_is_pulled() -> None:
    source = itertools.count()
    bench = Bench(source, batch_size=1)
    bench.input.start()
    assert len(bench.made) == 1
    assert (next(source), bench.collector.take(), bench.run.credit.pulled) == (0, [], 0)
    assert bench.input.ended()


def test_one_step_pulls_so_many_and_asks_for_another() -> None:
    source = itertools.count()
    bench = Bench(source, at_a_time=4, batch_size=2, max_in_flight=2, prefetch=3)
    assert bench.input.refill()
    assert (bench.came(), bench.run.credit.pulled) == (([[0, 1], [2, 3]], []), 4)
    assert bench.input.refill()
    assert not bench.input.refill()  # the window of ten is full
    assert (bench.came(), bench.run.credit.pulled) == (([[4, 5], [6, 7], [8, 9]], []), 10)
    assert not bench.input.refill()
    assert next(source) == 10
    bench.run.credit.returned += 2
    assert not bench.input.refill()
    assert bench.came() == ([[11, 12]], [])


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_the_end_comes_once_with_the_last_batches(count: int) -> None:
    bench = Bench(range(count), at_a_time=2, batch_size=2, max_in_flight=2, prefetch=10)
    steps = 0
    while bench.input.refill():
        assert not bench.run.source_done
        steps += 1
    assert steps == count // 2
    assert bench.run.source_done
    batches, ends = bench.came()
    assert [entry for batch in batches for entry in batch] == list(range(count))
    assert ends == [InputEnd(count, None)]
    assert not bench.input.refill()
    bench.input.serve(None)
    assert bench.came() == ([], [])


def test_what_a_source_gave_before_it_raised_is_kept() -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise LookupError("no more")

    bench = Bench(source(), batch_size=2, prefetch=10)
    assert not bench.input.refill()
    batches, (end,) = bench.came()
    assert (batches, end.total, type(end.error)) == ([[0, 1], [2]], 3, LookupError)
    assert bench.run.credit.pulled == 3
    assert not bench.input.refill()
    assert bench.came() == ([], [])


def test_a_source_that_ends_the_program_ends_the_run() -> None:
    def source() -> Iterator[int]:
        yield 0
        raise SystemExit(3)

    bench = Bench(source(), batch_size=2)
    assert not bench.input.refill()
    assert isinstance(bench.failure(), SystemExit)
    assert bench.run.source_done


def interrupted() -> Iterator[int]:
    yield 0
    raise KeyboardInterrupt


def test_an_interrupt_while_it_pulls_is_the_callers() -> None:
    bench = Bench(interrupted(), batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        bench.input.refill()
    assert (bench.collector.take(), bench.run.source_done) == ([], False)


def test_an_interrupt_in_a_strategy_is_the_callers() -> None:
    keys = {"strategy": KeyPartition, "key_fn": lambda item: next(interrupt)}
    bench = Bench(itertools.count(), at_a_time=1, batch_size=1, **keys)
    interrupt = interrupted()
    next(interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.input.refill()
    assert (bench.collector.take(), bench.run.source_done) == ([], False)


def time_limit(signal: int, frame: object) -> None:
    """Raise as a signal handler does: it gets the frame that it interrupts."""
    raise TimeoutError("the caller's own limit")


def test_a_time_limit_while_it_pulls_is_the_callers() -> None:
    def source() -> Iterator[int]:
        yield 0
        time_limit(14, sys._getframe())

    bench = Bench(source(), batch_size=2)
    with pytest.raises(TimeoutError):
        bench.input.refill()
    assert (bench.collector.take(), bench.run.source_done) == ([], False)


def test_a_strategy_that_raises_ends_the_run_and_the_input() -> None:
    source = itertools.count()
    bench = Bench(source, at_a_time=1, strategy=KeyPartition, key_fn=lambda item: 1 / 0, batch_size=4)
    assert not bench.input.refill()
    error = bench.failure()
    assert "strategy KeyPartition failed" in str(bench.run.ending.blamed(error))
    assert bench.run.source_done
    assert not bench.input.refill()
    assert next(source) == 1
    assert bench.input.leftover() == [0]


def test_a_closed_run_is_pulled_no_further() -> None:
    source = itertools.count()
    bench = Bench(source, batch_size=1)
    bench.run.ending.closed = True
    assert not bench.input.refill()
    assert (bench.collector.take(), next(source)) == ([], 0)


def test_a_run_that_halts_is_pulled_no_further() -> None:
    source = itertools.count()
    bench = Bench(source, at_a_time=2, batch_size=1, prefetch=10)
    assert bench.input.refill()
    bench.collector.take()
    bench.run.source_done = True  # by the Collector, which finishes what comes before the failure
    assert not bench.input.refill()
    bench.input.serve(None)
    assert (bench.collector.take(), next(source)) == ([], 2)


# --- what the Collector asks for


def one_batch() -> tuple[Bench, Batch]:
    """Return an input that has made one batch, whose source goes on."""
    bench = Bench(itertools.count(), at_a_time=4, batch_size=4)
    bench.input.refill()
    (ready,) = bench.collector.take()
    return bench, ready.batches[0]


def test_a_request_of_the_collector_goes_to_the_batcher() -> None:
    bench, batch = one_batch()
    bench.input.serve(Split(batch, 1))
    (ready,) = bench.collector.take()
    assert (ready.parent, [part.entries for part in ready.batches]) == (batch.ref, [[0], [1, 2, 3]])


def test_a_request_that_fails_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def rebuild(request: object) -> None:
        raise MemoryError

    bench, batch = one_batch()
    monkeypatch.setattr(bench.made[0], "rebuild", rebuild)
    bench.input.serve(Split(batch, 1))
    assert isinstance(bench.failure(), MemoryError)


def test_room_for_bytes_is_used_as_credit_is() -> None:
    bench = Bench(itertools.count(), at_a_time=2, batch_size=1, prefetch=1, max_in_flight=2)
    bench.input.serve(None)
    assert bench.came() == ([[0], [1]], [])
    bench.input.serve(None)
    assert bench.came() == ([[2]], [])


@pytest.mark.parametrize("prefetch", [1, 10], ids=["no credit", "no source"])
def test_batches_that_wait_for_bytes_go_when_there_is_room(prefetch: int) -> None:
    bench = Bench([b"x" * 50] * 3, batch_size=1, max_in_flight=2, prefetch=prefetch)
    bench.run.budget = budget = ByteBudget(40, lambda: None)
    bench.input.refill()
    assert len(bench.came()[0]) == 1
    first = bench.run.undelivered.pop(1)
    budget.change(-first.encoded)
    assert not bench.input.refill()
    assert bench.came() == ([[b"x" * 50]], [])
    second = bench.run.undelivered.pop(2)
    budget.change(-second.encoded)
    bench.input.serve(None)
    batches, ends = bench.came()
    assert (batches, len(ends)) == ([[b"x" * 50]], int(prefetch == 10))


# --- what is left


def test_what_is_in_no_batch_is_named() -> None:
    bench = Bench(itertools.count(), at_a_time=3, strategy=KeyPartition, key_fn=lambda item: item.id % 2, batch_size=2)
    bench.input.refill()
    (ready,) = bench.collector.take()
    assert [batch.ids() for batch in ready.batches] == [[0, 2]]
    assert bench.input.leftover() == [1]


def test_a_strategy_that_cannot_be_asked_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([1])

    def broken() -> list[Any]:
        raise LookupError("broken")

    def interrupted() -> list[Any]:
        time_limit(14, sys._getframe())
        return []

    monkeypatch.setattr(bench.made[0], "held_ids", broken)
    assert bench.input.leftover() == []
    monkeypatch.setattr(bench.made[0], "held_ids", interrupted)
    with pytest.raises(TimeoutError):
        bench.input.leftover()


def test_closing_it_closes_the_batcher(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, closed = Bench([1]), []
    monkeypatch.setattr(bench.made[0], "close", lambda: closed.append(True))
    bench.input.close()
    assert closed == [True]
