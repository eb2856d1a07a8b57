"""The benchmark itself, on tiny workloads: everybody that is installed gives the right results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUEST_PEERS = {
    "N": ("loky", "aiomultiprocess", "Pebble", "raw loop, batches"),
    "O": ("loky", "Pebble"),
    "P": ("slither-actors, front",),
}


@pytest.mark.bench
@pytest.mark.parametrize("letter", "ABCDEFGHIJKLMNOPQR")
def test_a_tiny_workload_with_every_contender_that_is_installed(letter: str, tmp_path: Path) -> None:
    # Results are checked in every round, and one that is wrong ends the run with 1. In a process of its own, as other
    # pools leave threads and helper processes behind.
    path = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", letter, "--rounds", "1", "--scale", "0.01", "--json", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(path.read_text())
    assert told["failed"] == {}
    if letter in "ABCDEF":
        (figures,) = told["figures"]
        took_part = set(figures["values"])
        assert took_part >= {"slither-actors", "imap", "ProcessPoolExecutor", "raw loop", "in process"}
        assert took_part | set(figures["skipped"]) >= {"loky", "joblib", "mpire", "Pebble"}
    if letter in "NOP":
        figures = next(figures for figures in told["figures"] if figures["measure"].startswith("requests"))
        took_part = set(figures["values"])
        assert took_part >= {"ProcessPoolExecutor", "slither-actors, run" if letter == "O" else "slither-actors, arun"}
        assert took_part | set(figures["skipped"]) >= set(REQUEST_PEERS[letter])
    assert all(len(rounds) == 1 for figures in told["figures"] for rounds in figures["values"].values())
    assert {goal["workload"] for goal in told["goals"]} == {letter}
