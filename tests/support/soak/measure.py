"""Whether what the host holds is flat: memory, descriptors, threads, child processes, over a long time."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
MORE_MEMORY = 24 << 20
"""Bytes by which the memory of the last window may exceed that of the first. What glibc's arenas keep of what was freed
grows for some minutes (`malloc_trim` gives it back); a leak of a few kilobytes a run would be several times as much."""
MORE_OF_OTHERS = 12
"""By so many a window's median of the others may exceed that of the first: runs come and go, and have threads."""


@dataclass(frozen=True)
class Sample:
    """What the host holds, at one moment.

    Args:
        rss: bytes of resident memory.
        descriptors, threads, children: how many of each.
    """

    rss: int
    descriptors: int
    threads: int
    children: int

    def __str__(self) -> str:
        return (
            f"{self.rss / (1 << 20):.1f} MiB resident, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.children} children"
        )


def sample() -> Sample:
    """Now. Linux."""
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    children = sum(map(_children, os.listdir("/proc/self/task")))
    return Sample(rss, len(os.listdir("/proc/self/fd")), threading.active_count(), children)


def _children(task: str) -> int:
    """Return how many children a thread has; none where it has ended since it was listed."""
    try:
        return len(Path("/proc/self/task", task, "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Meter:
    """Takes samples on a thread, and compares the first window with the last.

    Args:
        pause: seconds between two samples.
    """

    def __init__(self, pause: float = 0.5) -> None:
        self._pause = pause
        self._over = threading.Event()
        self._samples: list[tuple[float, Sample]] = []
        self._thread = threading.Thread(target=self._work, name="meter", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more samples."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(self._pause):
            try:
                self._samples.append((time.monotonic(), sample()))
            except OSError:  # a thread ended while it was looked at
                continue

    def window(self, begin: float, end: float) -> Sample:
        """The medians of what was measured between two times of the monotonic clock."""
        found = [astuple(each) for at, each in self._samples if begin <= at <= end]
        return Sample(*(int(statistics.median(column)) for column in zip(*found, strict=True)))


def growth(first: Sample, last: Sample) -> Sequence[str]:
    """What is more in the last window than it may be, in words."""
    wrong = []
    if last.rss - first.rss > MORE_MEMORY:
        wrong.append(f"memory grew from {first.rss >> 20} to {last.rss >> 20} MiB")
    for name in ("descriptors", "threads", "children"):
        before, after = getattr(first, name), getattr(last, name)
        if after - before > MORE_OF_OTHERS:
            wrong.append(f"{name} grew from {before} to {after}")
    return wrong
