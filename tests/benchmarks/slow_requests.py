"""A part of workload N: what quick requests wait for when a few others are slow."""

from __future__ import annotations

import asyncio
import random

from . import work
from .figures import ARUN, BOUND, FRONT, PPE, Figures
from .request_load import Call, WrongResult, share_within
from .rounds import run_rounds
from .settings import Settings
from .task_contenders import Open, available
from .workloads import Task

TITLE = "300 requests/s, of which 2 % take 50 ms and the others no time"
MEASURE = "p99 of the quick"
RATE = 300.0
SLOW_SHARE, SLOW_SECONDS = 0.02, 0.05
REQUESTS, WARM_REQUESTS = 1_200, 100
TASK = Task(work.rest, work.rest_one, 64, each=True)


def measure(settings: Settings) -> list[Figures]:
    """The times of those that are not slow, by when each of them was due to be sent."""
    count = settings.scaled(REQUESTS, 50)
    seeds = dict.fromkeys((PPE, ARUN, BOUND, FRONT), 0)

    async def times(way: Open, seed: int) -> list[float]:
        async with way(TASK) as call:
            await call(0.0)
            await _send(call, settings.scaled(WARM_REQUESTS, 10), random.Random(0))
            return sorted(await _send(call, count, random.Random(seed)))

    def once(case: tuple[str, Open]) -> tuple[float, float]:
        name, way = case
        seeds[name] += 1  # in one round all have the same requests
        ordered = asyncio.run(times(way, seeds[name]))
        return 1e3 * share_within(ordered, 0.5), 1e3 * share_within(ordered, 0.99)

    ways, skipped = available(list(seeds), TASK)
    cases = {name: (name, way) for name, way in ways.items()}
    values = run_rounds(cases, settings.rounds, once, lambda case: None)
    note = "From the moment at which a request was due, at random distances; two workers."
    return [
        Figures("N", measure, TITLE, "ms", {n: [v[at] for v in each] for n, each in values.items()}, skipped, note, PPE)
        for at, measure in enumerate(("p50 of the quick", MEASURE))
    ]


async def _send(call: Call, count: int, rng: random.Random) -> list[float]:
    """Send so many at random moments, whether others have come back or not; the seconds of the quick ones."""
    loop = asyncio.get_running_loop()
    slow = set(rng.sample(range(count), round(count * SLOW_SHARE)))
    quick: list[float] = []

    async def send(number: int, due: float) -> None:
        seconds = SLOW_SECONDS if number in slow else 0.0
        if await call(seconds) != seconds:
            raise WrongResult(f"request {number}")
        if number not in slow:
            quick.append(loop.time() - due)

    due = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due += rng.expovariate(RATE)
            await asyncio.sleep(due - loop.time())
            group.create_task(send(number, due))
    return quick
