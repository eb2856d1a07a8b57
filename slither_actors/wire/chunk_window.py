"""How far a stream's function may be ahead of its reader: the same account on both sides of the pipe. Pure."""

from __future__ import annotations

from collections import deque


class ChunkWindow:
    """The chunks that were sent and have not reached the reader.

    The worker resumes its function only while the window is open, so the function is ahead by at most `chunks` chunks,
    and by fewer than `size` bytes and one chunk. Both sides count what went through the pipe, in its order: while the
    host finds the window closed the worker surely waits for the reader, and for nothing else.

    Args:
        chunks: that may be ahead.
        size: bytes of these from which on the window is closed.
    """

    __slots__ = ("_bytes", "_chunks", "_sizes", "_total")

    def __init__(self, chunks: int, size: int) -> None:
        self._chunks = chunks
        self._bytes = size
        self._sizes: deque[int] = deque()
        self._total = 0

    @property
    def open(self) -> bool:
        """Whether a further chunk may be made."""
        return len(self._sizes) < self._chunks and self._total < self._bytes

    @property
    def ahead(self) -> int:
        """Chunks that have not reached the reader."""
        return len(self._sizes)

    def sent(self, size: int) -> None:
        """Count a chunk of so many bytes, its header included."""
        self._sizes.append(size)
        self._total += size

    def took(self, count: int) -> bool:
        """Count chunks that have reached the reader, the first ones. False if so many were not ahead."""
        if count > len(self._sizes):
            return False
        for _ in range(count):
            self._total -= self._sizes.popleft()
        return True
