"""Running the command as a person does: in a process of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 60.0

# What the tests call in workers. `slow` is quick enough to wait for and slow enough to be interrupted in.
FUNCTIONS = """
import os, signal, time


def double(values):
    return [2 * value for value in values]


def no_negatives(values):
    if min(values) < 0:
        raise ValueError(f"negative: {min(values)}")
    return values


def slow(value):
    time.sleep(0.02)
    return value


def forever(values):
    open("begun", "w").close()
    time.sleep(3600)


def unwritable(value):
    return {value} if value == 2 else value


def not_a_number(value):
    return float("nan")


def deadly(values):
    if -1 in values:
        os.kill(os.getpid(), signal.SIGKILL)
    return values


def first_in_path(values):
    import sys
    return [sys.path[0] for _ in values]


def chatty(values):
    print("to standard output, by a worker")
    return values
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> str:
        return self.err.splitlines()[-1]


class Running:
    """A command that runs on, with its standard input open."""

    def __init__(self, argv: Sequence[str], cwd: Path) -> None:
        # A file, not a pipe: the command goes on without a reader.
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self.process = subprocess.Popen(
            command(*argv), cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._err
        )
        # A command that hangs fails its own test with what it said, not the suite's timeout.
        self._watchdog = threading.Timer(TIMEOUT, self.process.kill)
        self._watchdog.start()

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Done:
        """What came of it, with the output that no `line` has taken; its input is closed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.close()
            out = self.process.stdout.read().decode()
            code = self.process.wait()
            self._err.seek(0)
            return Done(code, out, self._err.read().decode())
        finally:
            self.close()

    def close(self) -> None:
        """End it, if it has not ended. May be repeated."""
        self._watchdog.cancel()
        self._watchdog.join()
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self._err):
            assert file is not None
            with contextlib.suppress(BrokenPipeError):
                file.close()


def command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "slither_actors.cli", *argv]
