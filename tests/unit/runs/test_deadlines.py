"""A run at its deadline, on a scheduler without a thread."""

from __future__ import annotations

from typing import Any

from support.a_run import a_batch, a_queue, a_run, replied
from unit.runs.test_collector import Bench

from slither_actors import DeadlineExceeded
from slither_actors.pools.assignment.job import Replies
from slither_actors.pools.messages import CloseQueue
from slither_actors.runs.collector import where
from slither_actors.runs.messages import BatchesReady, Deliver, Finished, InputEnd
from supervisors.testing import ManualScheduler


def finished(bench: Bench) -> Finished:
    (end,) = [message for message in bench.to_consumer() if type(message) is Finished]
    return end


def test_a_run_ends_at_its_deadline(manual: ManualScheduler) -> None:
    bench = Bench(manual, deadline=2.0)
    bench.tell(BatchesReady([a_batch(bench.run, [0])], None))
    bench.to_pool()
    manual.advance(1.9)
    assert bench.to_consumer() == []
    manual.advance(0.2)
    error = finished(bench).error
    assert isinstance(error, DeadlineExceeded)
    assert (error.seconds, error.where) == (2.0, "waiting for a worker, or for its next attempt")
    assert bench.to_pool() == [CloseQueue(bench.queue, True, True)]
    assert bench.ends == [False]


def test_what_is_done_is_handed_over_with_it(manual: ManualScheduler) -> None:
    bench = Bench(manual, deadline=2.0)
    first, second = a_batch(bench.run, [0]), a_batch(bench.run, [1])
    bench.tell(BatchesReady([first, second], None))
    bench.tell(Replies([replied(second)]))  # kept back by the order
    manual.advance(2.1)
    end = finished(bench)
    assert list(end.held) == [second]


def test_one_that_is_done_in_time_has_no_end_but_its_own(manual: ManualScheduler) -> None:
    bench = Bench(manual, deadline=2.0)
    batch = a_batch(bench.run, [0])
    bench.tell(BatchesReady([batch], None, InputEnd(1, None)))
    bench.tell(Replies([replied(batch)]))
    delivered, end = bench.to_consumer()
    assert (type(delivered), end.error) == (Deliver, None)
    manual.advance(5.0)
    assert bench.to_consumer() == []


def test_time_counts_from_the_call(manual: ManualScheduler) -> None:
    run: Any = a_run(manual, deadline=2.0)
    manual.advance(1.5)
    assert run.spec.due == manual.now() + 0.5
    assert a_run(manual).spec.due is None


def test_the_error_says_where_it_was() -> None:
    queue = a_queue()
    assert where(0, queue) == "waiting for its source, or for its reader"
    assert where(1, queue).startswith("waiting for a worker")
    queue.in_pipes = 1
    assert where(1, queue) == "at its workers"
