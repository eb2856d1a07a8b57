"""Workload L: the peak of the host's memory does not depend on the length of the input.

`python -m ....memory SOURCE LENGTH` is one measurement: it prints the peak in bytes.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable

from . import work
from .figures import Figures, of_length
from .processes import module_command, run
from .rounds import run_rounds
from .settings import Settings

TITLE = "peak memory of the host, ints, identity, batch 64, results dropped as they come"
LENGTHS = (1_000_000, 5_000_000)
SOURCES = ("range", "generator")
MOST_ROUNDS = 3
"""A peak varies little, and ten million items a round take their time."""


def measure(settings: Settings) -> list[Figures]:
    """L: a process of its own for each length."""
    cases = {
        of_length(source, length): (source, length)
        for source in SOURCES
        for length in (settings.scaled(whole, 1_000) for whole in LENGTHS)
    }

    def once(case: tuple[str, int]) -> float:
        source, length = case
        return float(run(module_command("memory", source, str(length)))) / 1e6

    values = run_rounds(cases, min(settings.rounds, MOST_ROUNDS), once, lambda case: None)
    return [Figures("L", "peak memory", TITLE, "MB", values)]


def _host(source: str, length: int) -> int:
    from slither_actors import PoolSpec, System

    items: Iterable[int] = range(length) if source == "range" else (number for number in range(length))
    count = 0
    with System(pools={"default": PoolSpec(size=2)}) as system:
        for _ in system.dispatch.stream(items, function=work.identity, batch_size=64):
            count += 1
    assert count == length
    return peak()


def peak() -> int:
    """The most resident memory that this process has had, in bytes."""
    try:
        # ru_maxrss would do, but on Linux it is not below what the process had that started this one.
        with open("/proc/self/status") as status:
            (line,) = (line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    print(_host(sys.argv[1], int(sys.argv[2])))
