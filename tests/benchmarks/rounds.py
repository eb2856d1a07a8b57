"""Contenders in turn, round after round: what makes their times comparable."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from . import peers
from .contenders import Contender
from .figures import IN_PROCESS, Figures
from .workloads import Task, Workload

T = TypeVar("T")
V = TypeVar("V")


class WrongResults(Exception):
    """A contender's results are not those of a plain call."""


def in_turn(names: Iterable[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Which is next, each once a round; another one begins each round, so that none always comes after the same state.

    Yields:
        The number of the round, and a name.
    """
    order = list(names)
    for number in range(rounds):
        first = number % len(order)
        for name in order[first:] + order[:first]:
            yield number, name


def run_rounds(
    contenders: Mapping[str, T], rounds: int, once: Callable[[T], V], warm: Callable[[T], object]
) -> dict[str, list[V]]:
    """A value of each contender for each round, after one round that is not counted.

    Args:
        contenders: by name.
        rounds: those that count.
        once: measures a contender.
        warm: what is done in the round that does not count.
    """
    for contender in contenders.values():
        warm(contender)
    values: dict[str, list[V]] = {name: [] for name in contenders}
    for _, name in in_turn(contenders, rounds):
        gc.collect()
        values[name].append(once(contenders[name]))
    return values


def nth(values: Mapping[str, Sequence[Sequence[float]]], index: int) -> dict[str, list[float]]:
    """Of values that are several figures each, one of these."""
    return {name: [figures[index] for figures in each] for name, each in values.items()}


def timed(contender: Contender, task: Task, data: Sequence[Any], *, ordered: bool = True) -> tuple[float, list[Any]]:
    """Seconds until a contender has given all results, and these."""
    begin = time.perf_counter()
    results = contender.payloads(contender.results(task, data, ordered=ordered))
    return time.perf_counter() - begin, results


def measure(workload: Workload, names: Sequence[str], rounds: int, scale: float = 1.0, workers: int = 2) -> Figures:
    """The time of one of workloads A to F.

    Args:
        workload: which.
        names: contenders; those that cannot take part are named in the figures.
        rounds: that count.
        scale: of the number of payloads; only at 1 are the figures those of the workload.
        workers: of each contender.

    Raises:
        WrongResults: results were not equal to those of a plain call in this process.
    """
    task = workload.task
    data = workload.make(max(1, round(workload.count * scale)))
    expected = list(peers.CONTENDERS[IN_PROCESS](1).results(task, data))
    contenders, skipped = peers.started(names, workers)

    def once(contender: Contender) -> float:
        seconds, results = timed(contender, task, data)
        if not workload.equal(results, expected):
            raise WrongResults(f"{contender.name} on {workload.letter}: {len(results)} results, not the expected ones")
        return seconds

    try:
        values = run_rounds(contenders, rounds, once, warm=once)
    finally:
        peers.stop(contenders)
    return Figures(workload.letter, "time", workload.title, "s", values, skipped)
