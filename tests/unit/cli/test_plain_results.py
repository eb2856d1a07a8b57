"""Results that are no JSON by themselves: what is written of them, and what is refused with a remedy."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pathlib
import uuid
from typing import Any

import numpy as np
import pytest
from support.ids import stable

from slither_actors.cli.records import NotJson, json_line

DAY = np.array([("2024-01-02", 1)], dtype=[("at", "M8[ns]"), ("n", "i4")])
SPANS = np.zeros((2, 1), dtype=[("for", "m8[ns]"), ("in", [("at", "M8[D]", 2), ("x", "g")])])
MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.int64(3), 3),
        (np.uint8(255), 255),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.arange(3), [0, 1, 2]),
        (np.ones((2, 1)), [[1.0], [1.0]]),
        (np.array(7), 7),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        (np.datetime64("2024-01-02T03:04:05.000000006"), "2024-01-02T03:04:05.000000006"),
        (DAY, [["2024-01-02T00:00:00.000000000", 1]]),
        (DAY[0], ["2024-01-02T00:00:00.000000000", 1]),
        (SPANS, [[["0 nanoseconds", [["1970-01-01", "1970-01-01"], 0.0]]]] * 2),
        (np.zeros(0, dtype=[("at", "M8[ns]")]), []),
        (np.zeros((2, 0), dtype=[("at", "M8[ns]")]), [[], []]),
        (np.longdouble(0.5), 0.5),
        (np.ones((1, 2), dtype=np.longdouble), [[1.0, 1.0]]),
        ({np.longdouble(0.5): 1}, {"0.5": 1}),
        ({"a": [np.int8(1), {"b": np.float16(2)}]}, {"a": [1, {"b": 2.0}]}),
        ({np.int64(1): 2, "k": {np.str_("x"): 3}}, {"1": 2, "k": {"x": 3}}),
        (decimal.Decimal("1.50"), "1.50"),
        (MOMENT, "2024-01-02T03:04:05+00:00"),
        (MOMENT.date(), "2024-01-02"),
        (dt.time(1, 2), "01:02:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.Path("a/b"), "a/b"),
        ({MOMENT.date(): 1, uuid.UUID(int=1): 2}, {"2024-01-02": 1, "00000000-0000-0000-0000-000000000001": 2}),
        (["cut \ud83d", {"\ud83d": np.int64(1)}], ["cut \ud83d", {"\ud83d": 1}]),
    ],
    ids=stable,
)
def test_it_is_written_as_json(value: Any, written: Any) -> None:
    line = json_line(value)
    assert json.loads(line) == written
    assert line.endswith(b"\n")


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ({1}, "return a list of it"),
        (frozenset(), "return a list of it"),
        (b"x", "return text"),
        (np.bytes_(b"x"), "return text"),
        (np.array([b"x"]), "return text"),
        (1j, ".real and .imag"),
        (np.complex64(1j), ".real and .imag"),
        (np.clongdouble(1j), ".real and .imag"),
        (np.ones(1, dtype=np.clongdouble), ".real and .imag"),
        (np.longdouble("nan"), "return None"),
        (dt.timedelta(1), ".total_seconds()"),
        (float("nan"), "return None"),
        ([{"a": float("-inf")}], "return None"),
        (np.float32("nan"), "return None"),
        (np.array([1.0, np.inf]), "return None"),
        ({(1, 2): 3}, "keys that are text or numbers"),
        ({b"k": 3}, "return text"),
        (object(), "return plain data"),
    ],
    ids=stable,
)
def test_what_json_cannot_say_is_refused_with_a_remedy(value: Any, remedy: str) -> None:
    with pytest.raises(NotJson, match="the result is not JSON: ") as caught:
        json_line(value)
    assert remedy in str(caught.value)
