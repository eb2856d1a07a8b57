"""Workload Q: a function that costs more a call than a row, which is what batches of requests are for."""

from __future__ import annotations

import asyncio

from . import work
from .figures import ARUN, BY_HAND, FRONT, OF_THE_BOUND, PPE, Figures
from .load_figures import load_figures
from .request_load import Load, from_tasks
from .rounds import run_rounds
from .settings import Settings
from .task_contenders import WORKERS, Open, available
from .workloads import Task

TITLE = "3 ms a call and 0.1 ms a row, single requests from 200 tasks, batches of at most 64, two workers"
CALLERS, ROWS = 200, 64
MILLISECONDS, WARM_MILLISECONDS = 1_000, 300
TASK = Task(work.forward, work.forward_one, ROWS)


def workers_bound() -> float:
    """Requests a second of workers that have full batches all the time."""
    return WORKERS * ROWS / (work.CALL_SECONDS + work.ROW_SECONDS * ROWS)


def measure(settings: Settings) -> list[Figures]:
    """Q: requests a second, their times and the host's processor time."""

    async def load(way: Open) -> Load:
        async with way(TASK) as call:
            await call(0)
            await from_tasks(call, CALLERS, settings.scaled(WARM_MILLISECONDS, 5) / 1e3)
            return await from_tasks(call, CALLERS, settings.scaled(MILLISECONDS, 5) / 1e3)

    ways, skipped = available((PPE, ARUN, FRONT, BY_HAND), TASK)
    values = run_rounds(ways, settings.rounds, lambda way: asyncio.run(load(way)), lambda way: None)
    rate, *others = load_figures("Q", TITLE, "", values, skipped)
    bound = workers_bound()
    shares = {name: [each / bound for each in rates] for name, rates in rate.values.items()}
    note = f"That bound is {bound:,.0f} requests a second: {WORKERS} workers with batches of {ROWS} all the time."
    return [rate, Figures("Q", OF_THE_BOUND, TITLE, "share", shares, skipped, note), *others]
