"""What a line of the output, and of the errors, looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slither_actors.cli.lines import MalformedLine
from slither_actors.cli.records import NotJson, brief, error_record, json_line
from slither_actors.errors import BatchTimeout, LoadError, StartTimeout, WorkerError


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (-1, b"-1\n"),
        ({"a": [1.5, None, True], "b": "\u00e4"}, '{"a":[1.5,null,true],"b":"\u00e4"}\n'.encode()),
        ((1, 2), b"[1,2]\n"),
        ("two\nlines", b'"two\\nlines"\n'),
        ("\ud800", b'"\\ud800"\n'),
    ],
)
def test_a_result_is_one_line_of_json(value: object, line: bytes) -> None:
    assert json_line(value) == line


def nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize("value", [{1}, b"bytes", float("nan"), [float("inf")], object(), {(1, 2): 3}])
def test_a_result_that_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(NotJson, match="the result is not JSON: "):
        json_line(value)


def test_a_result_nested_too_deeply_or_in_itself_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    for value in (nested(), cycle):
        with pytest.raises(NotJson):
            json_line(value)


def test_a_workers_exception_has_type_message_and_traceback() -> None:
    error = WorkerError("builtins.ValueError", "bad\nvalue", "Traceback ...")
    assert error_record(7, {"x": 1}, error) == {
        "line": 7,
        "input": {"x": 1},
        "error": {"type": "builtins.ValueError", "message": "bad\nvalue", "traceback": "Traceback ..."},
    }
    assert brief(error) == "ValueError: bad"


def test_other_failures_are_told_by_type_and_message() -> None:
    record = error_record(1, 2, BatchTimeout(1.5))
    assert record["error"]["type"] == "BatchTimeout"
    assert "1.5" in record["error"]["message"]
    json_line(record)


@pytest.mark.parametrize("error", [BatchTimeout(1.5), StartTimeout(1.5), LoadError("m:f", StartTimeout(1.5))])
def test_where_a_worker_hung_is_told_where_it_is_known(error: Any) -> None:
    assert "stack" not in error_record(1, 2, error)["error"]
    error.stack = "in the main thread:\n  here\n"
    assert error_record(1, 2, error)["error"]["stack"] == "in the main thread:\n  here"


def test_a_malformed_line_is_told_with_its_text() -> None:
    error = MalformedLine(3, "Expecting value at column 1", "x")
    assert error_record(3, error.text, error) == {
        "line": 3,
        "input": "x",
        "error": {"type": "MalformedLine", "message": "Expecting value at column 1"},
    }


def test_records_are_json() -> None:
    assert json.loads(json_line(error_record(1, None, RuntimeError()))) == {
        "line": 1,
        "input": None,
        "error": {"type": "RuntimeError", "message": ""},
    }
    assert brief(RuntimeError()) == "RuntimeError"
