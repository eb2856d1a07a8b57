"""The relay of a stream on a scheduler without a thread: what it hands on, its retries, readers that stall."""

from __future__ import annotations

from typing import Any

import pytest
from support.a_run import a_queue

from slither_actors import LoadError, ReaderTimeout, Retry, SystemStopped, WorkerCrashed, WorkerError
from slither_actors.chunk_options import ChunkOptions
from slither_actors.policies import HALT
from slither_actors.pools.assignment.job import AtItem, Outcomes, Replies
from slither_actors.pools.assignment.stream_job import Chunks, Credit, StreamJob
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.messages import CloseQueue, Submit
from slither_actors.runs.chunks.messages import ChunkFrames, CloseStream, ReaderLink, StreamEnd, Taken
from slither_actors.runs.chunks.relay import ChunkRelay, StreamRequest
from slither_actors.wire.header import CHUNK, FAILURE, REPLY, Frame
from slither_actors.wire.messages import Failure
from supervisors import Crashed, ExitReason, LightActor, Normal
from supervisors.testing import ManualScheduler


class FakePool(LightActor):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def on_receive(self, message: object) -> None:
        if isinstance(message, Exception):
            raise message
        self.messages.append(message)


class Bench:
    """A relay, with pool, worker and reader played by the test."""

    def __init__(self, scheduler: ManualScheduler, *, policy: Any = HALT, **bounds: Any) -> None:
        self.scheduler = scheduler
        self.pool_ref = FakePool.start(scheduler=scheduler)
        self.worker_ref: Any = FakePool.start(scheduler=scheduler)
        self.read: list[Any] = []
        self.ends: list[bool] = []
        self.link = ReaderLink()
        bounds = {"max_ahead": 2, "reader_timeout": 10.0, **bounds}
        request = StreamRequest(Target("m", "f", each=True, streams=True), b"side", b"body", [])
        inbox: Any = self
        self.ref = ChunkRelay.start(
            request,
            a_queue(),
            self.pool_ref,
            self.pool_error,
            policy,
            ChunkOptions(**bounds),
            inbox,
            self.link,
            True,
            self.ends.append,
            scheduler=scheduler,
        )
        scheduler.run_until_idle()

    def put(self, message: Any) -> None:
        self.read.append(message)

    @staticmethod
    def pool_error(reason: ExitReason) -> BaseException:
        return LookupError(str(reason))

    def of_pool(self, ref: Any) -> list[Any]:
        messages: list[Any] = ref._actor.messages
        return messages

    @property
    def told(self) -> list[Any]:
        """What the pool was sent."""
        return self.of_pool(self.pool_ref)

    @property
    def job(self) -> StreamJob:
        submit = next(message for message in reversed(self.told) if isinstance(message, Submit))
        (job,) = submit.jobs
        assert isinstance(job, StreamJob)
        return job

    def tell(self, message: Any) -> None:
        self.ref.tell(message)
        self.scheduler.run_until_idle()

    def chunks(self, count: int = 1) -> None:
        """Chunks come, as the Executor hands them on."""
        job, frames = self.job, [Frame(CHUNK, 0, 1, 0, 1, 0, b"", b"\x01")] * count
        for frame in frames:
            job.window.sent(frame.size)
            job.arrived += 1
        self.tell(Chunks(job, frames, self.worker_ref))

    def take(self, count: int = 1) -> None:
        """The reader takes chunks, and the Executor has its credit."""
        self.link.taken_at = self.scheduler.now()
        self.tell(Taken(count))
        self.job.window.took(count)

    def fails(self, outcome: Any) -> None:
        self.tell(Outcomes([(self.job, outcome)]))

    @property
    def error(self) -> Any:
        (end,) = [message for message in self.read if isinstance(message, StreamEnd)]
        return end.error


def test_the_job_is_submitted_and_its_chunks_are_handed_on(manual: ManualScheduler) -> None:
    it = Bench(manual)
    assert [type(message) for message in it.told] == [Submit]
    assert (it.job.body, it.job.side, it.job.count, it.job.attempt) == (b"body", b"side", 1, 1)
    it.chunks(2)
    assert [len(message.frames) for message in it.read if isinstance(message, ChunkFrames)] == [2]
    it.take(2)
    assert it.of_pool(it.worker_ref) == [Credit(it.job, 2)]


def test_a_reply_is_the_end(manual: ManualScheduler) -> None:
    it = Bench(manual)
    it.chunks()
    it.tell(Replies([it.job]))
    assert it.error is None
    assert isinstance(it.told[-1], CloseQueue)
    assert (it.ends, it.ref.is_alive()) == ([False], False)


FRAMES = [
    Frame(REPLY, 0, 1, 0, 1, 0, b"", b"\xc0", took=5),
    Frame(FAILURE, 0, 1, 0, 0, 0, b"", Failure("user", "E", "no").to_body()),
]


@pytest.mark.parametrize("frame", FRAMES, ids=["reply", "failure"])
def test_a_frame_as_the_outcome_ends_it(manual: ManualScheduler, frame: Frame) -> None:
    it = Bench(manual)
    it.fails(frame)
    assert type(it.error) is (WorkerError if frame.kind == FAILURE else type(None))


def test_before_its_first_chunk_it_is_attempted_again(manual: ManualScheduler) -> None:
    it = Bench(manual, policy=Retry(3, backoff=2.0, jitter=0.0))
    it.fails(AtItem(0, WorkerCrashed()))
    assert len(it.told) == 1
    manual.advance(2.1)
    assert (len(it.told), it.told[-1].front, it.job.attempt) == (2, True, 2)
    it.fails(WorkerCrashed())
    manual.advance(4.1)
    assert it.job.attempt == 3
    it.fails(WorkerCrashed())
    manual.advance(100)
    assert isinstance(it.error, WorkerCrashed)
    assert it.read == [StreamEnd(it.error)]


def test_after_its_first_chunk_it_is_not(manual: ManualScheduler) -> None:
    it = Bench(manual, policy=Retry(3, backoff=0.0))
    it.chunks()
    it.fails(WorkerCrashed())
    assert isinstance(it.error, WorkerCrashed)
    assert len([message for message in it.told if isinstance(message, Submit)]) == 1


def test_what_no_attempt_can_mend_ends_it_at_once(manual: ManualScheduler) -> None:
    it = Bench(manual, policy=Retry(3, backoff=0.0))
    it.fails(LoadError("m:f", ValueError()))
    assert isinstance(it.error, LoadError)


def test_an_attempt_is_not_made_for_a_reader_that_has_left(manual: ManualScheduler) -> None:
    it = Bench(manual, policy=Retry(3, backoff=2.0))
    it.fails(WorkerCrashed())
    it.tell(CloseStream())
    manual.advance(10)
    assert [type(message) for message in it.told] == [Submit, CloseQueue]
    assert it.read == []


def test_a_reader_that_takes_nothing_has_stalled(manual: ManualScheduler) -> None:
    it = Bench(manual)
    it.chunks(2)
    manual.advance(9)
    assert it.ref.is_alive()
    manual.advance(2)
    assert isinstance(it.error, ReaderTimeout)
    assert isinstance(it.told[-1], CloseQueue)


def test_one_that_takes_a_chunk_now_and_then_has_not(manual: ManualScheduler) -> None:
    it = Bench(manual, max_ahead=100)
    it.chunks(100)
    for _ in range(20):
        manual.advance(9)
        it.link.taken_at = manual.now()  # a chunk taken, and no credit returned for it yet
    assert it.ref.is_alive()
    manual.advance(10.5)
    assert isinstance(it.error, ReaderTimeout)


def test_while_the_worker_does_not_wait_the_reader_may(manual: ManualScheduler) -> None:
    it = Bench(manual)
    it.chunks(1)
    manual.advance(1000)
    it.chunks(1)
    manual.advance(5)
    it.take(2)
    manual.advance(1000)
    assert it.ref.is_alive()


def test_without_a_reader_timeout_it_waits_for_ever(manual: ManualScheduler) -> None:
    it = Bench(manual, reader_timeout=None)
    it.chunks(2)
    manual.advance(100_000)
    assert it.ref.is_alive()


def test_the_end_of_the_pool_is_that_of_the_stream(manual: ManualScheduler) -> None:
    it = Bench(manual)
    it.chunks()
    it.pool_ref.tell(ValueError("pool"))
    manual.run_until_idle()
    assert isinstance(it.error, LookupError)
    assert it.ends == [False]


def test_a_stop_of_the_system_is_counted_as_cut_off(manual: ManualScheduler) -> None:
    it = Bench(manual)
    it.ref.stop(block=False)
    manual.run_until_idle()
    assert isinstance(it.error, SystemStopped)
    assert it.ends == [True]


def test_a_crash_of_its_own_is_the_error(manual: ManualScheduler) -> None:
    it = Bench(manual)
    actor: Any = it.ref._actor
    actor.exit(Crashed(KeyError("relay")))
    assert isinstance(it.error, KeyError)
    assert (it.ends, it.ref.is_alive()) == ([False], False)


def test_what_comes_after_its_end_is_nothing(manual: ManualScheduler) -> None:
    it = Bench(manual)
    actor: Any = it.ref._actor
    actor.exit(Normal())
    actor.on_receive(CloseStream())
    assert len(it.ends) == 1


def test_its_statistics(manual: ManualScheduler) -> None:
    it = Bench(manual)
    it.chunks(2)
    actor: Any = it.ref._actor
    now = actor.statistics()
    assert (now.chunks, now.ahead, now.attempt) == (2, 2, 1)
