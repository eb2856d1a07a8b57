"""Reading JSON Lines: as they come, in flat memory, with a reason for each line that is none."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.cli.lines import CHUNK, LineSource, MalformedLine, parse_line


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            pass  # closed by the test


def lines_of_file(path: Path, **options: Any) -> list[tuple[int, bytes | None]]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return list(LineSource(fd, **options))
    finally:
        os.close(fd)


@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line), max_size=20), st.booleans())
def test_what_was_written_as_lines_is_read_as_lines(lines: list[bytes], ended: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    expected = data.split(b"\n")
    if expected[-1] == b"":  # a line feed ends a line; it begins none
        expected.pop()
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    try:
        assert list(LineSource(reading)) == list(enumerate(expected, 1))
    finally:
        os.close(reading)


def test_lines_longer_than_a_chunk_come_whole(tmp_path: Path) -> None:
    path = tmp_path / "input"
    long = b"x" * (3 * CHUNK + 1)
    path.write_bytes(b"a\n" + long + b"\nb\n" + long)
    assert lines_of_file(path) == [(1, b"a"), (2, long), (3, b"b"), (4, long)]


def test_a_line_over_the_limit_is_none_and_next_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"y" * 100 + b"\n" + b"x" * (5 * CHUNK) + b"\nb\n" + b"z" * 101)
    assert lines_of_file(path, max_line=100) == [(1, b"y" * 100), (2, None), (3, b"b"), (4, None)]


def test_a_line_comes_at_its_end_though_the_pipe_stays_open(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    source = iter(LineSource(reading))
    os.write(writing, b"1\n2\n3")
    assert next(source) == (1, b"1")
    assert next(source) == (2, b"2")
    os.write(writing, b"3\n")
    assert next(source) == (3, b"33")


def test_a_reader_that_waits_ends_when_it_is_stopped(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b"1\n")
    source = LineSource(reading)
    lines = iter(source)
    assert next(lines) == (1, b"1")
    timer = threading.Timer(0.02, source.stop)
    timer.start()
    assert list(lines) == []  # and does not wait without end
    timer.join()


def test_a_file_is_not_read_on_once_stopped(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"1\n" * 10)
    with path.open("rb") as file:
        source = LineSource(file.fileno())
        lines = iter(source)
        next(lines)
        source.stop()
        assert list(lines) == []


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(reading, False)
    source = iter(LineSource(reading))
    timer = threading.Timer(0.02, os.write, (writing, b"late\n"))
    timer.start()
    assert next(source) == (1, b"late")
    timer.join()


def test_a_file_says_how_much_of_it_is_done_and_a_pipe_does_not(tmp_path: Path, pipe: tuple[int, int]) -> None:
    assert LineSource(pipe[0]).size is None
    path = tmp_path / "input"
    path.write_bytes(b"one\ntwo\n")
    with path.open("rb") as file:
        source = LineSource(file.fileno())
        lines = iter(source)
        assert (source.size, source.offset) == (8, 0)
        next(lines)
        assert source.offset == 4
        assert len(list(lines)) == 1
        assert source.offset == 8


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"1", 1),
        (b' {"a": [1.5, null, true]} \r', {"a": [1.5, None, True]}),
        (b'"\xc3\xa4"', "\u00e4"),
        (b'"\\ud800"', "\ud800"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"\xef\xbb\xbf1", 1),
    ],
)
def test_a_line_is_one_json_value(line: bytes, value: object) -> None:
    assert parse_line(1, line) == value


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "Expecting property name enclosed in double quotes at column 2"),
        (b"1 2", "Extra data at column 3"),
        (b"'a'", "Expecting value at column 1"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'"a\xff"', "not UTF-8 at byte 3: invalid start byte; if it is Latin-1: iconv -f LATIN1 -t UTF-8 FILE"),
        (b"[" * 200_000, "nested too deeply"),
        (b"9" * 5000, "Exceeds the limit"),
        (b"\xef\xbb\xbf1", "Expecting value at column 1"),
        (None, "longer than 64 MiB"),
    ],
)
def test_a_line_that_is_not_json_has_its_number_and_reason(line: bytes | None, reason: str) -> None:
    with pytest.raises(MalformedLine) as raised:
        parse_line(17, line)
    assert raised.value.line == 17
    assert raised.value.reason.startswith(reason)
    assert str(raised.value) == f"line 17: {raised.value.reason}"


@given(st.binary(max_size=30))
def test_any_bytes_are_a_value_or_a_malformed_line(line: bytes) -> None:
    try:
        parse_line(1, line)
    except MalformedLine:
        pass


def test_a_malformed_line_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(MalformedLine(3, "no", "text")))
    assert (error.line, error.reason, error.text) == (3, "no", "text")
