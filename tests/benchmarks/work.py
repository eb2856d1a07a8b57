"""What the workers are asked to do: each function for a batch, and for one payload as the other pools want it.

The two forms give equal results. None changes what it was given: in this process the same payloads serve all.
"""

from __future__ import annotations

import time
from typing import Any


def identity(payloads: list[Any]) -> list[Any]:
    return payloads


def identity_one(payload: Any) -> Any:
    return payload


def add_key(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**payload, "ok": True} for payload in payloads]


def add_key_one(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "ok": True}


def length(payloads: list[bytes]) -> list[int]:
    return [len(payload) for payload in payloads]


def length_one(payload: bytes) -> int:
    return len(payload)


def double(payloads: list[Any]) -> list[Any]:
    return [payload * 2 for payload in payloads]


def double_one(payload: Any) -> Any:
    return payload * 2


def count_up_one(loops: int) -> list[float]:
    """Pure Python for a while: the sum, and the seconds that it took by this worker's clock."""
    begin = time.perf_counter()
    total = 0
    for number in range(loops):
        total += number & 7
    return [total, time.perf_counter() - begin]


def count_up(payloads: list[int]) -> list[list[float]]:
    return [count_up_one(loops) for loops in payloads]


def rest_one(seconds: float) -> float:
    """Sleep for so long."""
    time.sleep(seconds)
    return seconds


def rest(payloads: list[float]) -> list[float]:
    return [rest_one(seconds) for seconds in payloads]


async def identity_awaited(payload: Any) -> Any:
    """For a pool that takes coroutine functions only."""
    return payload


CALL_SECONDS, ROW_SECONDS = 0.003, 0.0001
"""Of a model that costs more a call than a row, on a device of its own: the processors are idle meanwhile."""


def forward(rows: list[Any]) -> list[Any]:
    time.sleep(CALL_SECONDS + ROW_SECONDS * len(rows))
    return rows


def forward_one(row: Any) -> Any:
    return forward([row])[0]


def begun(payloads: list[Any]) -> list[float]:
    """When this batch was begun, by the clock that all processes share."""
    now = time.monotonic()
    return [now] * len(payloads)
