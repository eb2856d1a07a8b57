"""The conditions by name, and what each needs of the environment of the process that pytest runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "tests" / "support" / "in_every_process"
"""The folder whose sitecustomize.py carries a condition into the processes that tests start."""
SWITCH_INTERVAL = "SLITHER_ACTORS_TEST_SWITCH_INTERVAL"
WARNINGS = "SLITHER_ACTORS_TEST_WARNINGS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is other than usual.

    Args:
        name: as it is chosen by and reported under.
        told: what that means, in a line.
        environment: variables for pytest, and so for all that tests start.
        hook: whether the processes are to run tests/support/in_every_process.
        collects_warnings: whether those processes get a folder to leave their warnings in.
        one_cpu: whether all of it is pinned to one CPU.
        hogs: whether each CPU has a process beside the suite that does nothing but keep it busy.
        python: the version of CPython, such as ``3.12``; the runner's own unless given.
    """

    name: str
    told: str
    environment: Mapping[str, str] = field(default_factory=dict)
    hook: bool = False
    collects_warnings: bool = False
    one_cpu: bool = False
    hogs: bool = False
    python: str | None = None


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition(
            name="switch-interval",
            told="threads take turns every microsecond, in every process",
            environment={SWITCH_INTERVAL: "0.000001"},
            hook=True,
        ),
        Condition(
            name="dev-mode",
            told="PYTHONDEVMODE=1 and warnings as errors, in every process",
            # The second is for processes that a test gives a PYTHONPATH of its own: they run without the hook.
            environment={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
            hook=True,
            collects_warnings=True,
        ),
        Condition(name="one-cpu", told="pinned to one CPU", one_cpu=True),
        Condition(name="cpu-hog", told="a busy process for each CPU beside the suite", hogs=True),
        Condition(name="python3.12", told="CPython 3.12, from PYTHON312 or PATH", python="3.12"),
        Condition(name="python3.13", told="CPython 3.13, from PYTHON313 or PATH", python="3.13"),
    )
}


def environment_of(condition: Condition, usual: Mapping[str, str], warnings: Path | None = None) -> dict[str, str]:
    """The environment that pytest gets.

    Args:
        usual: the runner's own.
        warnings: the folder for `collects_warnings`.
    """
    environment = {**usual, **condition.environment}
    if condition.hook:
        paths = [str(HOOK), *filter(None, [usual.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    if warnings is not None:
        environment[WARNINGS] = str(warnings)
    return environment
