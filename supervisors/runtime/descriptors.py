"""Descriptors with high numbers, which other code of this process does not reuse by accident."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections import deque
from itertools import starmap

from supervisors.runtime.interrupts import raised_by_handler

__all__ = ["above_standard", "close", "close_all", "copied", "lowest", "raised"]

_HIGHEST = 4096
"""Where ours begin at the most: the kernel's table of descriptors grows to the highest number."""


def raised(fd: int) -> int:
    """Move a descriptor to a high number; it is close-on-exec there.

    The system gives the lowest free number to what is opened next. So if other code closes all descriptors
    (`os.closerange(3, ...)`, as daemons do) and opens files, a write to one of ours fails with EBADF, where it would
    go into one of these files if ours were low.

    Args:
        fd: a descriptor; closed if it was moved.

    Returns:
        The new number; `fd` itself where none is free, or if it is negative.
    """
    if fd < 0 or (high := copied(fd)) is None:
        return fd
    os.close(fd)
    return high


def above_standard(fd: int) -> int:
    """Move a descriptor that has the number of a standard stream, as this process has closed that stream.

    A child gets its own standard streams at these numbers, over whatever it was to inherit there.

    Args:
        fd: a descriptor; closed if it was moved.

    Raises:
        OSError: no descriptor is left.
    """
    if not 0 <= fd <= 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def lowest() -> int:
    """Return the lowest high number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _HIGHEST if soft == resource.RLIM_INFINITY else min(soft // 2, _HIGHEST)


def copied(fd: int) -> int | None:
    """Return a copy with a high number; None if none is free, or if the descriptor has one already."""
    base = lowest()
    if fd >= base:
        return None
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, base)
    except OSError:
        return None


def close(fd: int) -> None:
    """Close a descriptor that other code may have closed already."""
    try:
        os.close(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


_exhaust = deque[object](maxlen=0).extend


def close_all(ends: list[int]) -> None:
    """Close the ends of a pipe, the writing end first, so that a concurrent write cannot raise SIGPIPE.

    Each leaves the list and is closed within one call of C code: an interrupt comes before it or after.

    Args:
        ends: empty afterwards.
    """
    while ends:
        try:
            _exhaust(map(os.close, starmap(ends.pop, [()])))
        except (IndexError, OSError) as error:  # another thread closes it, too; other code has closed it already
            if raised_by_handler(error):
                raise
