"""What the guarantees cost: `python -m tests.benchmarks.guarantees` runs ours against itself with other options."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from slither_actors import PoolSpec, Retry, System, telemetry

from .rounds import run_rounds
from .workloads import WORKLOADS

DEFAULT = "as it comes"
TELEMETRY = "a telemetry handler"
VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "ordering=as_completed": {"ordering": "as_completed"},
    "on_error=Retry(3)": {"on_error": Retry(3)},
    "on_error=Retry(3, split)": {"on_error": Retry(3, split=True)},
    "timeout=None": {"timeout": None},
    "max_in_flight_bytes": {"max_in_flight_bytes": 64 << 20},
    "prefetch=24": {"prefetch": 24},
    "prefetch=0": {"prefetch": 0},
    "a generator": {},
    TELEMETRY: {},
}


def _measure(system: System, letter: str, rounds: int) -> dict[str, list[float]]:
    workload = WORKLOADS[letter]
    data = workload.make(workload.count)

    def timer(name: str) -> Callable[[], float]:
        options = {"function": workload.task.function, "batch_size": workload.task.batch, **VARIANTS[name]}

        def once() -> float:
            source: Any = (payload for payload in data) if name == "a generator" else data
            handle = telemetry.attach(telemetry.BATCH_STOP, lambda event: None) if name == TELEMETRY else None
            begin = time.perf_counter()
            count = sum(1 for _ in system.dispatch.stream(source, **options))
            seconds = time.perf_counter() - begin
            if handle is not None:
                handle.detach()
            if count != len(data):
                raise RuntimeError(f"{name}: {count} results of {len(data)}")
            return seconds

        return once

    return run_rounds({name: timer(name) for name in VARIANTS}, rounds, lambda once: once(), lambda once: once())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.guarantees", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="that count (default 9)")
    rounds = parser.parse_args(argv).rounds
    letters = ("A", "C", "D")
    columns: dict[str, dict[str, list[float]]] = {}
    with System({"default": PoolSpec(size=2)}) as system:
        for letter in letters:
            columns[letter] = _measure(system, letter, rounds)
    print(f"Time as a multiple of that {DEFAULT}, median of {rounds} rounds in turn.\n")
    print("| " + " | ".join(["", *letters]) + " |")
    print("| --- |" + " ---: |" * len(letters))
    for name in VARIANTS:
        ratios = [
            statistics.median(a / b for a, b in zip(column[name], column[DEFAULT], strict=True))
            for column in columns.values()
        ]
        print(f"| {name} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
