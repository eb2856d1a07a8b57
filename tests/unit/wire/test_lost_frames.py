"""Frames for which there is no memory."""

from __future__ import annotations

import pytest
from support.parsing import read_in

from slither_actors.wire import buffer_pool
from slither_actors.wire.frames import (
    CALL,
    HEADER_SIZE,
    FrameParser,
    LostFrame,
    ProtocolError,
    pack_frame,
    pack_header,
)

SIZE = 1_000_000


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """For large frames, that is."""

    def none(size: int) -> bytearray:
        raise MemoryError

    monkeypatch.setattr(buffer_pool, "_memory", none)


@pytest.mark.parametrize("step", [999, 65_536, 1 << 30])
def test_a_frame_without_memory_is_read_to_its_end(step: int) -> None:
    parser = FrameParser(loses=True)
    large = pack_header(CALL, 2, attempt=3, count=4, side_len=10, body_len=SIZE, buffers_len=20) + bytes(SIZE + 30)
    data = pack_frame(CALL, 1, b"first") + large + pack_frame(CALL, 3, b"last")
    first, lost, last = read_in(parser, data, step)
    assert (first.body, last.body) == (b"first", b"last")
    assert type(lost) is LostFrame
    assert (lost.kind, lost.request_id, lost.attempt, lost.count) == (CALL, 2, 3, 4)
    assert (lost.side, lost.body, lost.size) == (b"", b"", HEADER_SIZE + SIZE + 30)
    assert not parser.pending


def test_half_a_lost_frame_is_pending() -> None:
    parser = FrameParser(loses=True)
    read_in(parser, pack_header(CALL, 1, body_len=SIZE) + b"x" * 1000, 1 << 30)
    assert parser.pending
    with pytest.raises(ProtocolError, match="inside a frame, 1000 bytes"):
        parser.end()


def test_one_who_must_not_lose_any_breaks_off_in_time() -> None:
    parser = FrameParser()
    with pytest.raises(ProtocolError, match="no memory") as caught:
        parser.feed(pack_frame(CALL, 1, b"first") + pack_header(CALL, 2, body_len=SIZE))
    assert caught.value.reason == "too_large"
    assert [frame.body for frame in parser.salvage()] == [b"first"]
    with pytest.raises(ProtocolError) as again:
        parser.buffer()
    assert again.value is caught.value
