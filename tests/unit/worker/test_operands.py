"""A function of one value that got the list, and one of lists that got one value, each by what its error took."""

# ruff: noqa: PLW0108 - what is looked at is the code that passes an argument on

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from slither_actors.worker.hints import clause
from slither_actors.worker.operands import Raised

TAGGED = [{"a": 1, "tags": []}, {"a": 2, "tags": [1]}]


def clause_of(function: Callable[[Any], object], given: Any, each: bool) -> str:
    try:
        function(given)
    except Exception as error:
        return clause(error, given, each)
    raise AssertionError("it did not raise")


def adds_up(row: Any) -> Any:
    row["a"] += 1
    return row


def compares(row: Any) -> Any:
    return [] if 0 < row < 3 else row


def has_a_list(row: Any) -> Any:
    found: list[Any] = []
    size = 1.5
    found.append(row * size)
    return found


def of_a_closure(row: Any) -> Any:
    read = lambda: row["a"]  # noqa: E731
    return read()


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda row: row["a"], TAGGED),
        (lambda row: row["a"]["b"], TAGGED),
        (lambda row: {**row}, TAGGED),
        (lambda row: f"{row:.2f}", [[1.0]]),
        (lambda x: x * 1.5, [1.5, 2.5]),
        (lambda x: 1.5 * x, [1.5, 2.5]),
        (lambda x: -x, [1, 2]),
        (lambda x: x + 1, [[1]]),
        (lambda x: x > 3, [[1]]),
        (lambda x: x in {1, 2}, [1]),
        (lambda x: date.fromisoformat(x), ["2024-01-02"]),
        (lambda x: hashlib.sha256(x), [b"a"]),
        (lambda x: hashlib.sha256(x), ["a"]),
        (lambda x: Decimal(x), ["1"]),
        (lambda x: Decimal(x), ["1", "2", "3"]),
        (lambda x: int(x), ["1"]),
        (lambda row: json.dumps(len(int(row))), [{"tags": []}]),
        (adds_up, TAGGED),
        (compares, [1, 2]),
        (has_a_list, [1.5]),
        (of_a_closure, TAGGED),
        (date.fromisoformat, ["2024-01-02"]),
        (hashlib.sha256, [b"a"]),
        (Decimal, ["1"]),
    ],
)
def test_what_took_the_list_says_so(function: Callable[[Any], object], given: Any) -> None:
    assert "called with a list of" in clause_of(function, given, False)


def first_of_them(rows: Any) -> Any:
    return rows[0]["tags"]["a"]


def row_by_row(rows: Any) -> Any:
    for row in rows:
        row["tags"]["a"] = 1


def raises(rows: Any) -> Any:
    raise TypeError("what was expected must be something else")


def two_arguments(rows: Any, more: Any) -> Any: ...


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (first_of_them, TAGGED),
        (row_by_row, TAGGED),
        (lambda rows: [row["tags"]["a"] for row in rows], TAGGED),
        (lambda rows: [row["a"] + "x" for row in rows], TAGGED),
        (lambda rows: [row * 1.5 for row in rows], ["a"]),
        (lambda rows: [Decimal(row) for row in rows], [[1]]),
        (lambda rows: rows[0] * 1.5, ["a"]),
        (lambda rows: rows[0]["a"] + "x", TAGGED),
        (lambda rows: rows[len(rows) / 2], [1, 2]),
        (lambda rows: ",".join(rows), [1]),
        (lambda rows: ",".join(rows), ["a", None]),
        (lambda rows: math.fsum(rows), ["1"]),
        (lambda rows: sum(rows), ["1"]),
        (lambda rows: sum(rows), [{"a": 1}]),
        (lambda rows: set(rows), [[1]]),
        (lambda rows: set(rows), TAGGED),
        (lambda rows: dict(rows), [1]),
        (lambda rows: sorted(rows, key=operator.itemgetter("a")), [{"a": 1}, {"a": []}]),
        (lambda rows: two_arguments(rows), [1]),
        (lambda rows: math.hypot(rows, more=1), ["a"]),
        (lambda rows: float("x"), [1]),
        (lambda rows: list(map(int, rows)), ["x"]),
        (raises, [1]),
        (math.fsum, ["1"]),
    ],
)
def test_what_went_wrong_with_an_element_is_left_alone(function: Callable[[Any], object], given: Any) -> None:
    assert clause_of(function, given, False) == ""


def in_a_loop(rows: Any) -> Any:
    for row in rows:
        print(row["a"])


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda xs: [x["a"] for x in xs], {"a": 1}),
        (lambda xs: {x["a"] for x in xs}, {"a": 1}),
        (lambda xs: sum(x["a"] for x in xs), {"a": 1}),
        (lambda xs: [x.get("a") for x in xs], {"a": 1}),
        (in_a_loop, {"a": 1}),
        (lambda xs: xs + [1], 1),  # noqa: RUF005
        (lambda xs: xs + [1], "a"),  # noqa: RUF005
        (lambda xs: [1] + xs, {"a": 1}),  # noqa: RUF005
        (lambda xs: [*xs], 1),
        (lambda xs: print(*xs), 1.5),
        (lambda xs: xs[::-1], {"a": 1}),
        (lambda xs: xs[::-1], 1),
    ],
)
def test_what_took_one_value_for_a_list_says_so(function: Callable[[Any], object], given: Any) -> None:
    assert "called with one payload" in clause_of(function, given, True)


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda row: row["a"]["b"], {"a": "x"}),
        (lambda row: [x["b"] for x in row["a"]], {"a": "x"}),
        (lambda row: [x["b"] for x in row["a"]], {"a": {"b": 1}}),
        (lambda row: [row[x]["b"] for x in row], {"a": "x"}),
        (lambda row: row["a"] + [1], {"a": 1}),
        (lambda row: [*row["a"]], {"a": 1}),
        (lambda row: [x.get("b") for x in row.values()], {"a": "x"}),
        (lambda row: row + 1, "a"),
        (lambda row: row["b"], {"a": 1}),
    ],
)
def test_what_is_wrong_in_one_value_is_left_alone(function: Callable[[Any], object], given: Any) -> None:
    assert clause_of(function, given, True) == ""


def test_what_a_branch_has_loaded_is_not_known() -> None:
    row = {"a": 1}
    with pytest.raises(TypeError) as caught:
        abs(row if "a" in row else None)  # type: ignore[arg-type]
    raised = Raised(caught.tb)
    assert raised.is_call
    assert not raised.took(row)
