"""Workload R: a thousand runs at once, as when a backlog of jobs is let go.

`python -m ....many_runs RUNS` is one measurement; it prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from .figures import Figures
from .memory import peak
from .processes import module_command, run
from .rounds import nth, run_rounds
from .settings import Settings

TITLE = "1,000 runs of 100 items at once (arun, batch 10), two workers"
RUNS, ITEMS, BATCH = 1_000, 100, 10
CASE = "all at once"


def measure(settings: Settings) -> list[Figures]:
    """R: whether all complete, how much memory grows, and how long one of them waits."""

    def once(runs: int) -> tuple[float, float, float, float]:
        told = json.loads(run(module_command("many_runs", str(runs))))
        return told["seconds"], told["completed"], told["growth"] / 1e6, told["wait"]

    values = run_rounds({CASE: settings.scaled(RUNS, 20)}, settings.rounds, once, lambda runs: None)
    grown = "Growth is that of the peak of the host's memory, from when a third of the runs have ended to the end."
    waited = (
        "In turn, one batch of each run before it is begun before the first one of a run; the longest wait is what was "
        "begun beyond that, of one batch of all runs. Served one after the other it would be 9."
    )
    return [
        Figures("R", "time", TITLE, "s", nth(values, 0)),
        Figures("R", "completed", TITLE, "share", nth(values, 1)),
        Figures("R", "growth of the peak", TITLE, "MB", nth(values, 2), note=grown),
        Figures("R", "longest wait beyond its turn", TITLE, "share", nth(values, 3), note=waited),
    ]


def longest_wait(begun: Sequence[Sequence[float]]) -> float:
    """How long a run waited beyond its turn; the highest of all.

    Args:
        begun: when the batches of each run were begun; the runs by the order in which they came.

    Returns:
        Batches that were begun before the first one of a run, beyond one of each run before it; of the number of runs.
    """
    order = sorted((when, number) for number, batches in enumerate(begun) for when in batches)
    first: dict[int, int] = {}
    for place, (_, number) in enumerate(order):
        first.setdefault(number, place)
    return max(place - number for number, place in first.items()) / len(begun)


async def _host(runs: int) -> dict[str, float]:
    from slither_actors import PoolSpec, System

    begun: list[list[float]] = [[] for _ in range(runs)]
    ended = 0
    early_peak = 0

    async with System({"default": PoolSpec(size=2)}) as system:
        arun = system.dispatch.arun

        async def one(number: int) -> None:
            nonlocal ended, early_peak
            items = await arun(list(range(ITEMS)), module="tests.benchmarks.work", function="begun", batch_size=BATCH)
            assert [item.id for item in items] == list(range(ITEMS))
            begun[number] = [items[place].payload for place in range(0, ITEMS, BATCH)]
            ended += 1
            if ended == -(-runs // 3):
                early_peak = peak()

        begin = time.perf_counter()
        await asyncio.gather(*map(one, range(runs)))
        seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "completed": ended / runs,
        # The kernel counts pages a processor at a time, so that a peak may be read as a little less than before.
        "growth": max(0, peak() - early_peak),
        "wait": longest_wait(begun),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_host(int(sys.argv[1])))))
