"""Python programs of their own, for what a test cannot do to the process that it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from support.worker import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = f"""
import os, signal, sys, threading, time, warnings
# From CPython 3.12 on, of every fork beside threads. A script that forks means to.
warnings.filterwarnings("ignore", ".* is multi-threaded, use of fork", DeprecationWarning)
sys.path[:0] = [{str(ROOT)!r}, {FUNCTIONS!r}]
from slither_actors import *
from slither_actors import Dispatch, Item, PoolSpec, Retry, System, Context
"""


def write(folder: Path, body: str) -> Path:
    """A script with the usual imports; `body` may be indented."""
    path = folder / "script.py"
    body = textwrap.indent(textwrap.dedent(body), "    ")
    path.write_text(f"{PRELUDE}\nif __name__ == '__main__':\n{body}\n")
    return path


def run(folder: Path, body: str, *, seconds: float = 40.0) -> subprocess.CompletedProcess[str]:
    """Run it to its end, which must come in time."""
    return subprocess.run(
        [sys.executable, str(write(folder, body))], capture_output=True, text=True, timeout=seconds, check=False
    )


def start(folder: Path, body: str, **environment: str) -> subprocess.Popen[str]:
    """Start it, with these variables more in its environment; the caller ends and reaps it."""
    return subprocess.Popen(
        [sys.executable, str(write(folder, body))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
