"""What the reader of a stream makes of its messages, and when it returns credit."""

from __future__ import annotations

import os
from typing import Any

import pytest

from slither_actors import DispatchError, ForkedSystemError, StreamBroken, StreamClosed, UnexpectedResponse
from slither_actors.chunk_options import ChunkOptions
from slither_actors.pools.assignment import stream_job
from slither_actors.runs.chunks import opening, reader, relay, stream
from slither_actors.runs.chunks.messages import ChunkFrames, CloseStream, ReaderLink, StreamEnd, Taken
from slither_actors.runs.chunks.reader import ChunkReader
from slither_actors.runs.messages import StreamWasClosed
from slither_actors.wire.codec import encode
from slither_actors.wire.header import CHUNK, HEADER_SIZE, Frame
from supervisors import WouldDeadlock
from supervisors.testing import ManualScheduler

assert {opening, relay, stream, stream_job}  # used through these here


class Bench:
    """A reader whose relay and inbox are the test."""

    def __init__(self, error: Exception | None = None, **bounds: Any) -> None:
        self.sent: list[Any] = []
        self.woken: list[Any] = []
        self.error = error
        self.now = 0.0
        self.reader = ChunkReader(self.start, ChunkOptions(**bounds), lambda: self.now)

    def start(self, inbox: Any, link: ReaderLink) -> None:
        self.link = link
        if self.error is not None:
            raise self.error
        link.relay = self  # type: ignore[assignment]

    def tell(self, message: Any) -> None:
        self.sent.append(message)

    def put(self, message: Any) -> None:
        self.woken.append(message)

    def begin(self) -> Bench:
        self.reader.claim()
        self.reader.begin(self)
        return self

    def come(self, *bodies: bytes) -> None:
        self.reader.received(ChunkFrames([Frame(CHUNK, 0, 1, 1, 1, 0, b"", body) for body in bodies]))

    def take(self, count: int) -> list[Any]:
        return [self.reader.take() for _ in range(count)]


def test_chunks_come_out_in_their_order() -> None:
    it = Bench().begin()
    assert not it.reader.ready
    it.come(encode(1), encode("two"))
    it.come(encode([3]))
    assert it.take(3) == [1, "two", [3]]
    assert (it.reader.ready, it.reader.delivered, it.reader.over) == (False, 3, False)
    it.reader.received(StreamEnd(None))
    assert it.reader.over


def test_credit_is_returned_by_halves() -> None:
    it = Bench(max_ahead=8).begin()
    it.come(*[encode(0)] * 8)
    it.take(3)
    assert it.sent == []
    it.take(5)
    assert it.sent == [Taken(4), Taken(4)]


@pytest.mark.parametrize("max_ahead", [1, 2])
def test_of_one_or_two_each_is_returned_at_once(max_ahead: int) -> None:
    it = Bench(max_ahead=max_ahead).begin()
    it.come(encode(0), encode(0))
    it.take(2)
    assert it.sent == [Taken(1), Taken(1)]


def test_half_of_the_bytes_is_enough() -> None:
    it = Bench(max_ahead=100, max_ahead_bytes=4 * HEADER_SIZE).begin()
    it.come(*[encode(0)] * 4)
    it.take(4)
    assert it.sent == [Taken(2), Taken(2)]


def test_a_chunk_taken_is_noted_with_its_time() -> None:
    it = Bench().begin()
    it.come(encode(0))
    it.now = 7.0
    it.take(1)
    assert it.link.taken_at == 7.0


def test_an_error_before_the_first_chunk_is_no_broken_stream() -> None:
    it = Bench().begin()
    cause = ValueError("why")
    with pytest.raises(DispatchError, match="the stream failed: ValueError: why") as caught:
        it.reader.received(StreamEnd(cause))
    assert type(caught.value) is DispatchError
    assert caught.value.reason is caught.value.__cause__ is cause


@pytest.mark.parametrize(("count", "text"), [(1, "after 1 chunk: "), (2, "after 2 chunks: ")])
def test_an_error_after_it_has_the_count(count: int, text: str) -> None:
    it = Bench().begin()
    it.come(*[encode(0)] * count)
    it.take(count)
    with pytest.raises(StreamBroken, match=text) as caught:
        it.reader.received(StreamEnd(ValueError("why")))
    assert caught.value.delivered == count


def test_a_chunk_that_cannot_be_decoded_is_named() -> None:
    it = Bench().begin()
    it.come(encode(0), b"\xc1")
    it.take(1)
    with pytest.raises(StreamBroken, match="chunk 1 cannot be decoded in this process") as caught:
        it.take(1)
    assert isinstance(caught.value.reason, UnexpectedResponse)


def test_a_close_goes_to_the_relay_once_and_wakes_the_reader() -> None:
    it = Bench().begin()
    it.come(encode(0))
    it.reader.close()
    it.reader.close()
    assert (it.sent, it.woken) == ([CloseStream()], [StreamWasClosed()])
    with pytest.raises(StreamClosed):
        it.take(1)
    with pytest.raises(StreamClosed):
        it.reader.received(StreamEnd(None))


def test_one_that_was_closed_does_not_begin() -> None:
    it = Bench()
    it.reader.close()
    with pytest.raises(StreamClosed, match="before it was read"):
        it.reader.claim()
    assert it.sent == []


def test_one_that_is_closed_as_it_starts_is_let_go() -> None:
    it = Bench()
    it.reader.claim()
    it.reader.close()
    with pytest.raises(StreamClosed):
        it.reader.begin(it)


def test_one_that_is_read_is_not_read_again() -> None:
    it = Bench().begin()
    with pytest.raises(RuntimeError, match="being read already"):
        it.reader.claim()


def test_what_its_start_raises_comes_out() -> None:
    it = Bench(KeyError("start"))
    with pytest.raises(KeyError):
        it.begin()
    it.reader.close()
    assert it.sent == []


def test_a_forked_process_reads_nothing_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    it, other = Bench().begin(), Bench()
    pid = os.getpid()
    monkeypatch.setattr(reader, "getpid", lambda: pid + 1)
    with pytest.raises(ForkedSystemError):
        other.reader.claim()
    it.reader.close()
    assert it.sent == []


def test_at_the_interpreters_end_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    it, other = Bench().begin(), Bench()
    monkeypatch.setattr(reader, "is_finalizing", lambda: True)
    with pytest.raises(Exception, match="the interpreter is shutting down"):
        other.reader.claim()
    it.reader.close()
    assert (it.sent, it.woken) == ([], [])


def test_a_schedulers_thread_is_refused(manual: ManualScheduler) -> None:
    it, raised = Bench(), list[BaseException]()

    def claim() -> None:
        try:
            it.reader.claim()
        except WouldDeadlock as error:
            raised.append(error)

    manual.post(claim)
    manual.run_until_idle()
    assert len(raised) == 1
