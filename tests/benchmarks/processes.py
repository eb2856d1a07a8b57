"""Programs of the benchmark's own, in processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = __name__.rpartition(".")[0]
SCRIPTS = Path(__file__).parent / "scripts"
CEILING = 600.0
"""Seconds that no part of the benchmark takes unless a process hangs."""


class ChildFailed(Exception):
    """A program of the benchmark's did not end well; says how, with what it wrote."""


def environment() -> dict[str, str]:
    """That of this process, with its path, so that a child finds the same modules."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def module_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this package.

    Args:
        module: its name within the package; "" for the package itself.
        arguments: the program's.
    """
    return [sys.executable, "-m", f"{PACKAGE}.{module}".rstrip("."), *arguments]


def run(command: list[str], env: dict[str, str] | None = None, seconds: float = CEILING) -> str:
    """Run a program in a session of its own, and end all of that if it takes too long.

    Returns:
        What it wrote to its standard output.

    Raises:
        ChildFailed: it failed, or did not end in time.
    """
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=env or environment(), start_new_session=True
    )
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"did not end within {seconds:g} s") from None
    finally:
        kill_group(process)
        if process.stdout is not None:
            process.stdout.close()
    if process.returncode:
        raise ChildFailed(f"ended with {process.returncode}: {out[-500:]}".rstrip(": "))
    return out


def kill_group(process: subprocess.Popen[Any]) -> None:
    """End the group that a process leads, and reap it: what hangs would disturb those who come after it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
