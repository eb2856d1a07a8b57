"""What a goal is, and how its figure is taken from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .figures import OURS, Book, Figures

Sense = Literal["at most", "below", "at least"]
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
    sense: Sense
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


def times_the_best(workload: str, measure: str = "time", but: Sequence[str] = ()) -> Find:
    """Our time as a multiple of that peer's against whom it is largest."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        if figures is None or OURS not in figures.values:
            return None
        ratios = [Finding(figures.ratio(OURS, peer).median, peer) for peer in figures.peers if peer not in but]
        return max(ratios, key=lambda finding: finding.figure, default=None)

    return find


def median(workload: str, measure: str, case: str = OURS) -> Find:
    """The median of a case."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        return Finding(figures.spread(case).median) if figures is not None and case in figures.values else None

    return find


def ratio(workload: str, measure: str, case: str, to: str) -> Find:
    """The ratio of two cases."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        if figures is None or case not in figures.values or to not in figures.values:
            return None
        return Finding(figures.ratio(case, to).median)

    return find


def highest(workload: str, measure: str, of: Callable[[Figures], list[Finding]]) -> Find:
    """The highest of some figures."""

    def find(book: Book) -> Finding | None:
        figures = book.get(workload, measure)
        return max(of(figures), key=lambda finding: finding.figure, default=None) if figures is not None else None

    return find


def medians(figures: Figures) -> list[Finding]:
    return [Finding(figures.spread(name).median, name) for name in figures.values]


def _lengths(figures: Figures) -> list[tuple[str, str, str]]:
    """Of cases such as "range of 1,000": the source, and its cases with the shortest and the longest input."""
    by_source: dict[str, list[tuple[int, str]]] = {}
    for name in figures.values:
        source, _, length = name.partition(" of ")
        by_source.setdefault(source, []).append((int(length.replace(",", "")), name))
    return [(source, min(cases)[1], max(cases)[1]) for source, cases in by_source.items()]


def growth(figures: Figures) -> list[Finding]:
    """How much more the longest input takes than the shortest."""
    return [
        Finding(figures.spread(long).median - figures.spread(short).median, source)
        for source, short, long in _lengths(figures)
    ]


def over_bare(figures: Figures) -> list[Finding]:
    worker, bare = figures.values  # in this order
    return [Finding(figures.spread(worker).median - figures.spread(bare).median)]
