"""What mypy says of the files of a folder, and what these expect of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What mypy writes: bad_run.py:8: error: Unexpected keyword argument ... [call-arg]
ERROR = re.compile(r"^(\w+\.py):(\d+): error: (.*?)\s+\[([\w-]+)\]$", re.MULTILINE)
EXPECTED = re.compile(r"  # ([a-z-]+)(?:: (.*))?$")


@cache
def errors(folder: Path, *options: str) -> Mapping[str, Mapping[int, tuple[str, str]]]:
    """Return mypy's errors: for each file, by line, the code and the message of the first one.

    Args:
        folder: of the files.
        options: of mypy; unless given, ``--strict``.
    """
    pytest.importorskip("mypy", reason="mypy is not installed")
    files = sorted(path.name for path in folder.glob("*.py"))
    kept = ROOT / ".mypy_cache" / ("examples" if options else "typing")  # what other options have kept is of no use
    command = [sys.executable, "-m", "mypy", *(options or ["--strict"]), "--config-file=", "--cache-dir", kept]
    done = subprocess.run([*command, *files], cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, tuple[str, str]]] = {name: {} for name in files}
    for name, line, message, code in ERROR.findall(done.stdout):
        found[name].setdefault(int(line), (code, message))
    return found


def check_mistakes(path: Path, at_least: int) -> None:
    """Check that mypy finds each mistake that a file expects, at its line, and no other.

    Args:
        path: of the file; a comment at the end of a line has the code and the beginning of the message.
        at_least: mistakes that it expects.
    """
    lines = enumerate(path.read_text().splitlines(), 1)
    expected = {number: found.groups("") for number, line in lines if (found := EXPECTED.search(line))}
    assert len(expected) >= at_least
    said = errors(path.parent)[path.name]
    assert {line: code for line, (code, _) in said.items()} == {line: code for line, (code, _) in expected.items()}
    wrong = {line: said[line][1] for line, (_, text) in expected.items() if not said[line][1].startswith(text)}
    assert wrong == {}
