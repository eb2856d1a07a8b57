"""docs/options.md has a row for each option of a run, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.run_options import known_options
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch

PAGE = Path(__file__).resolve().parents[3] / "docs" / "options.md"


def rows() -> list[str]:
    """The options named in the first column of the page's tables."""
    first = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`(\w+)`", cell)]


def test_each_option_of_a_run_has_a_row() -> None:
    assert sorted(rows()) == known_options(SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition)
