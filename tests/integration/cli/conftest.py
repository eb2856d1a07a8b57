"""Fixtures for running the command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import FUNCTIONS, TIMEOUT, Done, Running, command


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a module `work` of functions to call."""
    (tmp_path / "work.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.fixture
def cli(here: Path) -> Callable[..., Done]:
    """``cli(*argv, given="lines on standard input")``: runs the command to its end."""

    def run(*argv: str, given: str = "", env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            command(*argv),
            cwd=here,
            input=given.encode(),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            env={**os.environ, **(env or {})},
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def started(here: Path) -> Iterator[Callable[..., Running]]:
    """``started(*argv)``: starts the command and leaves it running."""
    running: list[Running] = []

    def start(*argv: str) -> Running:
        running.append(Running(argv, here))
        return running[-1]

    yield start
    for each in running:
        each.close()
