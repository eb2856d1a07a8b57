"""Frames and their parser, byte by byte."""

from __future__ import annotations

import mmap
import pickle
import tracemalloc
from typing import Any

import pytest
from support.parsing import read_in

from slither_actors.wire import buffer_pool, frames
from slither_actors.wire.buffer_pool import AHEAD
from slither_actors.wire.frames import (
    ALIGNMENT,
    BUFFER_SIZE,
    CALL,
    CANCEL,
    FROM_HOST,
    FROM_WORKER,
    HEADER,
    HEADER_SIZE,
    REPLY,
    Frame,
    FrameParser,
    ProtocolError,
    pack_frame,
    pack_header,
)
from slither_actors.wire.header import FIRST_ATTEMPT, FIRST_CALL


def whole(body: bytes, *, side: bytes = b"", buffers: bytes = b"", request_id: int = 7) -> bytes:
    header = pack_header(
        REPLY,
        request_id,
        attempt=2,
        flags=6,
        count=3,
        failed=1,
        side_len=len(side),
        body_len=len(body),
        buffers_len=len(buffers),
    )
    return header + side + body + buffers


def test_the_header_is_laid_out_as_the_protocol_says() -> None:
    assert HEADER_SIZE == 52
    packed = pack_header(
        CALL,
        1 << 63,
        attempt=2,
        flags=3,
        count=4,
        failed=5,
        side_len=6,
        body_len=1 << 40,
        buffers_len=8,
        took=9,
    )
    assert packed[:4] == b"SA\x03\x05"
    assert HEADER.unpack(packed)[3:] == (3, 2, 1 << 63, 6, 1 << 40, 8, 4, 5, 9)


def test_a_frame_comes_out_as_it_went_in() -> None:
    (frame,) = FrameParser().feed(whole(b"body", side=b"side", buffers=b"buffers"))
    assert (frame.kind, frame.request_id, frame.attempt, frame.flags) == (REPLY, 7, 2, 6)
    assert (frame.count, frame.failed) == (3, 1)
    assert (frame.side, frame.body, bytes(frame.buffers)) == (b"side", b"body", b"buffers")
    assert frame.size == HEADER_SIZE + 4 + 4 + 7
    assert "reply #7" in repr(frame)


@pytest.mark.parametrize("size", [0, 1, 1000, BUFFER_SIZE - HEADER_SIZE, BUFFER_SIZE - HEADER_SIZE + 1, 3_000_000])
@pytest.mark.parametrize("step", [997, 65_536, 1 << 30])
def test_frames_of_any_size_come_out_same_however_they_are_cut(size: int, step: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    parser = FrameParser()
    found = read_in(parser, whole(b"first") + whole(body, side=b"s") + whole(b"last"), step)
    assert [bytes(frame.body) for frame in found] == [b"first", body, b"last"]
    assert found[1].side == b"s"
    assert not parser.pending


def test_many_small_frames_come_out_of_one_read() -> None:
    data = b"".join(pack_frame(CANCEL, n) for n in range(1000))
    assert [frame.request_id for frame in FrameParser().feed(data)] == list(range(1000))


def test_frames_do_not_change_when_the_buffer_is_used_again() -> None:
    parser = FrameParser()
    (first,) = parser.feed(whole(b"first", buffers=b"11111"))
    parser.feed(whole(b"secon", buffers=b"22222"))
    assert (first.body, bytes(first.buffers)) == (b"first", b"11111")


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_out_of_band_buffers_can_be_written_to_and_are_aligned(size: int) -> None:
    numpy = pytest.importorskip("numpy")
    (frame,) = FrameParser().feed(whole(b"odd", side=b"s", buffers=bytes(size)))
    assert not frame.buffers.readonly
    assert numpy.frombuffer(frame.buffers, "u1").ctypes.data % ALIGNMENT == 0


def test_a_large_frame_is_not_copied_once_it_has_come() -> None:
    parser = FrameParser()
    data = whole(b"x" * 4_000_000)
    tracemalloc.start()
    try:
        found = read_in(parser, data, 1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found[0].body) == 4_000_000
    assert peak < 1.1 * 4_000_000


def test_the_memory_of_large_frames_is_kept_until_it_is_trimmed() -> None:
    parser = FrameParser()
    (first,) = read_in(parser, whole(b"1" * 1_000_000), 1 << 20)
    read_in(parser, whole(b"2" * 1_000_000), 1 << 20)
    assert parser.spares == 2
    parser.trim()
    assert parser.spares == 0
    assert first.body == b"1" * 1_000_000
    head, rest = whole(b"3" * 1_000_000)[:500_000], whole(b"3" * 1_000_000)[500_000:]
    assert read_in(parser, head, 1 << 20) == []
    parser.trim()  # in the middle of one
    (third,) = read_in(parser, rest, 1 << 20)
    assert third.body == b"3" * 1_000_000


def test_half_a_frame_is_pending() -> None:
    parser = FrameParser()
    assert not parser.pending
    data = whole(b"x" * 100)
    parser.feed(data[:20])
    assert parser.pending
    parser.feed(data[20:-1])
    assert parser.pending
    assert len(parser.feed(data[-1:])) == 1
    assert not parser.pending
    parser.end()


@pytest.mark.parametrize("cut", [3, 50, 500_000])
def test_an_end_inside_a_frame_is_an_error(cut: int) -> None:
    parser = FrameParser()
    parser.feed(whole(b"x" * 1_000_000)[:cut])
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            parser.end()
        assert caught.value.reason == "closed"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Hello, world!\n" * 10, "magic"),
        (b"H", "magic"),
        (b"SX", "magic"),
        (b"SA\x01" + pack_frame(REPLY)[3:], "version"),
        (b"SA\x03\x63" + pack_frame(REPLY)[4:], "kind"),
        (b"SA\x03\x00" + pack_frame(REPLY)[4:], "kind"),
        (pack_frame(CALL), "kind"),
    ],
)
def test_what_is_no_frame_or_may_not_come_here_is_refused(data: bytes, reason: str) -> None:
    parser = FrameParser(accepts=FROM_WORKER)
    with pytest.raises(ProtocolError) as caught:
        parser.feed(data)
    assert caught.value.reason == reason


def test_a_frame_that_announces_4_gib_is_refused_unallocated() -> None:
    for sections in ({"side_len": (1 << 32) - 1}, {"body_len": 1 << 32}, {"buffers_len": (1 << 64) - 1}):
        parser = FrameParser()
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError) as caught:
                parser.feed(pack_header(REPLY, 1, **sections))
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()
        assert caught.value.reason == "too_large"


def test_max_frame_covers_the_header_and_all_sections() -> None:
    data = whole(b"x" * 10, side=b"y" * 10, buffers=b"z" * 10)
    assert len(FrameParser(max_frame=len(data)).feed(data)) == 1
    with pytest.raises(ProtocolError):
        FrameParser(max_frame=len(data) - 1).feed(data)


def test_an_announcement_alone_costs_little_memory() -> None:
    parser = FrameParser()
    tracemalloc.start()
    try:
        parser.feed(pack_header(REPLY, 1, body_len=(1 << 30) - 100))
        parser.feed(b"x" * 1000)
        assert tracemalloc.get_traced_memory()[1] < AHEAD + 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [AHEAD // 2, 2 * AHEAD])
def test_a_frame_that_there_is_no_memory_for_is_protocol_error(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    parser = FrameParser()
    monkeypatch.setattr(buffer_pool, "bytearray", no_memory, raising=False)
    monkeypatch.setattr(mmap, "mmap", no_memory)
    with pytest.raises(ProtocolError) as caught:
        parser.feed(pack_header(CALL, 1, body_len=size))
    assert caught.value.reason == "too_large"


def test_a_frame_over_the_first_allocation_grows_as_it_comes() -> None:
    body = bytes(range(256)) * ((5 * AHEAD // 2) // 256)
    (frame,) = read_in(FrameParser(), whole(body, buffers=b"tail"), 1 << 20)
    assert frame.body == body
    assert frame.buffers == b"tail"


def test_after_an_error_every_call_raises_the_same() -> None:
    parser = FrameParser()
    with pytest.raises(ProtocolError) as first:
        parser.feed(b"garbage")
    for call in (parser.buffer, lambda: parser.received(0), lambda: parser.feed(b"x"), parser.end):
        with pytest.raises(ProtocolError) as again:
            call()
        assert again.value is first.value


def test_whole_frames_before_the_broken_place_can_be_had_once() -> None:
    parser = FrameParser()
    with pytest.raises(ProtocolError):
        parser.feed(whole(b"one") + whole(b"two") + b"garbage" * 20)
    assert [frame.body for frame in parser.salvage()] == [b"one", b"two"]
    assert parser.salvage() == []


def test_a_protocol_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(ProtocolError("magic", "the sentence")))
    assert (error.reason, error.detail, str(error)) == ("magic", "the sentence", "the sentence")


def test_each_kind_has_one_direction_and_a_name() -> None:
    assert not FROM_HOST & FROM_WORKER
    assert set(frames.KIND_NAMES) == FROM_HOST | FROM_WORKER
    assert len(set(frames.KIND_NAMES.values())) == 18


def test_the_header_of_a_first_call_is_that_of_any_frame() -> None:
    for kind in FROM_HOST:
        short = FIRST_CALL.pack(FIRST_ATTEMPT[kind], 7, 8, 9, 10)
        assert short == pack_header(kind, 7, attempt=1, side_len=8, body_len=9, count=10)


@pytest.mark.parametrize("max_frame", [100, 1 << 30])
@pytest.mark.parametrize(("attempt", "failed", "side"), [(1, 0, b""), (2, 0, b""), (1, 3, b""), (1, 0, b"side")])
def test_plain_replies_are_cut_as_all_frames_are(max_frame: int, attempt: int, failed: int, side: bytes) -> None:
    fields: Any = {"attempt": attempt, "failed": failed, "side": side, "count": 5, "took": 6}
    data = b"".join(pack_frame(REPLY, number, b"body", **fields) for number in (1, 2))
    parser = FrameParser(max_frame, FROM_WORKER)
    frames = parser.feed(data[:-1])
    assert [frame.request_id for frame in frames] == [1]
    frames += parser.feed(data[-1:])
    assert frames == [Frame(REPLY, 0, attempt, number, 5, failed, side, b"body", took=6) for number in (1, 2)]


def test_a_plain_reply_that_is_too_large_is_refused() -> None:
    parser = FrameParser(60, FROM_WORKER)
    with pytest.raises(ProtocolError):
        parser.feed(pack_frame(REPLY, 1, b"a" * 100, attempt=1, count=1))
