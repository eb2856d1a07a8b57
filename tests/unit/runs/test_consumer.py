"""The Consumer driven by hand: what it asks of its driver, and what it sends to whom. No thread, no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.a_run import FakeRole, Recorder, a_queue, a_reply, a_run, replied

from slither_actors import DispatchError, Item, StreamClosed, WorkerCrashed
from slither_actors.errors import ForkedSystemError, UnexpectedResponse
from slither_actors.pools.assignment.target import Target
from slither_actors.runs.batch import Batch
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import (
    BatchesReady,
    CloseRun,
    Deliver,
    Finished,
    ForBatcher,
    ReadyItems,
    Results,
    RoleEnded,
    RunFailed,
    Skipped,
    Split,
    StreamWasClosed,
    Wake,
)
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.output.driver_protocol import FOREVER, PAUSE, Wait
from slither_actors.runs.run import Run
from supervisors import WouldDeadlock
from supervisors.testing import ManualScheduler


class Bench:
    """A Consumer, its Collector played by the test."""

    def __init__(self, items: Any, scheduler: ManualScheduler | None = None, **options: Any) -> None:
        self.run = a_run(scheduler, **options)
        self.collector = Recorder()
        self.consumer = Consumer(self.run, items, self.batcher, self.start)
        self.steps: Any = None

    def batcher(self, run: Run) -> Batcher:
        return Batcher(run, RequestEncoder(run.options, Target))

    def start(self, run: Run) -> None:
        run.start(a_queue(), self.collector)

    def begin(self, **driver: Any) -> Any:
        self.steps = self.consumer.steps(**driver)
        return next(self.steps)

    def send(self, message: Any) -> list[Any]:
        """Put a message; return the pieces that come, up to where it waits again."""
        self.run.inbox.put(message)
        pieces, inbox = [], self.run.inbox
        step = self.steps.send(inbox.get())  # type: ignore[attr-defined]  # a BlockingInbox
        while step is not FOREVER:
            if step is not PAUSE:
                pieces.append(step)
            step = self.steps.send(None)
        return pieces

    def end(self, message: Finished) -> list[Any]:
        """Send the last message; return the pieces behind it."""
        try:
            return self.send(message)
        except StopIteration:
            return []

    def batches(self) -> list[Batch]:
        return [batch for message in self.collector.take() for batch in message.batches]


def test_a_source_in_memory_is_batched_between_two_results() -> None:
    bench = Bench([1, 2, 3, 4, 5], batch_size=2)
    assert bench.begin() is FOREVER
    first, last = bench.collector.take()
    assert [type(first), type(last)] == [BatchesReady, BatchesReady]
    assert [[batch.entries for batch in ready.batches] for ready in (first, last)] == [[[1, 2], [3, 4]], [[5]]]
    assert (first.input_end, last.input_end.total) == (None, 5)
    pieces = bench.send(Deliver([replied(batch) for batch in (*first.batches, *last.batches)]))
    assert pieces == [[Item(i, i + 1) for i in range(5)]]
    assert bench.run.undelivered == {}
    assert bench.end(Finished(None)) == []
    assert (bench.consumer.told, bench.run.ending.cut_short, bench.collector.take()) == (True, None, [])


def test_a_long_source_is_handed_over_in_steps() -> None:
    bench = Bench(range(100), batch_size=2, prefetch=40)
    assert bench.begin(feed_batches=3) is PAUSE
    assert len(bench.batches()) == 3
    assert next(bench.steps) is PAUSE
    assert len(bench.batches()) == 3


def test_credit_is_returned_in_chunks_while_results_wait() -> None:
    bench = Bench(range(1000), batch_size=1, max_in_flight=2, prefetch=14)
    bench.begin()
    while bench.run.inbox.empty() and len(bench.run.undelivered) < 16:
        next(bench.steps)
    window = bench.run.credit.limit
    first = bench.batches()
    assert len(first) == window == 16
    for batch in first[:6]:
        bench.run.inbox.put(Deliver([replied(batch)]))
    returned = []
    inbox: Any = bench.run.inbox
    for _ in range(6):
        step = bench.steps.send(inbox.get())
        while step is not FOREVER:
            step = bench.steps.send(None)
        returned.append(bench.run.credit.returned)
    assert returned == [0, 0, 0, 4, 4, 6]


def test_deliveries_of_every_kind_come_out_in_order() -> None:
    bench = Bench([0, 10, 20, 30, 40], batch_size=5)
    bench.begin()
    (batch,) = bench.batches()
    error = WorkerCrashed(1)
    results = Results(batch, a_reply([0, 20]), [0, 2], [0, 2])
    assert bench.send(Deliver([results])) == [[Item(0, 0)]]
    skipped = Skipped(batch, [1], [error], [1])
    (piece,) = bench.send(Deliver([skipped]))
    assert [item.id for item in piece] == [1, 2]
    assert piece[0].meta["error"] is error
    ready = ReadyItems(batch, [Item(3, "a"), Item(4, "b")], [3, 4])
    assert bench.send(Deliver([ready])) == [[Item(3, "a"), Item(4, "b")]]


def test_as_completed_items_come_as_they_are_delivered() -> None:
    bench = Bench([0, 10], batch_size=1, ordering="as_completed")
    bench.begin()
    first, second = bench.batches()
    assert bench.send(Deliver([replied(second)])) == [[Item(1, 10)]]
    assert bench.send(Deliver([replied(first)])) == [[Item(0, 0)]]


def test_a_failed_run_names_results_and_unfinished_items() -> None:
    bench = Bench(list(range(6)), batch_size=2)
    bench.begin()
    first, second, third = bench.batches()
    bench.send(Deliver([replied(first)]))
    error = WorkerCrashed(1)
    with pytest.raises(DispatchError) as caught:
        bench.end(Finished(error, second, [replied(third)], limit=2))
    assert caught.value.reason is error
    assert (caught.value.partial_results, caught.value.unfinished) == ([], [2, 3, 4, 5])
    assert bench.run.ending.cut_short == "halt"
    assert bench.consumer.told


def test_results_behind_a_failure_are_kept_without_an_order() -> None:
    bench = Bench(list(range(4)), batch_size=2, ordering="as_completed")
    bench.begin()
    first, second = bench.batches()
    with pytest.raises(DispatchError) as caught:
        bench.end(Finished(WorkerCrashed(1), first, [replied(second)]))
    assert [item.id for item in caught.value.partial_results] == [2, 3]
    assert caught.value.unfinished == [0, 1]


def test_a_result_that_cannot_be_unpacked_ends_the_run() -> None:
    bench = Bench([0, 1, 2], batch_size=1)
    bench.begin()
    first, second, third = bench.batches()
    first.reply = a_reply([0, 1])  # two results for one item
    first.reply.count = 1
    assert bench.send(Deliver([first, replied(second)])) == []
    (failed,) = bench.collector.take()
    assert isinstance(failed, RunFailed)
    assert bench.send(Deliver([replied(third)])) == []
    assert bench.collector.take() == []
    with pytest.raises(DispatchError) as caught:
        bench.end(Finished(None))
    assert caught.value.reason is failed.error
    assert caught.value.unfinished[0] == 0


def test_the_collectors_requests_are_served_between_results() -> None:
    bench = Bench([0, 1], batch_size=2)
    bench.begin()
    (batch,) = bench.batches()
    bench.send(ForBatcher(Split(batch, 1)))
    (ready,) = bench.collector.take()
    assert (ready.parent, [list(part.positions) for part in ready.batches]) == (batch.ref, [[0], [1]])
    assert bench.send(ForBatcher(None)) == bench.send(RoleEnded()) == []


def test_a_source_that_raises_ends_behind_its_items() -> None:
    class Bad(list[int]):
        pass

    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    bench = Bench(broken(), batch_size=1)
    bench.begin(plays=lambda items: True)
    first, last = bench.collector.take()
    assert [batch.entries for batch in first.batches] == [[1]]
    assert isinstance(last.input_end.error, KeyError)


def test_a_strategy_that_raises_fails_the_run() -> None:
    bench = Bench([1, 2], key_fn=lambda item: 1 / 0, strategy=_key_partition(), batch_size=1)
    bench.begin()
    (failed,) = bench.collector.take()
    assert isinstance(failed, RunFailed)
    assert bench.run.source_done
    with pytest.raises(DispatchError):
        bench.end(Finished(failed.error))


def _key_partition() -> Any:
    from slither_actors.strategies import KeyPartition

    return KeyPartition


@pytest.mark.parametrize("when", ["before", "while it starts", "while it waits", "between pieces"])
def test_closing_notifies_all_and_raises_where_it_is_read(when: str) -> None:
    bench = Bench([1, 2], batch_size=1)
    if when == "before":
        bench.consumer.close()
        with pytest.raises(StreamClosed):
            bench.begin()
        return
    if when == "while it starts":
        original = bench.consumer._start_collector

        def closing(run: Run) -> None:
            original(run)
            bench.consumer.close()

        bench.consumer._start_collector = closing
        with pytest.raises(StreamClosed):
            bench.begin()
    else:
        bench.begin()
        deliveries = [replied(batch) for batch in bench.batches()]
        if when == "between pieces":
            bench.run.inbox.put(Deliver(deliveries))
            assert type(bench.steps.send(bench.run.inbox.get())) is list  # type: ignore[attr-defined]
        bench.consumer.close()
        with pytest.raises(StreamClosed):
            bench.steps.send(StreamWasClosed() if when == "while it waits" else None)
    assert CloseRun() in bench.collector.take()
    assert bench.run.ending.cut_short == "close"
    assert bench.run.ending.closed
    bench.consumer.close()
    assert bench.collector.take() == []


def test_a_run_that_failed_and_was_closed_is_closed() -> None:
    bench = Bench([1], batch_size=1)
    bench.begin()
    bench.run.ending.cut("close")
    with pytest.raises(StreamClosed):
        bench.end(Finished(WorkerCrashed(1)))


def test_a_fork_is_noticed_at_the_next_result(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([1], batch_size=1)
    bench.begin()
    (batch,) = bench.batches()
    monkeypatch.setattr("slither_actors.runs.output.consumer.getpid", lambda: -1)
    with pytest.raises(ForkedSystemError):
        bench.send(Deliver([replied(batch)]))
    with pytest.raises(ForkedSystemError):
        Bench([1]).begin()


def test_on_a_schedulers_thread_it_refuses_to_wait() -> None:
    scheduler = ManualScheduler()
    try:
        with scheduler.active(), pytest.raises(WouldDeadlock, match="DaemonActor"):
            Bench([1]).begin()
    finally:
        scheduler.stop()


def test_a_lazy_source_has_roles_that_are_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    role, scheduler = FakeRole(), ManualScheduler()
    bench = Bench(iter(()), scheduler, batch_size=1)

    def roles(run: Run, make: Callable[[Run], Batcher], buffer: Any) -> None:
        fake: Any = role
        run.batcher = run.producer = fake

    monkeypatch.setattr("slither_actors.runs.input.threaded_input.BatcherActor.start", roles)
    assert bench.begin(plays=lambda items: False, start_producer=lambda run, items, buffer: None) is FOREVER
    assert (role.inbox_ref.take(), role.wakes) == ([Wake()], 1)
    bench.run.starving = True
    bench.send(RoleEnded())
    assert (role.inbox_ref.take(), role.wakes) == ([Wake()], 2)
    bench.send(ForBatcher(None))
    assert Wake() in role.inbox_ref.take()
    bench.run.inbox.put(Finished(UnexpectedResponse("no")))
    step = bench.steps.send(bench.run.inbox.get())  # type: ignore[attr-defined]
    assert isinstance(step, Wait)
    assert step.deadline is not None
    role.ended = True
    with pytest.raises(DispatchError) as caught:
        bench.steps.send(RoleEnded())
    assert caught.value.unfinished == ["left"]
    scheduler.stop()


def test_without_a_thread_to_be_had_the_run_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("slither_actors.runs.input.threaded_input.BatcherActor.start", no_thread)
    with pytest.raises(DispatchError, match="could not start"):
        Bench(iter(())).begin(plays=lambda items: False)
