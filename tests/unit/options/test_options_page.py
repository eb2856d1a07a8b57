"""docs/options.md has a row for each option of a run, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from slither_actors import run_options

PAGE = Path(__file__).resolve().parents[3] / "docs" / "options.md"


def rows() -> list[str]:
    """The options named in the first column of the page's tables."""
    first = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`(\w+)`", cell)]


def test_each_option_of_a_run_has_a_row() -> None:
    known = {"executor", "strategy", *run_options._RUN}
    for parameters in run_options._OURS.values():
        known.update(parameters)
    assert sorted(rows()) == sorted(known)
