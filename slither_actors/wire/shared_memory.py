"""Memory that host and worker have mapped both: large buffers are put there and not into the pipe.

A pipe carries a megabyte in pieces: each side copies it, the kernel makes and frees its pages, and the two take turns.
Here the one side copies it into the arena and the other out of it. An arena is a file without a name (memfd) that a
worker inherits; it is gone with the last of those who hold it. Its size is sealed: neither side can
shorten it while the other reads.

The side that writes into an arena keeps its :class:`Extents`. It may use a part again once the other side has copied
out of it: for a request that is when its reply comes, for a reply when the host says so (kind ``freed``). What was used
stays with the arena, for the next batch; once no run is there for a while both sides trim theirs.
"""

from __future__ import annotations

import os
import struct
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap

from .header import ProtocolError
from .page_allocator import Extents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from .header import Buffer, Frame

_PAIR: Final = struct.Struct("<QQ")


class Mapped:
    """An arena that the other side writes.

    Args:
        fd: of the file; not needed any more afterwards.
    """

    __slots__ = ("_map", "_view")

    def __init__(self, fd: int) -> None:
        self._map = mmap(fd, os.fstat(fd).st_size, MAP_SHARED, PROT_READ)
        self._view = memoryview(self._map)

    def look_up(self, frame: Frame) -> int:
        """Have the buffers of a `SHARED` frame, which is their offset yet, show what is there; gives that offset.

        Raises:
            ProtocolError: reason ``body``: they lie outside the arena.
        """
        offset = int.from_bytes(frame.buffers, "little")
        size = frame.shared_size
        if offset + size > len(self._view):
            raise ProtocolError("body", f"{size} bytes at {offset} are announced in {len(self._view)} shared ones")
        frame.buffers = self._view[offset : offset + size]
        return offset


class Arena:
    """An arena that this side writes. Not thread-safe.

    Args:
        fd: of the file; not needed any more afterwards.
        tail: bytes at the file's end that are not the arena's.
    """

    __slots__ = ("_map", "extents")

    def __init__(self, fd: int, tail: int = 0) -> None:
        size = os.fstat(fd).st_size - tail
        self._map = mmap(fd, size, MAP_SHARED, PROT_READ | PROT_WRITE)
        self.extents = Extents(size)

    def put(self, buffers: Sequence[Buffer], size: int) -> int | None:
        """Copy buffers, ``size`` bytes together, side by side into the arena: their offset; None: there is no room."""
        offset = self.extents.take(size)
        if offset is not None:
            self.fill(offset, buffers)
        return offset

    def fill(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Copy buffers to a place that was taken for them."""
        at, memory = offset, self._map
        for buffer in buffers:
            end = at + len(buffer)
            memory[at:end] = buffer
            at = end

    def trim(self) -> None:
        """Give the memory of what is not in use back to the system."""
        for offset, size in self.extents.free():
            # The system's pages may be larger than ours: it would round up, into what is in use.
            start, end = -(-offset // PAGESIZE) * PAGESIZE, (offset + size) // PAGESIZE * PAGESIZE
            if start < end:
                try:
                    self._map.madvise(_MADV_REMOVE, start, end - start)  # Linux only, as are these arenas
                except OSError:  # a system without it: the memory stays with the arena
                    return


_MADV_REMOVE: Final = 9


def freed_body(parts: Sequence[tuple[int, int]]) -> bytes:
    """Encode which parts (offset, size) of the other side's arena it may use again."""
    return b"".join(_PAIR.pack(*part) for part in parts)


def freed_parts(body: Buffer) -> list[Any]:
    """Decode the parts (offset, size).

    Raises:
        ProtocolError: reason ``body``: these are none.
    """
    if len(body) % _PAIR.size:
        raise ProtocolError("body", "the body of a freed frame is no list of pairs")
    return list(_PAIR.iter_unpack(body))
