"""The goals of the workloads of requests, N to R. Pure."""

from __future__ import annotations

from .figures import (
    ARUN,
    BOUND,
    BY_HAND,
    CALL_BATCH,
    FLOOR_BATCHED,
    FRONT,
    OF_THE_BOUND,
    PPE,
    at,
)
from .goal_types import Goal, Sense, highest, median, medians, ratio

FEW_AND_MANY = ("1 task", "64 tasks", "512 tasks")
RATES = {ARUN: (1.3, 6, 6), CALL_BATCH: (1.3, 6, 6), BOUND: (1.4, 8, 8), FRONT: (1.1, 20, 20)}
"""Requests a second as multiples of those of a ProcessPoolExecutor, by number of tasks."""
CPU = {ARUN: 5, CALL_BATCH: 5, BOUND: 8, FRONT: 15}
"""How much more processor time of the host a request costs with a ProcessPoolExecutor; where there are many tasks."""
P99 = 0.75
OF_THE_FRONT = {BY_HAND: 0.8, FLOOR_BATCHED: 0.6}
SLOWEST_QUICK = "p99 of the quick"
THREADS = {"1 thread": 1.5, "8 threads": 2, "32 threads": 3}
LATE = 0.1
"""As a share of a turn of all runs: a worker may be held up by the system for a moment, with a batch in its pipe."""
FLAT = 2.0
"""MB: as much as the peaks of two equal runs differ by."""


def _of_ppe(workload: str, way: str, measure: str, sense: Sense, limit: float) -> Goal:
    """A measure of ours as a multiple of the executor's."""
    return Goal(workload, f"{way}, {measure}, of {PPE}'s", sense, limit, ratio(workload, measure, way, PPE))


def _from_tasks() -> list[Goal]:
    goals = []
    for way, limits in RATES.items():
        for tasks, limit in zip(FEW_AND_MANY, limits, strict=True):
            goals.append(_of_ppe("N", way, at("requests", tasks), "at least", limit))
            goals.append(_of_ppe("N", way, at("p99", tasks), "at most", P99))
    for way, limit in CPU.items():
        for tasks in FEW_AND_MANY[1:]:
            cpu = at("host CPU", tasks)
            more = ratio("N", cpu, PPE, way)
            goals.append(Goal("N", f"{PPE}'s {cpu}, as a multiple of that of {way}", "at least", limit, more))
    for to, limit in OF_THE_FRONT.items():
        for tasks in FEW_AND_MANY:
            requests = at("requests", tasks)
            figure = ratio("N", requests, FRONT, to)
            goals.append(Goal("N", f"{FRONT}, {requests}, of that of {to}", "at least", limit, figure))
    goals += [_of_ppe("N", way, SLOWEST_QUICK, "at most", 1.0) for way in (ARUN, BOUND)]
    slowest = highest("N", "p99 / p50", medians)
    goals.append(Goal("N", "time of 99 of 100 calls, of that of half of them", "at most", 2.0, slowest))
    return goals


def _of_rows() -> list[Goal]:
    goals = []
    for to, limit in {ARUN: 5, BY_HAND: 1.05}.items():
        figure = ratio("Q", "requests", FRONT, to)
        goals.append(Goal("Q", f"{FRONT}, requests, of that of {to}", "at least", limit, figure))
    return [*goals, Goal("Q", f"{FRONT}, {OF_THE_BOUND}", "at least", 0.9, median("Q", OF_THE_BOUND, FRONT), "share")]


def _of_many_runs() -> list[Goal]:
    complete, grown = highest("R", "completed", medians), highest("R", "growth of the peak", medians)
    late = highest("R", "longest wait beyond its turn", medians)
    return [
        Goal("R", "runs that complete", "at least", 1.0, complete, "share"),
        Goal("R", "growth of the peak in the last two thirds", "at most", FLAT, grown, "MB"),
        Goal("R", "longest wait beyond a run's turn, of a turn of all", "at most", LATE, late, "share"),
    ]


REQUEST_GOALS = [
    *_from_tasks(),
    *(_of_ppe("O", BOUND, at("requests", threads), "at least", limit) for threads, limit in THREADS.items()),
    *(_of_ppe("P", way, measure, "at most", 1.0) for measure in ("host CPU", "p99") for way in (ARUN, BOUND, FRONT)),
    *_of_rows(),
    *_of_many_runs(),
]
