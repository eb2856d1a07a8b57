"""What a type checker says of a user's calls: right options pass ``mypy --strict``, and each mistake is found."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_parsing import known_options
from slither_actors.option_types import CallKwargs, PoolKwargs, RunKwargs
from slither_actors.pools.spec import PoolSpec
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch

ROOT = Path(__file__).resolve().parents[2]
CODE = Path(__file__).parent / "options"
BAD = sorted(CODE.glob("bad_*.py"))
# What mypy writes: bad_run.py:8: error: Unexpected keyword argument ... [call-arg]
ERROR = re.compile(r"^(\w+\.py):(\d+): error: (.*?)\s+\[([\w-]+)\]$", re.MULTILINE)
EXPECTED = re.compile(r"  # ([a-z-]+)(?:: (.*))?$")


@cache
def errors() -> Mapping[str, Mapping[int, tuple[str, str]]]:
    """Return mypy's errors: for each file, by line, the code and the message of the first one."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    files = sorted(path.name for path in CODE.glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", ROOT / ".mypy_cache/typing"]
    done = subprocess.run([*command, *files], cwd=CODE, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, tuple[str, str]]] = {name: {} for name in files}
    for name, line, message, code in ERROR.findall(done.stdout):
        found[name].setdefault(int(line), (code, message))
    return found


def test_a_program_with_every_option_has_no_error() -> None:
    assert errors()["good.py"] == {}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_mistake_is_found_at_its_line(path: Path) -> None:
    lines = enumerate(path.read_text().splitlines(), 1)
    expected = {number: found.groups("") for number, line in lines if (found := EXPECTED.search(line))}
    assert len(expected) > 5
    said = errors()[path.name]
    assert {line: code for line, (code, _) in said.items()} == {line: code for line, (code, _) in expected.items()}
    wrong = {line: said[line][1] for line, (_, text) in expected.items() if not said[line][1].startswith(text)}
    assert wrong == {}


def test_the_types_name_every_option_and_no_other() -> None:
    known = known_options(SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition)
    assert RunKwargs.__annotations__.keys() == set(known)
    assert CallKwargs.__annotations__.keys() < RunKwargs.__annotations__.keys()
    assert PoolKwargs.__annotations__.keys() == {field.name for field in dataclasses.fields(PoolSpec)}
