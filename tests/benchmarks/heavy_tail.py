"""Workload J: batches most of which are short and some of which are two hundred times as long."""

from __future__ import annotations

import random

from . import peers, work
from .contenders import Contender
from .figures import Figures
from .rounds import WrongResults, nth, run_rounds, timed
from .settings import FEW, Settings
from .workloads import Task

TITLE = "500 sleeps of heavy-tailed length (1 to 200 ms), two workers, batch 1"
SHORTEST, LONGEST = 0.001, 0.200
SHAPE = 1.0
"""Of the Pareto distribution: half of all within 2 ms, one in two hundred at the bound (with this seed four of 500)."""


def lengths(count: int) -> list[float]:
    """Seconds of each sleep, the same in every run."""
    rng = random.Random(11)
    return [min(LONGEST, SHORTEST * rng.paretovariate(SHAPE)) for _ in range(count)]


def measure(settings: Settings) -> list[Figures]:
    """J: in order, and as completed."""
    data = lengths(settings.scaled(500, 16))
    task = Task(work.rest, work.rest_one, 1)

    def once(contender: Contender) -> tuple[float, float]:
        in_order, results = timed(contender, task, data)
        if results != data:
            raise WrongResults(f"{contender.name} on J in order")
        completed, results = timed(contender, task, data, ordered=False)
        if sorted(results) != sorted(data):
            raise WrongResults(f"{contender.name} on J as completed")
        return in_order, completed

    def warm(contender: Contender) -> None:
        for ordered in (True, False):
            timed(contender, task, [0.0] * 64, ordered=ordered)

    contenders, skipped = peers.started(settings.among(FEW), workers=2)
    try:
        both = run_rounds(contenders, settings.rounds, once, warm)
    finally:
        peers.stop(contenders)
    note = f"No two workers can take less than {sum(data) / 2:.3f} s."
    return [
        Figures("J", measure, TITLE, "s", nth(both, at), skipped, note)
        for at, measure in enumerate(("time in order", "time as completed"))
    ]
