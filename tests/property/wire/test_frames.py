"""Frames cut at any place come out the same. What any bytes give is tested in tests/fuzz."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slither_actors.wire import frames
from slither_actors.wire.frames import (
    BUFFER_SIZE,
    FROM_HOST,
    FROM_WORKER,
    SHARED,
    Frame,
    FrameParser,
    ProtocolError,
    pack_header,
)

U32 = st.integers(0, 2**32 - 1)
# Mostly small; some around the size of the buffer, where the parser changes its way of reading.
sections = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda size, byte: bytes([byte]) * size,
        st.integers(BUFFER_SIZE - 60, BUFFER_SIZE + 60),
        st.integers(0, 255),
    ),
)
frame_values = st.builds(
    Frame,
    kind=st.sampled_from(sorted(FROM_HOST | FROM_WORKER)),
    flags=st.integers(0, 2**15 - 1).map(lambda flags: 2 * flags),  # the lowest one says how the buffers come
    attempt=st.integers(0, 2**16 - 1),
    request_id=st.integers(0, 2**64 - 1),
    count=U32,
    failed=U32,
    side=st.binary(max_size=50),
    body=sections,
    buffers=st.one_of(st.just(b""), sections).map(memoryview),
)


def packed(frame: Frame) -> bytes:
    header = pack_header(
        frame.kind,
        frame.request_id,
        attempt=frame.attempt,
        flags=frame.flags,
        count=frame.count,
        failed=frame.failed,
        side_len=len(frame.side),
        body_len=len(frame.body),
        buffers_len=len(frame.buffers),
    )
    return b"".join((header, frame.side, frame.body, frame.buffers))


@given(st.lists(frame_values, max_size=5), st.lists(st.floats(0, 1), max_size=10))
def test_frames_cut_at_any_place_come_out_the_same(given_frames: list[Frame], cuts: list[float]) -> None:
    data = b"".join(map(packed, given_frames))
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    parser = FrameParser()
    found = []
    for start, stop in itertools.pairwise(places):
        found += parser.feed(data[start:stop])
    assert found == given_frames
    assert not parser.pending


@given(st.lists(frame_values, max_size=4), st.integers(0, 2**64 - 1), st.integers(0, 2**20), st.integers(1, 100_000))
def test_of_shared_buffers_only_the_offset_is_in_the_stream(
    given_frames: list[Frame], offset: int, size: int, step: int
) -> None:
    data = b""
    for frame in given_frames:
        frame.flags, frame.buffers = frame.flags | SHARED, memoryview(offset.to_bytes(8, "little"))
        frame.shared_size = size
        header = pack_header(
            frame.kind,
            frame.request_id,
            attempt=frame.attempt,
            flags=frame.flags,
            count=frame.count,
            failed=frame.failed,
            side_len=len(frame.side),
            body_len=len(frame.body),
            buffers_len=size,
        )
        data += b"".join((header, frame.side, frame.body, frame.buffers))
    parser = FrameParser()
    step = max(step, len(data) // 50)
    found = [frame for at in range(0, len(data), step) for frame in parser.feed(data[at : at + step])]
    assert found == given_frames
    assert not parser.pending


@given(frame_values, st.data())
def test_a_damaged_header_is_a_frame_a_wait_or_a_protocol_error(frame: Frame, data: Any) -> None:
    raw = bytearray(packed(frame))
    raw[data.draw(st.integers(0, frames.HEADER_SIZE - 1))] = data.draw(st.integers(0, 255))
    parser = FrameParser(max_frame=1 << 20)
    try:
        parser.feed(raw)
    except ProtocolError:
        return
    assert parser.pending or not parser.salvage()
