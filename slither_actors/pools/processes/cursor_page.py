"""The host's side of a worker's cursor; `slither_actors.worker.cursor` says what is in it.

A file and not frames: a frame an item would cost more than many items do, and fewer frames could not say at which item
a worker died. And a file that is read, not mapped: that is needed at deadlines and deaths only, and whatever the worker
does to it, a read cannot fault.
"""

from __future__ import annotations

import os
import struct
import tempfile
import time

from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.shared_memory import memory_file
from slither_actors.worker.cursor import SIZE
from supervisors.runtime.descriptors import raised

_WORDS = struct.Struct("=QQQ")


def make() -> int:
    """Make a cursor for a worker whose replies have no file: the descriptor of one without a name; -1 if impossible.

    Raises:
        OSError: no descriptor is left.
    """
    fd = memory_file(SIZE)
    if fd >= 0:
        return fd
    # No memfd (macOS), or no descriptor for one, which the next line then says.
    try:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    except (FileNotFoundError, PermissionError):  # no folder for temporary files
        return -1
    with file:
        os.ftruncate(file.fileno(), SIZE)
        return raised(os.dup(file.fileno()))


def read(fd: int, concurrency: int = 1) -> Progress | None:
    """Where the worker is whose cursors are at the end of this file; None for -1: it has none.

    Args:
        fd: of the file.
        concurrency: batches that it executes at a time: as many cursors are there.
    """
    if fd < 0:
        return None
    try:
        data = os.pread(fd, _WORDS.size * concurrency, os.fstat(fd).st_size - SIZE)
    except OSError:
        return None
    if len(data) < _WORDS.size * concurrency:  # the worker has made it shorter
        return None
    now = time.monotonic_ns()
    first, *others = [(request_id, index, (now - since) / 1e9) for request_id, index, since in _WORDS.iter_unpack(data)]
    return Progress(*first, tuple(Progress(*each) for each in others))
