"""The Collector on a scheduler without a thread: what it sends to whom, and how a run ends."""

from __future__ import annotations

from typing import Any

from support.a_run import FakeRole, a_batch, a_queue, a_run, replied

from slither_actors import Item, Retry, Route, SystemStopped, WorkerCrashed
from slither_actors.pools.assignment.job import Outcomes, Replies
from slither_actors.pools.messages import CloseQueue, Submit
from slither_actors.runs.batch import Batch
from slither_actors.runs.collector import Collector
from slither_actors.runs.messages import (
    AskRoute,
    BatchesReady,
    CloseRun,
    Deliver,
    Finished,
    ForBatcher,
    InputEnd,
    Routed,
    RunFailed,
    Wake,
)
from supervisors import ExitReason, LightActor, Normal
from supervisors.testing import ManualScheduler


class FakePool(LightActor):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def on_receive(self, message: object) -> None:
        self.messages.append(message)


class Bench:
    """A Collector, with everything around it played by the test."""

    def __init__(self, scheduler: ManualScheduler, **options: Any) -> None:
        self.scheduler = scheduler
        self.run = a_run(scheduler, **options)
        self.pool_ref = FakePool.start(scheduler=scheduler)
        self.ends: list[bool] = []
        self.start()

    def start(self, **roles: Any) -> None:
        for name, role in roles.items():
            setattr(self.run, name, role)
        self.queue = a_queue()
        self.ref = Collector.start(
            self.run, self.queue, self.pool_ref, self.pool_error, True, self.ends.append, scheduler=self.scheduler
        )
        self.scheduler.run_until_idle()

    @staticmethod
    def pool_error(reason: ExitReason) -> BaseException:
        return ConnectionError(str(reason))

    def tell(self, message: Any) -> None:
        self.ref.tell(message)
        self.scheduler.run_until_idle()

    def to_pool(self) -> list[Any]:
        actor = self.pool_ref._actor
        assert actor is not None
        taken, actor.messages = actor.messages, []
        return taken

    def to_consumer(self) -> list[Any]:
        inbox: Any = self.run.inbox
        taken = []
        while not inbox.empty():
            taken.append(inbox.get())
        return taken

    def batch(self, *positions: int) -> Batch:
        return a_batch(self.run, positions)


def test_a_run_of_one_batch_from_start_to_end(manual: ManualScheduler) -> None:
    bench = Bench(manual)
    batch = bench.batch(0, 1)
    bench.tell(BatchesReady([batch], None, InputEnd(2, None)))
    assert bench.to_pool() == [Submit(bench.queue, [batch], front=False)]
    assert bench.to_consumer() == []
    bench.tell(Replies([replied(batch)]))
    assert bench.to_consumer() == [Deliver([batch]), Finished(None)]
    assert bench.to_pool() == [CloseQueue(bench.queue, forget_session=True)]
    assert not bench.ref.is_alive()
    assert (bench.ends, bench.run.ending.closed, bench.run.ending.broken) == ([False], True, False)


def test_results_are_handed_over_while_the_run_goes_on(manual: ManualScheduler) -> None:
    bench = Bench(manual)
    first, second = bench.batch(0), bench.batch(1)
    bench.tell(BatchesReady([first, second]))
    bench.tell(Replies([replied(first)]))
    assert bench.to_consumer() == [Deliver([first])]
    assert bench.ref._actor is not None
    now = bench.ref._actor.statistics()
    assert (now.batches, now.items, now.remaking, now.kept_back, now.halting) == (1, 1, 0, 0, False)


def test_a_retry_goes_out_when_its_back_off_is_over(manual: ManualScheduler) -> None:
    bench = Bench(manual, on_error=Retry(2, backoff=4.0))
    batch = bench.batch(0)
    bench.tell(BatchesReady([batch]))
    bench.to_pool()
    bench.tell(Outcomes([(batch, WorkerCrashed(1))]))
    assert bench.to_pool() == []
    manual.advance(60.0)
    assert bench.to_pool() == [Submit(bench.queue, [batch], front=True)]


def test_a_retry_of_a_run_that_ended_is_dropped(manual: ManualScheduler) -> None:
    bench = Bench(manual, on_error=Retry(2, backoff=4.0))
    batch = bench.batch(0)
    bench.tell(BatchesReady([batch]))
    bench.tell(Outcomes([(batch, WorkerCrashed(1))]))
    bench.tell(CloseRun())
    bench.to_pool()
    manual.advance(60.0)
    assert bench.to_pool() == []


def test_a_route_goes_to_the_consumer_that_plays_the_batcher(manual: ManualScheduler) -> None:
    bench = Bench(manual, on_error=Route(lambda item, error: item))
    batch = bench.batch(0)
    bench.tell(BatchesReady([batch], None, InputEnd(1, None)))
    bench.tell(Outcomes([(batch, WorkerCrashed(1))]))
    (message,) = bench.to_consumer()
    assert isinstance(message, ForBatcher)
    assert isinstance(message.message, AskRoute)
    bench.tell(Routed(batch, [0], [Item(0, "routed")]))
    deliver, finished = bench.to_consumer()
    assert deliver.deliveries[0].items == [Item(0, "routed")]
    assert finished == Finished(None)


def test_a_batcher_with_a_thread_is_asked_directly(manual: ManualScheduler) -> None:
    bench = Bench(manual, on_error=Route(lambda item, error: item))
    batcher, producer = FakeRole(), FakeRole()
    bench.start(batcher=batcher, producer=producer)
    batch = bench.batch(0)
    bench.tell(BatchesReady([batch]))
    bench.tell(Outcomes([(batch, WorkerCrashed(1))]))
    (ask,) = batcher.inbox_ref.take()
    assert isinstance(ask, AskRoute)
    bench.tell(CloseRun())
    assert batcher.inbox_ref.take() == producer.inbox_ref.take() == [CloseRun()]


def test_a_halt_names_its_batch_and_what_the_order_kept(manual: ManualScheduler) -> None:
    bench = Bench(manual, on_error="halt")
    first, second, third = bench.batch(0), bench.batch(1), bench.batch(2)
    bench.tell(BatchesReady([first, second, third]))
    bench.tell(Replies([replied(third)]))
    bench.tell(Outcomes([(second, error := WorkerCrashed(1))]))
    assert bench.run.source_done
    assert bench.to_consumer() == []
    bench.tell(Replies([replied(first)]))
    deliver, finished = bench.to_consumer()
    assert deliver == Deliver([first])
    assert (finished.error, finished.batch, finished.held, finished.limit) == (error, second, [third], 1)
    assert bench.run.ending.broken


def test_an_error_of_the_source_is_blamed_on_it(manual: ManualScheduler) -> None:
    for total, text in [(0, "before its first item"), (1, "after 1 item"), (2, "after 2 items")]:
        bench, error = Bench(manual), OSError("gone")
        batches = [bench.batch(position) for position in range(total)]
        bench.tell(BatchesReady(batches, None, InputEnd(total, error)))
        bench.tell(Replies([replied(batch) for batch in batches]))
        assert bench.to_consumer()[-1].error is error
        assert bench.run.ending.blamed(error) == f"the source failed {text}"


def test_user_code_that_raised_ends_the_run(manual: ManualScheduler) -> None:
    bench = Bench(manual)
    bench.tell(RunFailed(error := KeyError("key")))
    (finished,) = bench.to_consumer()
    assert finished.error is error
    assert bench.ends == [False]


def test_the_end_of_the_pool_ends_the_run(manual: ManualScheduler) -> None:
    bench = Bench(manual)
    actor = bench.pool_ref._actor
    assert actor is not None
    actor.exit(Normal())
    manual.run_until_idle()
    (finished,) = bench.to_consumer()
    assert isinstance(finished.error, ConnectionError)


def test_the_systems_stop_cuts_the_run_off(manual: ManualScheduler) -> None:
    bench = Bench(manual)
    bench.ref.stop(block=False)
    manual.run_until_idle()
    (finished,) = bench.to_consumer()
    assert isinstance(finished.error, SystemStopped)
    assert bench.ends == [True]


def test_a_message_that_is_none_of_its_own_ends_the_run(manual: ManualScheduler) -> None:
    bench = Bench(manual)
    bench.tell(Wake())
    (finished,) = bench.to_consumer()
    assert isinstance(finished.error, AssertionError)
