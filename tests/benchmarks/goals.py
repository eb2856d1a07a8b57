"""What the figures are to show: each goal as data, and whether a run has reached it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .figures import IMAP, OURS, RAW, Book, Figures, with_workers

DECIMALS = {"": 2, "share": 3, "ms": 1, "MB": 1}
"""By unit: as a figure is shown. It is judged as shown, since one run does not tell more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure, and what it is of where that is not a matter of course."""

    figure: float
    of: str = ""


Find = Callable[[Book], Finding | None]
"""Takes a figure from the book; None where that has not been measured."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to be reached.

    Args:
        workload: the letter of the workload whose figures show it.
        what: the figure.
        sense: which side of the limit is good.
        limit: as `unit` says; itself good, unless the sense is "below".
        find: gets the figure.
        unit: "share" (of one), "ms", "MB"; empty for ratios.
    """

    workload: str
    what: str
    sense: Literal["at most", "below", "at least"]
    limit: float
    find: Find
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal and what became of it; `finding` is None where it was not measured."""

    goal: Goal
    finding: Finding | None

    @property
    def reached(self) -> bool | None:
        """None where it was not measured."""
        if self.finding is None:
            return None
        goal = self.goal
        figure = round(self.finding.figure, DECIMALS[goal.unit])
        if goal.sense == "at least":
            return figure >= goal.limit
        return figure < goal.limit if goal.sense == "below" else figure <= goal.limit


def judge(book: Book) -> list[Judged]:
    """All goals of the workloads that were run, by their letters."""
    run = {figures.workload for figures in book.all}
    goals = sorted(GOALS, key=lambda goal: goal.workload)
    return [Judged(goal, goal.find(book)) for goal in goals if goal.workload in run]


def _times_the_best(workload: str, measure: str = "time", but: Sequence[str] = ()) -> Find:
    """Our time as a multiple of that peer's against whom it is largest."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        if figures is None or OURS not in figures.values:
            return None
        ratios = [Finding(figures.ratio(OURS, peer).median, peer) for peer in figures.peers if peer not in but]
        return max(ratios, key=lambda finding: finding.figure, default=None)

    return find


def _median(workload: str, measure: str, case: str = OURS) -> Find:
    """The median of a case."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        return Finding(figures.spread(case).median) if figures is not None and case in figures.values else None

    return find


def _ratio(workload: str, measure: str, case: str, to: str) -> Find:
    """The ratio of two cases."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        if figures is None or case not in figures.values or to not in figures.values:
            return None
        return Finding(figures.ratio(case, to).median)

    return find


def _highest(workload: str, measure: str, of: Callable[[Figures], list[Finding]]) -> Find:
    """The highest of some figures."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        return max(of(figures), key=lambda finding: finding.figure, default=None) if figures is not None else None

    return find


def _medians(figures: Figures) -> list[Finding]:
    return [Finding(figures.spread(name).median, name) for name in figures.values]


def _lengths(figures: Figures) -> list[tuple[str, str, str]]:
    """Of cases such as "range of 1,000": the source, and its cases with the shortest and the longest input."""
    by_source: dict[str, list[tuple[int, str]]] = {}
    for name in figures.values:
        source, _, length = name.partition(" of ")
        by_source.setdefault(source, []).append((int(length.replace(",", "")), name))
    return [(source, min(cases)[1], max(cases)[1]) for source, cases in by_source.items()]


def _growth(figures: Figures) -> list[Finding]:
    """How much more the longest input takes than the shortest."""
    return [
        Finding(figures.spread(long).median - figures.spread(short).median, source)
        for source, short, long in _lengths(figures)
    ]


def _over_bare(figures: Figures) -> list[Finding]:
    worker, bare = figures.values  # in this order
    return [Finding(figures.spread(worker).median - figures.spread(bare).median)]


def _against_pools() -> list[Goal]:
    limits = {"A": 0.9, "B": 0.6, "C": 0.7, "D": 0.5, "E": 0.35, "F": 0.5}
    goals = []
    for workload, limit in limits.items():
        imap = _ratio(workload, "time", OURS, IMAP)
        goals.append(Goal(workload, f"time, as a multiple of {IMAP}'s", "at most", limit, imap))
        others = _times_the_best(workload, but=[IMAP])
        goals.append(Goal(workload, "time, as a multiple of the best other peer's", "below", 1.0, others))
    for workload, limit in {"A": 1.5, "D": 1.2}.items():
        raw = _ratio(workload, "time", OURS, RAW)
        goals.append(Goal(workload, f"time, as a multiple of the {RAW}'s", "at most", limit, raw))
    return goals


GOALS = [
    *_against_pools(),
    Goal("G", "efficiency", "at least", 0.97, _median("G", "efficiency"), "share"),
    Goal("H", "efficiency", "at least", 0.9, _median("H", "efficiency"), "share"),
    Goal(
        "I",
        "efficiency of 128 workers",
        "at least",
        0.92,
        _median("I", "efficiency", with_workers(OURS, 128)),
        "share",
    ),
    Goal(
        "I",
        "CPU a batch with 128 workers, as a multiple of that with 8",
        "at most",
        1.3,
        _ratio("I", "CPU a batch", with_workers(OURS, 128), with_workers(OURS, 8)),
    ),
    Goal("J", "time in order, as a multiple of the best peer's", "at most", 1.0, _times_the_best("J", "time in order")),
    Goal(
        "J",
        "time as completed, as a multiple of the best peer's",
        "at most",
        1.0,
        _times_the_best("J", "time as completed"),
    ),
    Goal("K", "first result", "below", 10.0, _highest("K", "first result", _medians), "ms"),
    # A millisecond is what two medians of the same differ by; whatever is done for each of ten million takes longer.
    Goal(
        "K",
        "first result, more for the longest input than for the shortest",
        "at most",
        1.0,
        _highest("K", "first result", _growth),
        "ms",
    ),
    Goal("L", "growth of the peak", "at most", 2.0, _highest("L", "peak memory", _growth), "MB"),
    Goal("M", f"whole process, as a multiple of {IMAP}'s", "at most", 1.0, _ratio("M", "whole process", OURS, IMAP)),
    Goal("M", "a worker's start over the interpreter's", "at most", 25.0, _highest("M", "worker", _over_bare), "ms"),
    Goal("N", "time of 99 of 100 calls, of that of half of them", "at most", 2.0, _highest("N", "p99 / p50", _medians)),
]
