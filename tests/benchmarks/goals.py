"""What the figures are to show: each goal as data, and whether a run has reached it. Pure."""

from __future__ import annotations

from .figures import IMAP, OURS, RAW, Book, with_workers
from .goal_types import Goal, Judged, growth, highest, median, medians, over_bare, ratio, times_the_best
from .request_goals import REQUEST_GOALS


def judge(book: Book) -> list[Judged]:
    """All goals of the workloads that were run, by their letters."""
    run = {figures.workload for figures in book.all}
    goals = sorted(GOALS, key=lambda goal: goal.workload)
    return [Judged(goal, goal.find(book)) for goal in goals if goal.workload in run]


def _against_pools() -> list[Goal]:
    limits = {"A": 0.9, "B": 0.6, "C": 0.7, "D": 0.5, "E": 0.35, "F": 0.5}
    goals = []
    for workload, limit in limits.items():
        imap = ratio(workload, "time", OURS, IMAP)
        goals.append(Goal(workload, f"time, as a multiple of {IMAP}'s", "at most", limit, imap))
        others = times_the_best(workload, but=[IMAP])
        goals.append(Goal(workload, "time, as a multiple of the best other peer's", "below", 1.0, others))
    for workload, limit in {"A": 1.5, "D": 1.2}.items():
        raw = ratio(workload, "time", OURS, RAW)
        goals.append(Goal(workload, f"time, as a multiple of the {RAW}'s", "at most", limit, raw))
    return goals


GOALS = [
    *_against_pools(),
    Goal("G", "efficiency", "at least", 0.97, median("G", "efficiency"), "share"),
    Goal("H", "efficiency", "at least", 0.9, median("H", "efficiency"), "share"),
    Goal(
        "I",
        "efficiency of 128 workers",
        "at least",
        0.92,
        median("I", "efficiency", with_workers(OURS, 128)),
        "share",
    ),
    Goal(
        "I",
        "CPU a batch with 128 workers, as a multiple of that with 8",
        "at most",
        1.3,
        ratio("I", "CPU a batch", with_workers(OURS, 128), with_workers(OURS, 8)),
    ),
    Goal("J", "time in order, as a multiple of the best peer's", "at most", 1.0, times_the_best("J", "time in order")),
    Goal(
        "J",
        "time as completed, as a multiple of the best peer's",
        "at most",
        1.0,
        times_the_best("J", "time as completed"),
    ),
    Goal("K", "first result", "below", 10.0, highest("K", "first result", medians), "ms"),
    # A millisecond is what two medians of the same differ by; whatever is done for each of ten million takes longer.
    Goal(
        "K",
        "first result, more for the longest input than for the shortest",
        "at most",
        1.0,
        highest("K", "first result", growth),
        "ms",
    ),
    Goal("L", "growth of the peak", "at most", 2.0, highest("L", "peak memory", growth), "MB"),
    Goal("M", f"whole process, as a multiple of {IMAP}'s", "at most", 1.0, ratio("M", "whole process", OURS, IMAP)),
    Goal("M", "a worker's start over the interpreter's", "at most", 25.0, highest("M", "worker", over_bare), "ms"),
    *REQUEST_GOALS,
]
