"""All workloads by their letters, and how each is measured."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import (
    batched_rows,
    caller_threads,
    callers,
    efficiency,
    first_result,
    heavy_tail,
    many_runs,
    many_workers,
    memory,
    rounds,
    service,
    start_up,
)
from .figures import Figures, figures_of
from .processes import module_command, run
from .settings import Settings
from .workloads import WORKLOADS, Workload


def _throughput(workload: Workload, settings: Settings) -> list[Figures]:
    return [rounds.measure(workload, settings.with_floors, settings.rounds, settings.scale)]


SUITE: dict[str, Callable[[Settings], list[Figures]]] = {
    **{letter: partial(_throughput, workload) for letter, workload in WORKLOADS.items()},
    "G": efficiency.computing,
    "H": efficiency.beside_a_busy_thread,
    "I": many_workers.measure,
    "J": heavy_tail.measure,
    "K": first_result.measure,
    "L": memory.measure,
    "M": start_up.measure,
    "N": callers.measure,
    "O": caller_threads.measure,
    "P": service.measure,
    "Q": batched_rows.measure,
    "R": many_runs.measure,
}

TITLES = {
    **{letter: workload.title for letter, workload in WORKLOADS.items()},
    "G": efficiency.G,
    "H": efficiency.H,
    "I": many_workers.TITLE,
    "J": heavy_tail.TITLE,
    "K": first_result.TITLE,
    "L": memory.TITLE,
    "M": start_up.TITLE,
    "N": callers.TITLE,
    "O": caller_threads.TITLE,
    "P": service.TITLE,
    "Q": batched_rows.TITLE,
    "R": many_runs.TITLE,
}


def measure_into(letter: str, settings: Settings, path: str) -> None:
    """Measure a workload here, and write its figures to a file.

    Raises:
        SystemExit: something that it cannot do without is not installed.
    """
    try:
        told = [figures.told() for figures in SUITE[letter](settings)]
    except ModuleNotFoundError as error:
        raise SystemExit(f"{letter} cannot be measured: {error}; it is in the extra 'bench'") from None
    Path(path).write_text(json.dumps(told))


def measure_apart(letter: str, settings: Settings) -> list[Figures]:
    """Measure a workload in a process of its own: it begins like any other, and who hangs there costs only that one.

    Raises:
        ChildFailed: a process hung, failed, or gave wrong results.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "figures.json")
        run(module_command("", *settings.arguments(), letter, "--into", path))
        return [figures_of(told) for told in json.loads(Path(path).read_text())]
