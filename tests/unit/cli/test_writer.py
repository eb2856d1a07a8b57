"""Writing lines: gathered, flushed, and never lost without a word."""

from __future__ import annotations

import os
import pty
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from slither_actors.cli.writer import FLUSH_BYTES, LineWriter, WriteFailed


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            pass  # closed by the test


def read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""


def test_lines_wait_for_company_until_they_are_flushed(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, "output")
    writer.write(b"1\n")
    writer.write(b"2\n")
    assert read(reading) == b""
    writer.flush()
    assert read(reading) == b"1\n2\n"
    writer.flush()
    assert read(reading) == b""


def test_enough_lines_are_written_without_being_flushed(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, "output")
    line = b"x" * 1023 + b"\n"
    for _ in range(FLUSH_BYTES // len(line)):
        writer.write(line)
    assert len(read(reading)) == FLUSH_BYTES


def test_reader_that_went_away_is_told_as_closed_and_told_again(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, "output")
    os.close(reading)
    writer.write(b"1\n")
    for attempt in (writer.flush, writer.flush, lambda: writer.write(b"2\n")):
        with pytest.raises(WriteFailed, match="output: Broken pipe") as raised:
            attempt()
        assert raised.value.closed


def closed_socket() -> int:
    """A connection whose reader has reset it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        writing = socket.create_connection(server.getsockname())
        reading, _ = server.accept()
        reading.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reading.close()
    return writing.detach()


def closed_terminal() -> int:
    """A terminal whose other side has been closed."""
    other, terminal = pty.openpty()
    os.close(other)
    return terminal


@pytest.mark.parametrize("closed", [closed_socket, closed_terminal])
def test_sockets_and_terminals_are_closed_like_pipes(closed: Callable[[], int]) -> None:
    fd = closed()
    try:
        writer = LineWriter(fd, "output")
        writer.write(b"1\n")
        with pytest.raises(WriteFailed) as raised:
            writer.flush()
        assert raised.value.closed
    finally:
        os.close(fd)


def test_lines_are_counted_however_many_writes_they_take(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, "output")
    for number in range(5):
        writer.write(b"%d\n" % number)
    assert writer.written == 0
    writer.flush()
    writer.write(b"6\n")
    writer.flush_what_fits()
    assert writer.written == 6
    assert len(read(reading)) == 12


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_with_the_name_of_the_file() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = LineWriter(fd, "results.jsonl")
        writer.write(b"1\n")
        with pytest.raises(WriteFailed, match=r"results\.jsonl: No space left on device") as raised:
            writer.flush()
        assert not raised.value.closed
        assert writer.written == 0
    finally:
        os.close(fd)


def test_a_pipe_that_is_full_and_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    os.set_blocking(reading, True)
    line = b"y" * 999 + b"\n"
    got = bytearray()

    def drain() -> None:
        while len(got) < 1_000_000:
            got.extend(os.read(reading, 1 << 16))

    thread = threading.Thread(target=drain)
    thread.start()
    writer = LineWriter(writing, "output")
    for _ in range(1000):
        writer.write(line)
    writer.flush()
    thread.join()
    assert bytes(got) == line * 1000


def test_end_that_cannot_wait_writes_what_fits_and_forgets_rest(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, "output")
    writer.write(b"1\n")
    writer.flush_what_fits()
    assert read(reading) == b"1\n"
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"z" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    writer.write(b"2\n")
    writer.flush_what_fits()
    writer.flush()
    assert b"2" not in read(reading)


def test_a_terminal_is_asked_for_room_before_each_write(pipe: tuple[int, int]) -> None:
    asked: list[bytes] = []
    writer = LineWriter(pipe[1], "output", before_write=lambda: asked.append(read(pipe[0])))
    writer.flush()
    assert asked == []
    writer.write(b"1\n")
    writer.flush()
    assert asked == [b""]
    assert read(pipe[0]) == b"1\n"
