"""Records on a worker's stderr: each is one bounded line, and what no worker has written is no record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.wire.log_lines import MARK, MOST, pack, unpack

TEXT = st.text(max_size=50)
FIELDS = st.tuples(
    st.integers(0, 50), TEXT, TEXT, TEXT, st.floats(0, 2e9), TEXT, TEXT, st.integers(0, 9999), TEXT, TEXT
)
RECORD = (20, "name", "message", "trace", 1.5, "path", "function", 3, "thread", "stack")


def with_field(index: int, value: object) -> tuple[Any, ...]:
    return (*RECORD[:index], value, *RECORD[index + 1 :])


@given(FIELDS)
def test_a_record_comes_back_as_it_was(fields: tuple[Any, ...]) -> None:
    line = pack(fields)
    assert line.startswith(MARK)
    assert line.index(b"\n") == len(line) - 1
    assert unpack(line) == fields


@pytest.mark.parametrize("character", ["x", "\x00", "\U0001f40d"])
@pytest.mark.parametrize("index", [2, 3, 9])
def test_a_long_text_keeps_its_beginning_and_end(index: int, character: str) -> None:
    line = pack(with_field(index, f"begin{character * 100_000}end"))
    assert len(line) <= MOST
    fields = unpack(line)
    assert fields is not None
    assert fields[index].startswith("begin")
    assert fields[index].endswith("end")
    assert "\n[...]\n" in fields[index]


def test_a_lone_surrogate_does_not_break_the_line() -> None:
    assert unpack(pack(with_field(2, "a\ud800b"))) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b"[" * 100_000,
        json.dumps(with_field(0, "20")).encode(),
        json.dumps(with_field(7, True)).encode(),
    ],
)
def test_what_no_worker_has_written_is_no_record(body: bytes) -> None:
    assert unpack(MARK + body + b"\n") is None
