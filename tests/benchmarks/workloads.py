"""Workloads A to F: how fast payloads of different kinds come and go. Two workers each."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import work

MIB = 1 << 20
DISTINCT = 64
"""Distinct megabytes among the large payloads: more than caches hold, and less than what one might have to swap."""
TEXT = "abcdefghijklmnopqrstuvwxyz "


@dataclass(frozen=True, slots=True)
class Task:
    """What is done to the payloads.

    Args:
        function: takes a list of payloads.
        one: does the same with one payload.
        batch: payloads that go to a worker together.
        each: ours calls `one` for each payload of a batch, and not `function`.
    """

    function: Callable[[list[Any]], list[Any]]
    one: Callable[[Any], Any]
    batch: int
    each: bool = False


def _equal(results: list[Any], expected: list[Any]) -> bool:
    return results == expected


@dataclass(frozen=True, slots=True)
class Workload:
    """One of A to F.

    Args:
        letter: its name.
        title: what it is.
        short: the same in a word or two, for the head of a column.
        task: what is done.
        count: payloads.
        make: makes so many of them.
        equal: whether results are what they should be.
    """

    letter: str
    title: str
    short: str
    task: Task
    count: int
    make: Callable[[int], Sequence[Any]]
    equal: Callable[[list[Any], list[Any]], bool] = _equal


def _dicts(count: int) -> list[dict[str, Any]]:
    rng = random.Random(1)
    return [{"id": i, "text": "".join(rng.choices(TEXT, k=100)), "score": 0.5} for i in range(count)]


def _blobs(count: int) -> list[bytes]:
    distinct = [os.urandom(MIB) for _ in range(min(count, DISTINCT))]
    return [distinct[i % len(distinct)] for i in range(count)]


def _arrays(count: int) -> list[Any]:
    import numpy  # noqa: ICN001 - only where this workload is run

    rng = numpy.random.default_rng(1)
    distinct = [rng.random(MIB // 8) for _ in range(min(count, DISTINCT))]
    return [distinct[i % len(distinct)] for i in range(count)]


def _equal_arrays(results: list[Any], expected: list[Any]) -> bool:
    if len(results) != len(expected):
        return False
    return all(
        type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
        for a, b in zip(results, expected, strict=True)
    )


IDENTITY = Task(work.identity, work.identity_one, 64)

WORKLOADS = {
    workload.letter: workload
    for workload in (
        Workload("A", "100,000 ints, identity, batch 64", "ints, 64", IDENTITY, 100_000, range),
        Workload(
            "B",
            "50,000 dicts with distinct 100-character text, one key added, batch 64",
            "dicts, 64",
            Task(work.add_key, work.add_key_one, 64),
            50_000,
            _dicts,
        ),
        Workload(
            "C",
            "5,000 ints, identity, batch 1",
            "ints, 1",
            Task(work.identity, work.identity_one, 1),
            5_000,
            range,
        ),
        Workload(
            "D",
            "512 x 1 MiB of bytes to their length, batch 1",
            "1 MiB to length, 1",
            Task(work.length, work.length_one, 1),
            512,
            _blobs,
        ),
        Workload(
            "E",
            "256 x 1 MiB of bytes there and back, batch 1",
            "1 MiB and back, 1",
            Task(work.identity, work.identity_one, 1),
            256,
            _blobs,
        ),
        Workload(
            "F",
            "256 numpy arrays of 1 MiB, doubled, batch 4",
            "arrays of 1 MiB, 4",
            Task(work.double, work.double_one, 4),
            256,
            _arrays,
            _equal_arrays,
        ),
    )
}
