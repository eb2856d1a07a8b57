"""Gates: files that worker functions (for_workers/tasks.py) wait for, and by which they say how far they are."""

from __future__ import annotations

import os
import time
from pathlib import Path

SECONDS = 20.0
"""No wait of these tests takes as long, unless something hangs."""


class Gates:
    """Gates in one folder, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: object) -> str:
        """The gate as worker functions take it."""
        return str(self._folder / f"gate-{name}")

    def open(self, *names: object) -> None:
        for name in names:
            Path(self[name]).touch()

    def begun(self, name: object) -> list[int]:
        """The pids of those who have come to it so far."""
        try:
            return [int(line) for line in Path(self[name] + ".begun").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def wait_begun(self, name: object, times: int = 1) -> list[int]:
        """Wait until a worker has come to it, `times` times in all."""
        deadline = time.monotonic() + SECONDS
        while len(pids := self.begun(name)) < times:
            assert time.monotonic() < deadline, f"nobody came to gate {name} within {SECONDS} s"
            time.sleep(0.002)
        return pids


def pids_in(path: Path, count: int = 1) -> list[int]:
    """Wait until a worker function has written `count` pids into a file."""
    deadline = time.monotonic() + SECONDS
    while True:
        text = path.read_text() if path.exists() else ""
        if text.count("\n") >= count:
            return [int(line) for line in text.splitlines()]
        assert time.monotonic() < deadline, f"{path} has {text!r} after {SECONDS} s"
        time.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether a process of this id exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self/stat").exists()
    return state not in "ZX"


def wait_gone(*pids: int, seconds: float = SECONDS) -> None:
    """Wait until these processes are dead."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < deadline, f"still alive after {seconds} s: {left}"
        time.sleep(0.005)
