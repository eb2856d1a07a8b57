"""Streams on their way through a pool: chunks, credit, clocks and early ends, with a worker that the test plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.pool_bench import Bench, failure_of, frame_of, reply_to

from slither_actors import BatchTimeout, WorkerCrashed
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.assignment.stream_job import Chunks, Credit, StreamJob
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.messages import Submit
from slither_actors.pools.worker.blame import MOST_SPARED, Watch
from slither_actors.pools.worker.lateness import timeout_of
from slither_actors.wire import frames as wire
from slither_actors.wire.chunk_window import ChunkWindow
from slither_actors.wire.frames import Frame

Make = Callable[..., Bench]
TARGET = Target(None, "speak", each=True, streams=True)


class Receiver:
    """What a stream's relay gets of chunks."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.worker: Any = None

    def tell(self, message: Any) -> None:
        assert isinstance(message, Chunks)
        self.bodies += [bytes(frame.body) for frame in message.frames]
        self.worker = message.worker


class Streams:
    """A pool of one worker with one stream in its pipe."""

    def __init__(self, bench: Bench, *, ahead: int = 2, target: Target = TARGET, **run_queue: Any) -> None:
        self.bench = bench
        bench.start()
        self.run_queue = bench.run_queue(ahead=False, **run_queue)
        self.receiver = Receiver()
        self.job = self.stream(self.run_queue, ahead, target)

    def stream(self, run_queue: RunQueue, ahead: int = 2, target: Target = TARGET) -> StreamJob:
        receiver: Any = self.receiver
        window = ChunkWindow(ahead, 1 << 20)
        job = StreamJob(run_queue, 1, 1, target, b"side", b"body", receiver=receiver, window=window)
        assert self.bench.link.ref is not None
        self.bench.link.ref.tell(Submit(run_queue, [job]))
        self.bench.scheduler.run_until_idle()
        return job

    @property
    def outcomes(self) -> list[tuple[int, Any]]:
        collector: Any = self.run_queue.collector
        return collector.ended

    @property
    def request(self) -> Frame:
        return [frame for frame in self.bench.host.requests if frame.kind == wire.STREAM][-1]

    def chunk(self, *bodies: bytes) -> None:
        frames = [frame_of(wire.CHUNK, self.request.request_id, body, count=1) for body in bodies]
        self.bench.do(self.bench.host.say, *frames)

    def credit(self, count: int = 1) -> None:
        self.bench.do(self.receiver.worker.tell, Credit(self.job, count))

    def credits(self) -> list[int]:
        return [frame.count for frame in self.bench.host.requests if frame.kind == wire.CREDIT]

    def reply(self) -> None:
        self.bench.do(self.bench.host.say, reply_to(self.request))

    def at_its_payload(self) -> None:
        self.bench.host.at = Progress(self.request.request_id, 0, 0.0)


# --- requests, chunks, credit


def test_the_request_is_a_stream_of_its_target(bench: Make) -> None:
    it = Streams(bench())
    assert (it.request.side, it.request.body, it.request.count) == (b"side", b"body", 1)
    assert it.bench.host.calls() == []


def test_a_function_is_loaded_before_its_first_stream(bench: Make) -> None:
    it = Streams(bench(), target=Target("m", "f", each=True, streams=True))
    assert [frame.kind for frame in it.bench.host.requests] == [wire.HELLO, wire.LOAD, wire.STREAM]
    it.chunk(b"a")
    it.reply()
    assert it.receiver.bodies == [b"a"]


def test_chunks_come_to_the_receiver_and_then_the_outcome(bench: Make) -> None:
    it = Streams(bench(), ahead=3)
    it.chunk(b"a", b"b")
    assert (it.receiver.bodies, it.outcomes) == ([b"a", b"b"], [])
    request = it.request
    it.bench.do(it.bench.host.say, frame_of(wire.CHUNK, request.request_id, b"c", count=1), reply_to(request))
    assert it.receiver.bodies == [b"a", b"b", b"c"]
    assert [ref for ref, _ in it.outcomes] == [1]
    assert (it.job.arrived, it.bench.pool.in_pipes) == (3, 0)


def test_credit_goes_to_the_worker(bench: Make) -> None:
    it = Streams(bench())
    it.chunk(b"a", b"b")
    assert not it.job.window.open
    it.credit(2)
    assert (it.credits(), it.job.window.ahead) == ([2], 0)


def test_credit_for_a_stream_that_has_ended_goes_nowhere(bench: Make) -> None:
    it = Streams(bench())
    it.chunk(b"a")
    it.reply()
    it.credit()
    assert it.credits() == []


@pytest.mark.parametrize("what", ["no credit", "another request", "no stream"])
def test_a_chunk_that_was_not_due_kills_its_worker(bench: Make, what: str) -> None:
    it = Streams(bench(), ahead=1)
    request_id = it.request.request_id
    if what == "no credit":
        it.chunk(b"a")
    elif what == "another request":
        request_id += 1000
    else:
        it.reply()
        it.bench.submit(it.bench.run_queue(), 1)
        request_id = it.bench.host.calls()[0].request_id
    it.bench.do(it.bench.host.say, frame_of(wire.CHUNK, request_id, b"b", count=1))
    assert it.bench.counts.protocol_errors == {"unasked": 1}
    assert it.bench.counts.kills == {"protocol": 1}
    assert it.receiver.bodies == ([b"a"] if what == "no credit" else [])


def test_nothing_is_sent_behind_a_stream(bench: Make) -> None:
    it = Streams(bench())
    other = it.bench.run_queue()
    it.bench.warm(other)
    it.bench.submit(other, 5)
    assert it.bench.host.calls() == []
    it.reply()
    assert len(it.bench.host.calls()) == 1


# --- clocks


def kills(it: Streams) -> dict[str, int]:
    found: dict[str, int] = it.bench.counts.kills
    return found


def error_of(it: Streams) -> Any:
    ((_, error),) = it.outcomes
    return error


def test_each_chunk_has_the_timeout_for_itself(bench: Make) -> None:
    it = Streams(bench(), ahead=100, timeout=10.0)
    it.at_its_payload()
    for _ in range(5):
        it.bench.scheduler.advance(9)
        it.chunk(b"a")
    assert kills(it) == {}
    it.bench.scheduler.advance(11)
    assert kills(it) == {"timeout": 1}
    assert isinstance(error_of(it), BatchTimeout)
    assert (error_of(it).of, error_of(it).done) == ("chunk", 5)


def test_the_first_chunk_has_it_too(bench: Make) -> None:
    it = Streams(bench(), timeout=10.0)
    it.at_its_payload()
    it.bench.scheduler.advance(11)
    assert "0 chunks had come" in str(error_of(it))


def test_a_chunk_in_the_pipe_counts_at_the_deadline(bench: Make) -> None:
    it = Streams(bench(), timeout=10.0)
    it.bench.host.late = [frame_of(wire.CHUNK, it.request.request_id, b"a", count=1)]
    it.bench.scheduler.advance(15)
    assert (kills(it), it.receiver.bodies) == ({}, [b"a"])


def test_time_that_it_waits_for_its_reader_does_not_count(bench: Make) -> None:
    it = Streams(bench(), ahead=1, timeout=10.0, batch_timeout=25.0)
    it.at_its_payload()
    it.bench.scheduler.advance(9)
    it.chunk(b"a")
    it.bench.scheduler.advance(1000)
    assert kills(it) == {}
    it.credit()
    it.bench.scheduler.advance(9)  # 18 of its own
    it.chunk(b"b")
    it.bench.scheduler.advance(1000)
    it.credit()
    it.bench.scheduler.advance(6)
    assert kills(it) == {}
    it.bench.scheduler.advance(2)
    assert kills(it) == {"timeout": 1}
    assert (error_of(it).option, error_of(it).of) == ("batch_timeout", "stream")


def test_credit_while_it_goes_on_moves_no_deadline_away(bench: Make) -> None:
    it = Streams(bench(), ahead=5, timeout=10.0)
    it.at_its_payload()
    it.chunk(b"a")
    it.bench.scheduler.advance(9)
    it.credit()
    it.bench.scheduler.advance(2)
    assert kills(it) == {"timeout": 1}


def test_without_a_timeout_it_may_take_for_ever(bench: Make) -> None:
    it = Streams(bench(), timeout=None)
    it.chunk(b"a")
    it.bench.scheduler.advance(10_000)
    assert kills(it) == {}


# --- early ends


def test_a_reader_that_leaves_has_it_cancelled(bench: Make) -> None:
    it = Streams(bench())
    it.chunk(b"a")
    it.bench.close(it.run_queue)
    request = it.request.request_id
    assert it.bench.host.cancels() == [request]
    it.chunk(b"b")  # was under way
    it.bench.do(it.bench.host.say, frame_of(wire.CANCELLED, request))
    assert (it.receiver.bodies, it.outcomes) == ([b"a"], [])
    assert (it.bench.pool.in_pipes, kills(it)) == (0, {})
    it.bench.submit(it.bench.run_queue(), 1)
    assert len(it.bench.host.calls()) == 1


def test_the_end_has_the_timeout_whatever_chunks_come(bench: Make) -> None:
    it = Streams(bench(), ahead=100, timeout=10.0)
    it.at_its_payload()
    it.chunk(b"a")
    it.bench.close(it.run_queue)
    it.bench.scheduler.advance(9)
    it.chunk(b"b")
    it.bench.scheduler.advance(2)
    assert kills(it) == {"timeout": 1}
    assert it.outcomes == []  # no run wants it


def test_one_that_waits_has_a_deadline_once_it_is_left(bench: Make) -> None:
    it = Streams(bench(), ahead=1, timeout=10.0)
    it.at_its_payload()
    it.chunk(b"a")
    it.bench.scheduler.advance(100)
    it.bench.close(it.run_queue)
    it.credit()  # was under way
    assert it.credits() == []
    it.bench.scheduler.advance(11)
    assert kills(it) == {"timeout": 1}


def test_a_reply_after_the_cancel_is_late(bench: Make) -> None:
    it = Streams(bench())
    it.bench.close(it.run_queue)
    it.reply()
    assert (it.outcomes, it.bench.counts.late, it.bench.pool.in_pipes) == ([], 1, 0)


# --- deaths


def test_a_death_in_the_middle_is_its_outcome(bench: Make) -> None:
    it = Streams(bench())
    it.chunk(b"a")
    it.bench.do(lambda: it.bench.host.die(signal=9))
    assert isinstance(error_of(it), WorkerCrashed)
    assert it.job.spared == MOST_SPARED  # it is never redelivered from here on, even if the worker was at no item
    assert it.bench.counts.redelivered == 0


def test_a_death_before_it_began_spares_it(bench: Make) -> None:
    it = Streams(bench())
    it.bench.host.at = Progress(0, 0, 0.0)  # at no item of it, by its own word
    it.bench.do(lambda: it.bench.host.die(signal=9))
    it.bench.scheduler.advance(1)
    assert (it.outcomes, it.bench.counts.redelivered) == ([], 1)
    it.chunk(b"a")
    it.reply()
    assert it.receiver.bodies == [b"a"]


def test_a_failure_is_its_outcome(bench: Make) -> None:
    it = Streams(bench())
    it.chunk(b"a")
    it.bench.do(it.bench.host.say, failure_of(it.request.request_id))
    assert error_of(it).kind == wire.FAILURE


@pytest.mark.parametrize(
    ("cancelled", "now", "text"),
    [
        (False, 12.0, "the next chunk of a stream was not there within its timeout of 10 s (1 chunk had come)"),
        (
            False,
            25.0,
            "a stream was not done, without the time that it waited for its reader, within its",
        ),
        (True, 12.0, "a stream that was left did not end within its timeout of 10 s (1 chunk had come); the worker"),
    ],
)
def test_an_error_of_time_says_what_was_late(cancelled: bool, now: float, text: str) -> None:
    receiver: Any = Receiver()
    run_queue = RunQueue(max_in_flight=1, ahead=False, timeout=10.0, batch_timeout=20.0)
    job = StreamJob(run_queue, 1, 1, TARGET, receiver=receiver, window=ChunkWindow(1, 1), arrived=1)
    job.cancelled = cancelled
    assert text in str(timeout_of(job, Watch(), now))
