"""What a function prints and logs under ``slither-actors map`` stands on standard error, and nowhere in the results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.worker import FUNCTIONS

PROGRAM = str(Path(sys.executable).with_name("slither-actors"))


@pytest.mark.parametrize(
    ("function", "said"),
    [("prints", ["a print of 1", "on stderr 1"]), ("logs", ["ERROR my.app: it failed: 100%% \u00fc"])],
)
def test_what_a_function_says_is_on_stderr(function: str, said: list[str]) -> None:
    done = subprocess.run(
        [PROGRAM, "map", f"talkers:{function}", "--each", "--workers", "1", "--path", FUNCTIONS],
        input="1\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    for line in said:
        assert any(each.endswith(line) for each in done.stderr.splitlines()), done.stderr
    assert "slither_actors" not in done.stderr
