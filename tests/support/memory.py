"""How much memory this process takes. Linux."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes that are resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise LookupError("the system does not tell the peak")


@contextmanager
def growth() -> Iterator[list[int]]:
    """Measures what the context takes: the list has, afterwards, by how many bytes the peak exceeded the beginning."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is now
    before = resident()
    measured: list[int] = []
    yield measured
    measured.append(max(0, _peak() - before))
