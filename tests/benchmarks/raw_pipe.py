"""Frames with a length in front, several of them a read and a write: both ends of the raw loop."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

import msgpack

HEAD = struct.Struct("<I")
BUFFER = 4 << 20
"""Bytes of a reader's buffer at first: some frames of a megabyte."""
JOINED = 1 << 16
"""Bytes of frames up to which they are joined before they are written; larger ones are not copied again."""
ARRAY = 1


def _array(value: Any) -> msgpack.ExtType:
    """A one-dimensional array of floats, which is all that this has to carry; others would not come out equal."""
    return msgpack.ExtType(ARRAY, value.tobytes())


def _from_extension(code: int, data: bytes) -> Any:
    import numpy  # noqa: ICN001 - only where arrays are sent

    return numpy.frombuffer(data)


def packer() -> Callable[[Any], bytes]:
    """A function that packs one value after the other."""
    pack: Callable[[Any], bytes] = msgpack.Packer(default=_array).pack
    return pack


def unpack(data: memoryview) -> Any:
    """The value of a frame."""
    return msgpack.unpackb(data, ext_hook=_from_extension, strict_map_key=False)


def framed(bodies: list[bytes]) -> list[bytes | memoryview]:
    """The parts to be written for some frames: one, if they are small."""
    parts: list[bytes | memoryview] = []
    for body in bodies:
        parts += (HEAD.pack(len(body)), body)
    return [b"".join(parts)] if sum(map(len, parts)) <= JOINED else parts


class Frames:
    """Cuts what comes from a pipe into frames."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._view = memoryview(bytearray(BUFFER))
        self._start = self._end = 0

    def read(self, use: Callable[[memoryview], object]) -> int:
        """One read; `use` is called with each frame that is complete then, and must not keep it.

        Returns:
            How many bytes came; 0 at the end of the pipe.
        """
        count = os.readv(self._fd, [self._view[self._end :]])
        view, start = self._view, self._start
        end = self._end + count
        need = HEAD.size
        while end - start >= HEAD.size:
            need = HEAD.size + HEAD.unpack_from(view, start)[0]
            if end - start < need:
                break
            use(view[start + HEAD.size : start + need])
            start += need
            need = HEAD.size
        if start == end:
            start = end = 0
        elif len(view) - start < need or end == len(view):
            # No room for the rest of the next frame: what has come of it goes to the front, of a larger buffer if need
            # be.
            rest = view[start:end]
            if need > len(view):
                self._view = memoryview(bytearray(need + BUFFER))
            self._view[: end - start] = rest if self._view is not view else bytes(rest)
            start, end = 0, end - start
        self._start, self._end = start, end
        return count
