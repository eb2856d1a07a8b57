"""The frames of the raw loop, which is to lose nothing either."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from benchmarks.raw_pipe import BUFFER, Frames, framed, packer, unpack


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_frames_of_one_write_come_out_of_one_read(pipe: tuple[int, int]) -> None:
    read, write = pipe
    (data,) = framed([b"one", b"", b"three"])
    os.write(write, data)
    came: list[bytes] = []
    Frames(read).read(lambda frame: came.append(bytes(frame)))
    assert came == [b"one", b"", b"three"]


def test_a_frame_that_comes_in_pieces_is_one(pipe: tuple[int, int]) -> None:
    read, write = pipe
    (data,) = framed([b"one", b"two"])
    frames = Frames(read)
    came: list[bytes] = []
    for byte in bytes(data):
        os.write(write, bytes([byte]))
        assert frames.read(lambda frame: came.append(bytes(frame))) == 1
    assert came == [b"one", b"two"]


def test_frames_of_any_size_go_round_buffer_and_make_it_grow(pipe: tuple[int, int]) -> None:
    read, write = pipe
    sizes = (BUFFER // 3, 7, BUFFER // 2, BUFFER, 2 * BUFFER + 5, 1, BUFFER - 4)
    bodies = [bytes([size % 251]) * size for size in sizes]

    def send() -> None:
        for part in framed(bodies):
            view = memoryview(part)
            while view:
                view = view[os.write(write, view) :]

    sender = threading.Thread(target=send)
    sender.start()
    frames = Frames(read)
    came: list[bytes] = []
    while len(came) < len(bodies):
        assert frames.read(lambda frame: came.append(bytes(frame)))
    sender.join()
    assert came == bodies


def test_the_end_of_the_pipe_is_nothing(pipe: tuple[int, int]) -> None:
    read, write = os.pipe()
    os.close(write)
    try:
        assert Frames(read).read(lambda frame: None) == 0
    finally:
        os.close(read)


def test_arrays_of_floats_plain_values_come_out_as_they_were() -> None:
    numpy = pytest.importorskip("numpy")
    pack = packer()
    assert unpack(memoryview(pack([1, "two", b"three", {"four": 5.0}]))) == [1, "two", b"three", {"four": 5.0}]
    array = numpy.arange(5.0)
    assert (unpack(memoryview(pack([array])))[0] == array).all()
