"""Workload N: what many callers wait who each send one item at a time, as the requests of a service do."""

from __future__ import annotations

import asyncio
import time

from slither_actors import PoolSpec, System

from .figures import Figures
from .rounds import nth, run_rounds
from .settings import Settings

TITLE = "arun of one item by many callers at a time, two workers"
CALLERS = (64, 512)
CALLS = 10_000
"""In each case, divided among its callers: a hundred of them are beyond the 99th of a hundred."""


def with_callers(callers: int) -> str:
    """How a case is named."""
    return f"{callers} callers"


def measure(settings: Settings) -> list[Figures]:
    """N: the time of a call that half of them keep within, that of 99 of a hundred, and the ratio of the two."""
    cases = {with_callers(callers): callers for callers in CALLERS}

    with System({"default": PoolSpec(size=2)}) as system:

        def once(callers: int) -> tuple[float, float, float]:
            times = asyncio.run(_calls(system, callers, settings.scaled(CALLS // callers, 2)))
            half, most = times[len(times) // 2], times[len(times) * 99 // 100]
            return 1e3 * half, 1e3 * most, most / half

        values = run_rounds(cases, settings.rounds, once, once)
    note = "Each caller sends its next item when it has the result of the last; all calls count, the first ones too."
    return [
        Figures("N", "half within", TITLE, "ms", nth(values, 0), note=note),
        Figures("N", "99 of 100 within", TITLE, "ms", nth(values, 1), note=note),
        Figures("N", "p99 / p50", TITLE, "share", nth(values, 2), note=note),
    ]


async def _calls(system: System, callers: int, calls: int) -> list[float]:
    """The seconds of each call, the shortest first."""
    times: list[float] = []

    async def caller(number: int) -> None:
        for _ in range(calls):
            begin = time.perf_counter()
            (item,) = await system.dispatch.arun([number], module="tests.benchmarks.work", function="identity")
            times.append(time.perf_counter() - begin)
            assert item.payload == number

    await asyncio.gather(*map(caller, range(callers)))
    return sorted(times)
