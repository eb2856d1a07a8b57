"""An inline executor's pool on a scheduler without a thread; its threads are played by the test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from support.a_run import Recorder, a_batch, a_run

from slither_actors import BatchTimeout, Item
from slither_actors.errors import UnexpectedResponse
from slither_actors.pools.messages import CancelJobs, CloseQueue, Submit
from slither_actors.runs import inline_pool
from slither_actors.runs.batch import Batch
from slither_actors.runs.inline_pool import InlinePool, execute
from supervisors.testing import ManualScheduler


class Own:
    """An inline executor that does what the test says."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def execute_batch(self, items: Sequence[Item], context: Any, options: Any) -> Iterable[Item]:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer if self.answer is not None else list(items)


class FakeThread(inline_pool.InlineThread):
    """Keeps its batch until the test is done with it."""

    made: list[FakeThread]
    left = 99

    def __init__(self, pool: InlinePool, options: Any, number: int) -> None:
        if len(self.made) >= self.left:
            raise RuntimeError("can't start new thread")
        self._batch = self.alarm = None
        self.over = False
        self.made.append(self)

    def execute(self, batch: Batch) -> None:
        self._batch = batch

    def end(self) -> None:
        self.over = True


class Bench:
    """A pool of threads that the test plays."""

    def __init__(self, scheduler: ManualScheduler) -> None:
        self.scheduler = scheduler
        self.run = a_run(executor=Own(), max_in_flight=2)
        self.collector = Recorder()
        self.ref = InlinePool.start(self.run.options, scheduler=scheduler)

    def batch(self, timeout: float | None = None) -> Batch:
        batch = a_batch(self.run, [self.run.ledger.batched])
        batch.run_queue.collector = self.collector
        batch.run_queue.timeout = batch.run_queue.deadline = timeout
        return batch

    def tell(self, message: Any) -> None:
        self.ref.tell(message)
        self.scheduler.run_until_idle()

    def submit(self, *batches: Batch, front: bool = False) -> None:
        self.tell(Submit(batches[0].run_queue, batches, front))

    @property
    def pool(self) -> InlinePool:
        actor = self.ref._actor
        assert actor is not None
        return actor

    def done(self, thread: FakeThread, outcome: Any) -> None:
        self.scheduler.post(self.pool.done, thread, outcome, 5)
        self.scheduler.run_until_idle()

    def ended(self) -> list[Any]:
        return [entry for message in self.collector.take() for entry in message.ended]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    scheduler = ManualScheduler()
    FakeThread.made = []
    monkeypatch.setattr(inline_pool, "InlineThread", FakeThread)
    yield Bench(scheduler)
    scheduler.stop()


def test_as_many_threads_as_the_run_may_use(bench: Bench) -> None:
    first, second, third = bench.batch(), bench.batch(), bench.batch()
    bench.submit(first, second, third)
    assert [thread._batch for thread in FakeThread.made] == [first, second]
    bench.done(FakeThread.made[0], [Item(0, 1)])
    assert bench.ended() == [(first, [Item(0, 1)])]
    assert (first.took, FakeThread.made[0]._batch) == (5, third)
    now = bench.pool.statistics()
    assert (now.waiting, now.busy, now.idle, now.given_up) == (0, 2, 0, 0)


def test_a_retry_goes_before_what_waits(bench: Bench) -> None:
    batches = [bench.batch() for _ in range(4)]
    bench.submit(*batches[:3])
    bench.submit(batches[3], front=True)
    bench.done(FakeThread.made[0], [])
    assert FakeThread.made[0]._batch is batches[3]


def test_what_waits_can_be_cancelled(bench: Bench) -> None:
    batches = [bench.batch() for _ in range(3)]
    bench.submit(*batches)
    bench.tell(CancelJobs(batches[2].run_queue, [batches[2]]))
    bench.done(FakeThread.made[0], [])
    assert bench.pool.statistics().waiting == 0
    assert FakeThread.made[0]._batch is None


@pytest.mark.parametrize("option", ["timeout", "batch_timeout"])
def test_a_batch_over_its_deadline_leaves_its_thread_behind(bench: Bench, option: str) -> None:
    batch, other = bench.batch(timeout=3.0), bench.batch()
    if option == "batch_timeout":
        batch.run_queue.timeout = None
    bench.submit(batch)
    bench.scheduler.advance(3.5)
    ((ended, error),) = bench.ended()
    assert ended is batch
    assert isinstance(error, BatchTimeout)
    assert (error.option, FakeThread.made[0].over, bench.pool.statistics().given_up) == (option, True, 1)
    bench.done(FakeThread.made[0], [Item(0, "late")])
    assert bench.ended() == []
    bench.submit(other)
    assert FakeThread.made[1]._batch is other


def test_a_batch_in_time_leaves_no_timer(bench: Bench) -> None:
    bench.submit(bench.batch(timeout=3.0))
    bench.done(FakeThread.made[0], [])
    assert bench.scheduler.pending_timers == 0


def test_with_one_thread_to_be_had_it_does_all(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeThread, "left", 1)
    batches = [bench.batch(), bench.batch()]
    bench.submit(*batches)
    assert len(FakeThread.made) == 1
    bench.done(FakeThread.made[0], [])
    assert FakeThread.made[0]._batch is batches[1]


def test_the_end_of_the_run_ends_the_threads(bench: Bench) -> None:
    bench.submit(bench.batch(), bench.batch(), bench.batch())
    bench.tell(CloseQueue(bench.batch().run_queue, False))
    assert not bench.ref.is_alive()
    assert [thread.over for thread in FakeThread.made] == [True, True]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([], "1 items went in, 0 came out of Own"),
        ([3], "Own gave 3, not an Item"),
        (SystemExit(3), r"Own\.execute_batch raised SystemExit\(3\)"),
    ],
)
def test_what_an_inline_executor_must_not_do(answer: Any, text: str) -> None:
    run = a_run(executor=Own(answer))
    outcome = execute(run.options, a_batch(run, [0]))
    assert isinstance(outcome, UnexpectedResponse)
    with pytest.raises(UnexpectedResponse, match=text):
        raise outcome


def test_what_an_inline_executor_raises_is_the_outcome() -> None:
    run = a_run(executor=Own(error := ValueError("no")))
    assert execute(run.options, a_batch(run, [0])) is error


def test_a_thread_executes_until_it_is_ended() -> None:
    scheduler = ManualScheduler()
    try:
        run = a_run(executor=Own(), max_in_flight=1)
        ref = InlinePool.start(run.options, scheduler=scheduler)
        batch, collector = a_batch(run, [0]), Recorder()
        batch.run_queue.collector = collector
        ref.tell(Submit(batch.run_queue, [batch]))
        while not collector.messages:
            scheduler.run_until_idle()
        assert collector.take()[0].ended == [(batch, [Item(0, 0)])]
    finally:
        scheduler.stop()
