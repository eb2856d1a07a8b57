"""Pytest in a process of its own, under one condition."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import interpreters
from .known import ROOT, Condition, environment_of
from .outcomes import Outcome, outcome_of

# Looks now and then for the runner: when that was killed, nothing else ends a hog.
HOG = """\
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(10**7):
        pass
"""


def run(condition: Condition, times: int, pytest: Sequence[str]) -> Outcome:
    """Run pytest so often under the condition, its output unchanged."""
    python = sys.executable
    if condition.python is not None:
        try:
            program = interpreters.find(condition.python, os.environ)
            if program is None:
                return Outcome(condition.name, "skipped", note=f"no CPython {condition.python} here")
            python = interpreters.environment(program, condition.python)
        except (LookupError, subprocess.CalledProcessError) as error:
            return Outcome(condition.name, "failed", note=str(error))
    if condition.one_cpu and not hasattr(os, "sched_setaffinity"):
        return Outcome(condition.name, "skipped", note="this system pins no process to a CPU")
    with ExitStack() as stack:
        left = Path(stack.enter_context(tempfile.TemporaryDirectory())) if condition.collects_warnings else None
        if condition.one_cpu:
            stack.enter_context(one_cpu())
        if condition.hogs:
            stack.enter_context(hogs())
        environment = environment_of(condition, os.environ, left)
        began = time.monotonic()
        codes = [_ended([python, "-m", "pytest", *pytest], environment) for _ in range(times)]
        seconds = time.monotonic() - began
        unread = [path.read_text() for path in left.glob("[!.]*")] if left is not None else []
    for told in unread:
        print(told)
    return outcome_of(condition.name, codes, seconds, unread)


def _ended(argv: Sequence[str], environment: dict[str, str]) -> int:
    with subprocess.Popen(argv, cwd=ROOT, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # it has had the signal, too, and is ending what its tests have started
            raise


@contextmanager
def one_cpu() -> Iterator[None]:
    """Pin this process, and so what it starts, to one of the CPUs that it may use."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


@contextmanager
def hogs() -> Iterator[None]:
    """Keep each CPU busy."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = [subprocess.Popen([sys.executable, "-c", HOG, str(os.getpid())]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
        for process in busy:
            process.wait()
