"""What a worker may use before it is replaced: batches, resident memory, address space."""

from __future__ import annotations

import os
import sys

from .guard import raised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_BATCHES: Final = "max_batches"
MAX_RSS: Final = "max_rss"


class Limits:
    """Says after each batch whether the worker is to be replaced.

    Args:
        max_batches: batches that it may execute; None: any number.
        max_rss: bytes of resident memory that it may have between two batches; None: any number.
    """

    __slots__ = ("_left", "_max_rss", "_page", "_statm")

    def __init__(self, max_batches: int | None = None, max_rss: int | None = None) -> None:
        self._left = max_batches
        self._max_rss = max_rss
        self._statm = -1
        self._page = 0
        if max_rss is not None and sys.platform == "linux":
            # Kept open: a look at it is one system call between two batches.
            self._statm = raised(os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC))
            self._page = os.sysconf("SC_PAGE_SIZE")

    def after_batch(self) -> str | None:
        """Why the worker is to be replaced now; None while it is not."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                return MAX_BATCHES
        if self._max_rss is not None and self.resident() > self._max_rss:
            return MAX_RSS
        return None

    def counted(self) -> str | None:
        """Count a batch that begins: why none may begin after it; None while others may."""
        if self._left is None:
            return None
        self._left -= 1
        return MAX_BATCHES if self._left <= 0 else None

    def outgrown(self) -> str | None:
        """Why the worker is to be replaced for its size; None while it is not."""
        return MAX_RSS if self._max_rss is not None and self.resident() > self._max_rss else None

    def resident(self) -> int:
        """Bytes of resident memory; where the system does not tell without a library (macOS), the most there were."""
        if self._statm >= 0:
            return int(os.pread(self._statm, 128, 0).split()[1]) * self._page
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def address_space() -> int:
    """Bytes of address space that this process has; 0 where the system does not tell (macOS)."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def limit_memory(size: int) -> None:
    """From now on what this process asks for beyond ``size`` bytes of address space is a MemoryError.

    Raises:
        ValueError: the system allows less, and not this; or this process has more already.
    """
    import resource

    taken = address_space()
    if size < taken:
        # The kernel would take it; the first batch would find out.
        raise ValueError(f"memory_limit is {size} bytes, and the bare interpreter has taken {taken} of address space")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY and size > hard:
        raise ValueError(f"memory_limit is {size} bytes, and the limit of this process is {hard} (ulimit -H -v)")
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
