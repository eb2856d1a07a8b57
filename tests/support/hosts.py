"""Programs that start a System and are killed, and who of their families is left, by a mark in the environment."""

from __future__ import annotations

import os
import subprocess
import textwrap
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import scripts
from support.gates import SECONDS, alive

EVIL = str(Path(__file__).resolve().parents[1] / "faults" / "evil_workers")
"""The directory of the modules whose functions misbehave in a worker."""

MARK = "SLITHER_ACTORS_TEST_HOST"


class Host:
    """A program of its own, and all that descend from it: each process started by one of them carries its mark.

    Args:
        process: the program.
        mark: its value of `MARK`.
    """

    def __init__(self, process: subprocess.Popen[str], mark: str) -> None:
        self.process = process
        self._mark = f"{MARK}={mark}\0".encode()

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def say(self, line: str) -> None:
        """A line for its input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def family(self) -> set[int]:
        """The pids of all that live, the program's own among them; zombies have no environment any more."""
        found = set()
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    environment = Path("/proc", entry, "environ").read_bytes()
                except OSError:  # gone, or not ours
                    continue
                if self._mark in environment and alive(int(entry)):
                    found.add(int(entry))
        return found

    def wait_family(self, size: int) -> set[int]:
        """Wait until so many of them live."""
        deadline = time.monotonic() + SECONDS
        while len(found := self.family()) < size:
            assert time.monotonic() < deadline, f"{len(found)} of {size} after {SECONDS} s"
            assert self.process.poll() is None, f"it has ended: {self.process.stdout and self.process.stdout.read()}"
            time.sleep(0.005)
        return found

    def wait_size(self, size: int) -> None:
        """Wait until no more than so many of them live."""
        deadline = time.monotonic() + SECONDS
        while len(found := self.family()) > size:
            assert time.monotonic() < deadline, f"{len(found)} and not {size} after {SECONDS} s"
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL to the program alone."""
        self.process.kill()
        self.process.wait()

    def survivors(self, seconds: float) -> set[int]:
        """Which are left of them after so many seconds; asked again and again until none is."""
        deadline = time.monotonic() + seconds
        while (left := self.family()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left


@contextmanager
def host(folder: Path, body: str) -> Iterator[Host]:
    """Run a script with the usual imports, and workers that find the evil functions; at the end all of it is killed."""
    mark = str(uuid.uuid4())
    process = scripts.start(folder, f"sys.path.insert(0, {EVIL!r})\n{textwrap.dedent(body)}", **{MARK: mark})
    running = Host(process, mark)
    try:
        yield running
    finally:
        running.kill()
        for pid in running.family():  # only where a test has failed
            os.kill(pid, 9)
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
