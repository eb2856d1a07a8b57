"""Workload K: how long the first result takes, of an input that is very long."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from .contenders import Ours
from .figures import Figures, of_length
from .rounds import run_rounds
from .settings import Settings
from .workloads import IDENTITY

TITLE = "time to the first result, warm, batch 64"
LONG, SHORT = 10_000_000, 10_000
OPENINGS = 5
"""Times that a stream is opened a round; their median counts, as one alone is a matter of a millisecond or two."""


def measure(settings: Settings) -> list[Figures]:
    """K: a range, a generator and a list, long and short."""
    cases: dict[str, Callable[[], Iterable[Any]]] = {}
    for length in (settings.scaled(LONG, 1_000), settings.scaled(SHORT, 100)):
        everything = list(range(length))
        cases[of_length("range", length)] = partial(range, length)
        cases[of_length("generator", length)] = partial(_generator, length)
        cases[of_length("list", length)] = partial(_same, everything)
    ours = Ours(2)

    def settle() -> None:
        """Whatever a closed stream has left in the pipes is done now."""
        ours.payloads(ours.results(IDENTITY, range(1_024)))

    def once(case: Callable[[], Iterable[Any]]) -> float:
        return 1e3 * statistics.median(opening(case()) for _ in range(OPENINGS))

    def opening(source: Iterable[Any]) -> float:
        settle()
        begin = time.perf_counter()
        stream = iter(ours.results(IDENTITY, source))
        first = next(stream)
        seconds = time.perf_counter() - begin
        assert first.payload == 0
        del stream  # which closes it
        return seconds

    try:
        values = run_rounds(cases, settings.rounds, once, once)
    finally:
        ours.stop()
    note = f"Each value is the median of {OPENINGS} streams, from the call of stream to its first item."
    return [Figures("K", "first result", TITLE, "ms", values, note=note)]


def _generator(length: int) -> Iterable[int]:
    return (number for number in range(length))


def _same(entries: list[int]) -> list[int]:
    return entries
