"""Functions called in the wrong way, or with a result that does not travel."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import re
from collections import Counter
from typing import Any


def gets(row: Any) -> Any:
    return row.get("x")


def indexes(row: Any) -> Any:
    return row["x"]


def adds(row: Any) -> Any:
    return row + 1


def compares(row: Any) -> Any:
    return [] if row > 3 else row


def uppers(row: Any) -> Any:
    return row.upper()


def root(row: Any) -> Any:
    return math.sqrt(row)


def parses(row: Any) -> Any:
    return json.loads(row)


def matches(row: Any) -> Any:
    return re.match("a", row)


def number(row: Any) -> Any:
    return int(row)


def length(rows: Any) -> Any:
    return len(rows)


def own_list(rows: Any) -> Any:
    out: Any = []
    return out.get("x")


def own_list_in_a_sum(rows: Any) -> Any:
    out: Any = []
    return out + 1


def lists_inside(rows: Any) -> Any:
    for row in rows:
        row["tags"].lower()


def lists_inside_indexed(rows: Any) -> Any:
    return [row["tags"]["x"] for row in rows]


def unrelated(rows: Any) -> Any:
    raise TypeError("a list of things that went wrong")


def doubles(rows: Any) -> Any:
    return [2 * row for row in rows]


def measures(rows: Any) -> Any:
    return [0] * len(rows)


def first(rows: Any) -> Any:
    return rows[0]


def sums(rows: Any) -> Any:
    return sum(rows)


def copies(rows: Any) -> Any:
    return rows.copy().append(1)


def none_inside(row: Any) -> Any:
    return [x for x in row["x"]]  # noqa: C416


async def awaits(rows: Any) -> Any:
    await asyncio.sleep(0)
    return rows


async def yields(rows: Any) -> Any:
    yield rows


async def awaits_and_adds(rows: Any) -> Any:
    await asyncio.sleep(0)
    return rows + 1


@functools.wraps(doubles)
def wrapped(rows: Any) -> Any:
    return awaits(rows)


def generates(row: Any) -> Any:
    yield row


def third_is_async(row: Any) -> Any:
    return awaits(row) if row == 2 else row


def a_set(rows: Any) -> Any:
    return set(rows)


def a_view(rows: Any) -> Any:
    return dict.fromkeys(rows).keys()


def a_counter(row: Any) -> Any:
    return Counter([row])


def nothing(rows: Any) -> Any:
    rows.sort()


def twice(value: Any) -> Any:
    return value * 2


def drops(rows: Any) -> Any:
    return rows[:1]
