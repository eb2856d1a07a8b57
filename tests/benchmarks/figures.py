"""What was measured, and what follows from it: medians, spreads, ratios round by round. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

OURS = "slither-actors"
IMAP = "imap"
RAW = "raw loop"
IN_PROCESS = "in process"
PPE = "ProcessPoolExecutor"
FLOORS = frozenset({RAW, IN_PROCESS})
"""What no pool can beat by much, and what does not do a pool's work; not peers."""

# Ways to send one request, beside those of the other pools.
ARUN = f"{OURS}, arun"
RUN = f"{OURS}, run"
CALL_BATCH = f"{OURS}, acall_batch"
BOUND = f"{OURS}, bound call"
FRONT = f"{OURS}, front"
BY_HAND = f"{PPE}, batched by hand"
FLOOR = f"{RAW}, one a frame"
FLOOR_BATCHED = f"{RAW}, batches"
OF_THE_BOUND = "share of the workers' own bound"


def at(measure: str, callers: str) -> str:
    """How a measure is named that is taken with several numbers of callers, such as "64 tasks"."""
    return f"{measure}, {callers}"


def with_workers(name: str, workers: int) -> str:
    """How a contender is named where it takes part with several numbers of workers."""
    return f"{name}, {workers} workers"


def of_length(source: str, length: int) -> str:
    """How an input is named where several lengths of it take part."""
    return f"{source} of {length:,}"


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, with the lowest and the highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value.

        Raises:
            ValueError: there is none.
        """
        if not values:
            raise ValueError("there is no median of no values")
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Figures:
    """One measure of one workload: for each contender, or case, a value a round.

    Args:
        workload: its letter.
        measure: what the values are, such as "time".
        title: what was done.
        unit: "s", "ms", "us", "MB", "1/s"; empty for a share of one.
        values: by contender or case; the values of a round have the same place.
        skipped: who did not take part, and why.
        note: what a reader must know.
        to: the contender whose values the others are shown as multiples of; imap's, for seconds, where it is empty.
    """

    workload: str
    measure: str
    title: str
    unit: str
    values: Mapping[str, Sequence[float]]
    skipped: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    to: str = ""

    @property
    def reference(self) -> str | None:
        """The contender that the others are compared with; None where no ratio is shown."""
        to = self.to or (IMAP if self.unit == "s" else "")
        return to if to in self.values else None

    @property
    def rounds(self) -> int:
        """How many values each has."""
        return len(next(iter(self.values.values()), ()))

    @property
    def peers(self) -> list[str]:
        """The other pools among the contenders."""
        return [name for name in self.values if name != OURS and name not in FLOORS]

    def spread(self, name: str) -> Spread:
        """Of a contender's values.

        Raises:
            KeyError: there is no such contender.
        """
        return Spread.of(self.values[name])

    def ratio(self, name: str, to: str) -> Spread:
        """Of the ratios of the rounds: what disturbs a whole round disturbs both sides of it.

        Raises:
            KeyError: there is no such contender.
        """
        return Spread.of([a / b for a, b in zip(self.values[name], self.values[to], strict=True)])

    def told(self) -> dict[str, Any]:
        """All of it for JSON, with what follows from it."""
        told = asdict(self)
        told["median"] = {name: self.spread(name).median for name in self.values}
        told["ratios"] = {
            to: {name: asdict(self.ratio(name, to)) for name in self.values if name != to}
            for to in dict.fromkeys((IMAP, RAW, self.to))
            if to in self.values and all(self.values[to])
        }
        return told


def figures_of(told: Mapping[str, Any]) -> Figures:
    """The way back from `Figures.told`."""
    return Figures(**{name: told[name] for name in Figures.__slots__})


class Book:
    """All figures of a run of the benchmark, by workload and measure."""

    def __init__(self, figures: Sequence[Figures]) -> None:
        self.all = list(figures)
        self._by = {(one.workload, one.measure): one for one in figures}

    def get(self, workload: str, measure: str = "time") -> Figures | None:
        """None if that was not measured."""
        return self._by.get((workload, measure))
