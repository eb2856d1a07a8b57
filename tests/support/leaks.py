"""What this process holds of threads, descriptors and processes, and what is left of it after a while."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

SETTLE = 5.0
"""Seconds that what a test has stopped gets to be gone. A worker's group is killed and reaped in well under one."""

# Every process that is started from here on inherits it, and keeps it when its parent dies and it is adopted by init:
# parenthood alone would not find a worker's orphaned child.
MARK = f"SLITHER_ACTORS_TEST_SESSION={uuid.uuid4()}"
_NAME, _, _VALUE = MARK.partition("=")
os.environ[_NAME] = _VALUE

PROC = Path("/proc")
DESCRIPTORS = PROC / "self" / "fd" if PROC.joinpath("self", "fd").is_dir() else Path("/dev/fd")


@dataclass(frozen=True)
class Held:
    """What this process holds at one moment, each with a description for people."""

    threads: dict[threading.Thread, str]
    descriptors: dict[tuple[str, str], str]
    processes: dict[tuple[int, str], str]

    def beyond(self, before: Held) -> list[str]:
        """Descriptions of what is here and was not there."""
        return [
            *(f"thread {told}" for key, told in self.threads.items() if key not in before.threads),
            *(f"descriptor {told}" for key, told in self.descriptors.items() if key not in before.descriptors),
            *(f"process {told}" for key, told in self.processes.items() if key not in before.processes),
        ]


def held() -> Held:
    """What this process holds now."""
    return Held(
        threads={thread: f"{thread.name} (daemon: {thread.daemon})" for thread in threading.enumerate()},
        descriptors=_descriptors(),
        processes=_processes(),
    )


def left_behind(before: Held, settle: float = SETTLE) -> list[str]:
    """What is still there, beyond what was before, when it has had `settle` seconds to go."""
    left = held().beyond(before)
    if left:
        gc.collect()  # what a dropped stream or an exception's traceback holds ends when it is collected
    deadline = time.monotonic() + settle
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = held().beyond(before)
    return left


def _descriptors() -> dict[tuple[str, str], str]:
    found = {}
    for number in os.listdir(DESCRIPTORS):
        # The one that lists the folder is closed again by now.
        with contextlib.suppress(OSError):
            target = os.readlink(DESCRIPTORS / number)
            found[number, target] = f"{number} -> {target}"
    return found


def _processes() -> dict[tuple[int, str], str]:
    """Our descendants, and orphans of theirs; zombies too, which were not reaped. Linux only."""
    if not PROC.joinpath("self", "stat").exists():
        return {}
    parents: dict[int, int] = {}
    started: dict[int, str] = {}
    names: dict[int, str] = {}
    for entry in os.listdir(PROC):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            # "pid (name) state ppid ... starttime": the name may hold blanks and brackets, so cut behind the last.
            name, _, rest = _read(f"/proc/{entry}/stat").decode(errors="replace").rpartition(")")
            fields = rest.split()
            pid = int(entry)
            parents[pid], started[pid] = int(fields[1]), fields[19]
            names[pid] = f"{name})  state {fields[0]}"
    _FOREIGN.intersection_update(started.items())
    own = os.getpid()
    found = {}
    for pid in parents:
        if pid == own:
            continue
        # A pid may be given again, but not with the same start.
        if _descends(pid, own, parents) or ((pid, started[pid]) not in _FOREIGN and _is_marked(pid)):
            found[pid, started[pid]] = f"{names[pid]}  {_command_line(pid)}"
    return found


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _is_marked(pid: int) -> bool:
    try:
        return MARK.encode() in _read(f"/proc/{pid}/environ")
    except OSError:  # gone, or not ours
        return False


def _read(path: str) -> bytes:
    """Return what a file of /proc says, four times as fast as `Path.read_bytes`: this is done for each test."""
    fd = os.open(path, os.O_RDONLY)
    try:
        content = b""
        while piece := os.read(fd, 1 << 16):
            content += piece
        return content
    finally:
        os.close(fd)


def _command_line(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return ""


# Processes that ran before the tests, with their starts: none of them can become one of ours.
_FOREIGN: set[tuple[int, str]] = set()


def _note_foreign() -> None:
    own = os.getpid()
    for entry in os.listdir(PROC) if PROC.joinpath("self", "stat").exists() else []:
        if entry.isdigit() and int(entry) != own:
            with contextlib.suppress(OSError):
                _FOREIGN.add((int(entry), _read(f"/proc/{entry}/stat").rpartition(b")")[2].split()[19].decode()))


_note_foreign()
