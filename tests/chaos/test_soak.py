"""Ten minutes of everything at once. ``pytest -m soak -s`` runs it alone and shows what came of it.

``SOAK_SECONDS`` makes it shorter or longer, ``SOAK_SEED`` repeats the choices of another one.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
TESTS = Path(__file__).parents[1]


@pytest.mark.chaos
@pytest.mark.soak
@pytest.mark.fault(1, 3, 4, 5, 6, 7, 10, 12, 20)
@pytest.mark.timeout(SECONDS + 300)
def test_everything_at_once_loses_nothing_and_leaves_no_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a process of its own, whose memory nothing else grows: the ledger of the tests keeps every run."""
    faulthandler.cancel_dump_traceback_later()  # this is to take so long
    words = [sys.executable, "-m", "support.soak", "--seconds", str(SECONDS)]
    if "SOAK_SEED" in os.environ:
        words += ["--seed", os.environ["SOAK_SEED"]]
    path = os.pathsep.join(filter(None, [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=SECONDS + 240,
        env={**os.environ, "PYTHONPATH": path},
        cwd=TESTS,
    )
    with capfd.disabled():
        print(f"\n{done.stdout}", end="")
    assert done.returncode == 0
    assert "duplicates 0, losses 0" in done.stdout
