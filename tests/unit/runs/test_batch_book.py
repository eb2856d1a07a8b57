"""The batch book: each event's effects, and when the run is over. No actor, no clock."""

from __future__ import annotations

from typing import Any

import pytest
from support.a_run import a_batch, a_failure, a_refusal, a_reply, a_run, replied

from slither_actors import BatchTimeout, Item, LoadError, Retry, Route, WorkerCrashed, WorkerError
from slither_actors.errors import PayloadError, QueueTimeout, UnexpectedResponse
from slither_actors.pools.assignment.job import AtItem, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.messages import CancelJobs, Submit
from slither_actors.runs.batch import Batch
from slither_actors.runs.batch_book import BatchBook, Observer, RetryLater, RunEnd, StopInput
from slither_actors.runs.error_policy import Verdict
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.messages import AskRoute, ReadyItems, RebuildBatch, Results, Skipped, Split


class Watcher(Observer):
    """Keeps what it receives."""

    observes_stops = True

    def __init__(self) -> None:
        self.stops: list[int] = []
        self.failures: list[tuple[int, str, str, int]] = []

    def stopped(self, batch: Batch) -> None:
        self.stops.append(batch.ref)

    def failed(self, batch: Batch, error: Exception, verdict: Verdict, items: int) -> None:
        self.failures.append((batch.ref, type(error).__name__, verdict.value, items))


class Bench:
    """A book, and what has come out of it."""

    def __init__(self, *, budget: ByteBudget | None = None, **options: Any) -> None:
        self.run = a_run(**options)
        self.queue = RunQueue(max_in_flight=2, ahead=True, timeout=None)
        self.watcher = Watcher()
        self.book = BatchBook(
            self.run.options, self.run.ledger, self.queue, self.run.undelivered, self.run.next_ref, budget,
            self.watcher, lambda: 1.0,
        )  # fmt: skip

    def batch(self, *positions: int, **fields: Any) -> Batch:
        return a_batch(self.run, positions, **fields)

    def submit(self, *batches: Batch, parent: int | None = None) -> list[Any]:
        self.book.batches_ready(list(batches), parent)
        return self.effects()

    def effects(self) -> list[Any]:
        effects, self.book.effects = self.book.effects, []
        return effects

    def deliveries(self) -> list[Any]:
        deliveries, self.book.deliveries = self.book.deliveries, []
        return deliveries


@pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
def test_replies_are_delivered_and_the_run_ends(ordering: str) -> None:
    bench = Bench(ordering=ordering)
    first, second = bench.batch(0, 1), bench.batch(2)
    assert bench.submit(first, second) == [Submit(bench.queue, [first, second], front=False)]
    bench.book.input_ended(3, None)
    assert bench.book.end() is None
    bench.book.replies([replied(second)])
    assert bench.deliveries() == ([] if ordering == "preserve" else [second])
    assert bench.book.kept_back == (1 if ordering == "preserve" else 0)
    bench.book.replies([replied(first)])
    assert bench.deliveries() == ([first, second] if ordering == "preserve" else [first])
    assert bench.book.end() == RunEnd(None)
    assert (bench.run.ledger.resolved, bench.book.open_batches, bench.watcher.stops) == (3, 0, [2, 1])


def test_an_error_of_the_source_ends_the_run_behind_its_items() -> None:
    bench, error = Bench(), OSError("gone")
    batch = bench.batch(0)
    bench.submit(batch)
    bench.book.input_ended(1, error)
    assert bench.book.end() is None
    bench.book.replies([replied(batch)])
    assert bench.book.end() == RunEnd(error)


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_results_fails_the_batch(count: int) -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0, 1, target=Target("m", "f"))
    bench.submit(batch)
    batch.reply = a_reply([0] * count)
    bench.book.replies([batch])
    (skipped,) = bench.deliveries()
    assert isinstance(skipped, Skipped)
    error = skipped.errors[0]
    assert isinstance(error, UnexpectedResponse)
    assert f"2 items went out, {count} results came back" in str(error)
    assert ("each" in str(error)) == (count == 3)


def test_a_late_reply_of_a_failed_batch_is_dropped() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0)
    bench.submit(batch)
    bench.book.outcome(batch, WorkerCrashed(1))
    assert len(bench.deliveries()) == 1
    bench.book.replies([replied(batch)])
    bench.book.outcome(batch, WorkerCrashed(1))
    assert (bench.deliveries(), bench.effects(), bench.run.ledger.failed) == ([], [], 1)


def test_items_that_fail_alone_leave_results_behind() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0, 1, 2)
    bench.submit(batch)
    bench.book.outcome(batch, a_reply([0, 20], {1: "odd"}))
    results, skipped = bench.deliveries()
    assert isinstance(results, Results)
    assert (list(results.indexes), list(results.positions)) == ([0, 2], [0, 2])
    assert isinstance(skipped, Skipped)
    assert list(skipped.positions) == [1]
    assert isinstance(skipped.errors[0], WorkerError)
    assert list(bench.run.undelivered[batch.ref].positions) == [1]


def test_a_table_of_failures_that_is_none_fails_the_batch() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0, 1)
    bench.submit(batch)
    frame = a_reply([0], {1: "odd"})
    frame.side = b"\xff"
    bench.book.outcome(batch, frame)
    (skipped,) = bench.deliveries()
    assert list(skipped.positions) == [0, 1]


def test_a_plain_reply_behind_others_is_a_reply() -> None:
    bench = Bench()
    batch = bench.batch(0)
    bench.submit(batch)
    bench.book.outcome(batch, a_reply([0]))
    assert bench.deliveries() == [batch]


def test_a_failure_of_the_batch_goes_to_the_policy() -> None:
    bench = Bench(on_error="halt")
    batch = bench.batch(0)
    bench.submit(batch)
    bench.book.outcome(batch, a_failure("no"))
    end = bench.book.end()
    assert end is not None
    assert isinstance(end.error, WorkerError)
    assert end.batch is batch
    assert bench.watcher.failures == [(1, "WorkerError", "halt", 1)]


def test_a_retry_waits_and_sends_the_same_bytes_in_front() -> None:
    bench = Bench(on_error=Retry(3, backoff=2.0))
    batch = bench.batch(0, 1, body=b"bytes")
    bench.submit(batch)
    bench.book.outcome(batch, WorkerCrashed(1))
    (retry,) = bench.effects()
    assert isinstance(retry, RetryLater)
    assert (retry.whole, bench.run.ledger.awaiting_retry, bench.run.ledger.retries) == (True, 2, 1)
    bench.book.retry_due(retry)
    assert bench.effects() == [Submit(bench.queue, [batch], front=True)]
    assert (batch.attempt, batch.body, bench.run.ledger.awaiting_retry) == (2, b"bytes", 0)


def test_what_no_worker_had_time_for_is_sent_behind_the_others() -> None:
    bench = Bench(on_error=Retry(2, split=True))
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, QueueTimeout("p", 1.0))
    (later,) = bench.effects()
    bench.book.retry_due(later)
    assert bench.effects() == [Submit(bench.queue, [batch], front=False)]
    assert batch.attempt == 2


def test_items_that_failed_alone_are_retried_in_a_new_batch() -> None:
    bench = Bench(on_error=Retry(3))
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, a_reply([0], {1: "odd"}))
    (retry,) = bench.effects()
    assert not retry.whole
    bench.book.retry_due(retry)
    assert bench.effects() == [RebuildBatch(batch, [1], 2)]
    assert bench.book.rebuilding == 1
    rebuilt = bench.batch(1)
    assert bench.submit(rebuilt, parent=batch.ref) == [Submit(bench.queue, [rebuilt], front=True)]
    assert bench.book.rebuilding == 0


def test_a_split_asks_for_two_halves() -> None:
    bench = Bench(on_error=Retry(2, split=True, then="skip"))
    batch = bench.batch(0, 1, 2)
    bench.submit(batch)
    bench.book.outcome(batch, WorkerCrashed(1))
    assert bench.effects() == [Split(batch, 1)]
    assert (bench.book.open_batches, bench.book.open_items, bench.book.rebuilding) == (0, 0, 3)


def test_a_charged_item_goes_to_the_policy_and_the_rest_again() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0, 1, 2)
    batch.attempt = 4
    bench.submit(batch)
    bench.book.outcome(batch, AtItem(1, BatchTimeout(3.0, of="item", count=3)))
    (skipped,) = bench.deliveries() or bench.book.held_back()
    assert list(skipped.positions) == [1]
    assert "item 1" in str(skipped.errors[0])
    (split,) = bench.effects()
    assert (split.at, split.attempt, list(split.batch.positions)) == (1, 4, [0, 2])


class Own:
    """A user's executor: the payloads of its requests may be anything."""

    def request(self, batch: Any, context: Any, options: Any) -> Any: ...
    def results(self, batch: Any, reply: Any) -> Any: ...


@pytest.mark.parametrize("options", [{}, {"command": "c"}, {"executor": Own}], ids=["function", "command", "own"])
def test_refused_items_go_to_the_policy_and_the_rest_again(options: dict[str, Any]) -> None:
    bench = Bench(on_error="skip", ordering="as_completed", **options)
    # With `each` the payloads of any executor are those of the items.
    batch = bench.batch(0, 1, 2, 3, target=Target("m", "f", each="executor" in options))
    batch.attempt = 4
    bench.submit(batch)
    bench.book.outcome(batch, a_refusal(batch, 1, 2))
    (skipped,) = bench.deliveries()
    assert list(skipped.positions) == [1, 2]
    assert [(error.kind, error.alone, error.message) for error in skipped.errors] == [
        ("decode", True, "at [1]"),
        ("decode", True, "at [2]"),
    ]
    (split,) = bench.effects()
    assert (split.at, split.attempt, list(split.batch.positions)) == (0, 4, [0, 3])
    assert (bench.run.ledger.failed, bench.run.ledger.retries, bench.book.rebuilding) == (2, 0, 2)


def test_where_a_worker_can_decode_no_item_nothing_is_left() -> None:
    bench = Bench(on_error=Retry(2, backoff=0, then="skip"))
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, a_refusal(batch, 0, 1))
    (again,) = bench.effects()
    assert (again.whole, list(again.indexes)) == (True, [0, 1])
    bench.book.retry_due(again)
    bench.book.outcome(batch, a_refusal(batch, 0, 1))
    assert [list(skipped.positions) for skipped in bench.deliveries()] == [[0, 1]]
    assert bench.book.open_batches == 0


def test_what_is_before_an_item_that_halts_is_executed() -> None:
    bench = Bench(on_error="halt")
    batch = bench.batch(0, 1, 2, 3)
    bench.submit(batch)
    bench.book.outcome(batch, a_refusal(batch, 2))
    (split,) = [effect for effect in bench.effects() if isinstance(effect, Split)]
    parts = [split.batch.subset(range(2), 8), split.batch.subset(range(2, 3), 9)]
    (submit,) = bench.submit(*parts, parent=split.batch.ref)
    assert [list(part.positions) for part in submit.jobs] == [[0, 1]]


def test_what_users_executor_has_sent_fails_as_a_whole() -> None:
    bench = Bench(on_error="skip", executor=Own)
    batch = bench.batch(0, 1, target=Target("m", "f"))
    bench.submit(batch)
    bench.book.outcome(batch, a_refusal(batch, 1))
    assert [list(skipped.positions) for skipped in bench.deliveries()] == [[0, 1]]


def test_a_refusal_that_makes_no_sense_fails_the_batch() -> None:
    bench = Bench(on_error="skip")
    first, second = bench.batch(0, 1), bench.batch(2, 3)
    bench.submit(first, second)
    few = a_refusal(first, 1)
    few.count = 5
    bench.book.outcome(first, few)
    broken = a_refusal(second, 1)
    broken.side = b""
    bench.book.outcome(second, broken)
    one, other = bench.deliveries()
    assert "2 items went out, 6 results came back" in str(one.errors[0])
    assert "does not name them" in str(other.errors[0])


def test_a_timeout_of_an_item_alone_names_it() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(7)
    bench.submit(batch)
    bench.book.outcome(batch, BatchTimeout(3.0, of="item", count=1))
    (skipped,) = bench.deliveries() or bench.book.held_back()
    assert "item 7" in str(skipped.errors[0])


@pytest.mark.parametrize("whole", [True, False])
def test_a_route_is_asked_and_its_items_delivered(whole: bool) -> None:
    bench = Bench(on_error=Route(lambda item, error: item), ordering="as_completed")
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, WorkerCrashed(1) if whole else a_reply([0], {1: "odd"}))
    (ask,) = bench.effects()
    assert isinstance(ask, AskRoute)
    assert list(ask.indexes) == ([0, 1] if whole else [1])
    bench.deliveries()
    items = [Item(index, "routed") for index in ask.indexes]
    bench.book.routed(ask.batch, ask.indexes, items)
    (ready,) = bench.deliveries()
    assert isinstance(ready, ReadyItems)
    assert (ready.items, bench.run.ledger.routed, bench.run.ledger.resolved) == (items, len(items), 2)


def test_items_of_an_inline_executor_are_ready() -> None:
    bench = Bench()
    batch = bench.batch(0)
    bench.submit(batch)
    bench.book.outcome(batch, [Item(0, "done")])
    (ready,) = bench.deliveries()
    assert ready.items == [Item(0, "done")]
    assert bench.watcher.stops == [1]


def test_a_batch_that_could_not_be_encoded_never_goes_out() -> None:
    bench = Bench(on_error="skip")
    bad, good = bench.batch(0, error=PayloadError(0, "", "no form")), bench.batch(1)
    assert bench.submit(bad, good) == [Submit(bench.queue, [good], front=False)]
    (skipped,) = bench.deliveries()
    assert isinstance(skipped.errors[0], PayloadError)


def test_a_halt_in_order_finishes_what_comes_before_it() -> None:
    bench = Bench(on_error="halt")
    first, second, third = bench.batch(0), bench.batch(1), bench.batch(2)
    bench.submit(first, second, third)
    bench.book.outcome(second, WorkerCrashed(1))
    assert bench.effects() == [StopInput(), CancelJobs(bench.queue, [second, third])]
    assert (bench.book.halting, bench.book.end(), bench.book.limit) == (True, None, 1)
    fresh = bench.batch(3)
    assert bench.submit(fresh) == []
    bench.book.replies([replied(first)])
    end = bench.book.end()
    assert end is not None
    assert end.batch is second
    assert bench.deliveries() == [first]
    assert bench.book.held_back() == []


def test_the_earliest_failure_is_the_one_that_halts() -> None:
    bench = Bench(on_error="halt")
    first, second, third = bench.batch(0), bench.batch(1), bench.batch(2)
    bench.submit(first, second, third)
    for batch in (second, third, first):
        bench.book.outcome(batch, WorkerCrashed(1))
    end = bench.book.end()
    assert end is not None
    assert end.batch is first
    assert bench.book.limit == 0


def test_a_halt_waits_for_an_earlier_rebuild() -> None:
    bench = Bench(on_error=Retry(2, split=True, then="halt"))
    pair, later = bench.batch(0, 1), bench.batch(2)
    bench.submit(pair, later)
    bench.book.outcome(pair, WorkerCrashed(1))
    later.attempt = 2
    bench.book.outcome(later, WorkerCrashed(1))
    assert bench.book.end() is None
    left, right = bench.batch(0), bench.batch(1)
    bench.submit(left, right, parent=pair.ref)
    bench.book.replies([replied(left), replied(right)])
    assert bench.book.end() is not None


def test_a_retry_behind_a_halt_is_given_up() -> None:
    bench = Bench(on_error=Retry(2))
    first, second = bench.batch(0), bench.batch(1)
    bench.submit(first, second)
    bench.book.outcome(second, WorkerCrashed(1))
    (retry,) = bench.effects()
    first.attempt = 2
    bench.book.outcome(first, WorkerCrashed(1))
    bench.effects()
    bench.book.retry_due(retry)
    assert (bench.effects(), bench.run.ledger.awaiting_retry) == ([], 0)


def test_as_completed_a_halt_ends_at_once() -> None:
    bench = Bench(on_error="halt", ordering="as_completed")
    first, second = bench.batch(0), bench.batch(1)
    bench.submit(first, second)
    bench.book.outcome(second, LoadError("m:f", ImportError("no")))
    assert bench.book.end() is not None
    assert (bench.book.limit, bench.book.held_back(), bench.book.kept_back) == (None, [], 0)


def test_the_bytes_of_a_reply_take_the_place_of_the_request() -> None:
    freed: list[None] = []
    budget = ByteBudget(100, lambda: freed.append(None))
    bench = Bench(budget=budget)
    batch = bench.batch(0, encoded=90)
    budget.change(90)
    bench.submit(batch)
    bench.book.replies([replied(batch)])
    assert batch.reply is not None
    assert budget.held == batch.encoded == batch.reply.size
    other = bench.batch(1, encoded=50)
    budget.change(50)
    bench.submit(other)
    bench.book.outcome(other, [Item(1, "done")])
    assert budget.held == batch.encoded


def test_a_reply_with_too_few_results_and_failures() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0, 1, 2)
    bench.submit(batch)
    bench.book.outcome(batch, a_reply([0], {1: "odd"}))
    (skipped,) = bench.deliveries()
    assert "3 items went out, 2 results came back" in str(skipped.errors[0])


def test_a_batch_all_of_whose_items_failed_alone() -> None:
    bench = Bench(on_error="skip")
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, a_reply([], {0: "odd", 1: "odd"}))
    (skipped,) = bench.deliveries()
    assert list(skipped.positions) == [0, 1]


def test_a_halt_by_an_item_cancels_nothing_that_is_done() -> None:
    bench = Bench(on_error="halt")
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, a_reply([0], {1: "odd"}))
    assert bench.effects() == [StopInput()]
    end = bench.book.end()
    assert end is not None
    assert list(end.batch.positions) == [1]  # type: ignore[union-attr]


def test_behind_a_charged_item_that_halts_nothing_is_rebuilt() -> None:
    bench = Bench(on_error="halt")
    batch = bench.batch(0, 1)
    bench.submit(batch)
    bench.book.outcome(batch, AtItem(0, WorkerCrashed(1)))
    assert [effect for effect in bench.effects() if isinstance(effect, Split)] == []
    assert bench.book.rebuilding == 0
