"""Workload N: many callers wait who each send one item at a time, as the requests of a service do."""

from __future__ import annotations

import asyncio

from . import peers, slow_requests, work
from .figures import ARUN, BOUND, BY_HAND, CALL_BATCH, FLOOR, FLOOR_BATCHED, FRONT, PPE, Figures
from .load_figures import load_figures
from .request_load import Load, from_tasks
from .rounds import run_rounds
from .settings import Settings
from .task_contenders import Open, available
from .workloads import Task

TITLE = "single requests of a trivial function from 1 to 512 tasks, two workers"
TASKS = (1, 16, 64, 512)
CALLERS = (64, 512)
"""Of which the slowest calls are compared with those in the middle."""
MILLISECONDS, MANY_MILLISECONDS = 400, 900
"""Of load for each number of tasks; 512 of them have sent few requests in that time where a request is expensive."""
WARM_MILLISECONDS = 300
"""From the first result on: a pool that starts its workers with the first request has both of them by then."""
OURS_AND_FLOORS = (PPE, ARUN, CALL_BATCH, BOUND, FRONT, BY_HAND, FLOOR, FLOOR_BATCHED)
TASK = Task(work.identity, work.identity_one, 64, each=True)


def with_callers(callers: int) -> str:
    """How a number of callers is named."""
    return f"{callers} tasks" if callers != 1 else "1 task"


def measure(settings: Settings) -> list[Figures]:
    """N: requests a second, their times and the host's processor time, with a few and with many callers."""

    async def loads(way: Open, warm_only: bool) -> list[Load]:
        async with way(TASK) as call:
            await call(0)
            await from_tasks(call, 16, settings.scaled(WARM_MILLISECONDS, 5) / 1e3)
            if warm_only:
                return []
            return [await from_tasks(call, tasks, _milliseconds(tasks, settings) / 1e3) for tasks in TASKS]

    names = [*settings.among(["loky", peers.AIOMULTIPROCESS, "Pebble"]), *OURS_AND_FLOORS]
    ways, skipped = available(names, TASK)
    values = run_rounds(
        ways,
        settings.rounds,
        lambda way: asyncio.run(loads(way, warm_only=False)),
        lambda way: asyncio.run(loads(way, warm_only=True)),
    )
    figures = []
    for place, tasks in enumerate(TASKS):
        by_name = {name: [rounds[place] for rounds in each] for name, each in values.items()}
        callers = with_callers(tasks)
        figures += load_figures("N", f"single requests from {callers}", callers, by_name, skipped)
    slowest = {
        with_callers(tasks): [load.most / load.half for load in (each[TASKS.index(tasks)] for each in values[ARUN])]
        for tasks in CALLERS
    }
    figures.append(Figures("N", "p99 / p50", "arun, the slowest calls", "share", slowest))
    return figures + slow_requests.measure(settings)


def _milliseconds(tasks: int, settings: Settings) -> int:
    return settings.scaled(MANY_MILLISECONDS if tasks > 100 else MILLISECONDS, 5)
