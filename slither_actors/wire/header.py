"""What a frame is: a fixed header, then side data, body and out-of-band buffers."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    Buffer: TypeAlias = bytes | bytearray | memoryview

MAGIC: Final = b"SA"
VERSION: Final = 3

HELLO: Final = 1
READY: Final = 2
LOAD: Final = 3
LOADED: Final = 4
CALL: Final = 5
COMMAND: Final = 6
REPLY: Final = 7
FAILURE: Final = 8
CANCEL: Final = 9
CANCELLED: Final = 10
STOP: Final = 13
FORGET: Final = 14
RETIRE: Final = 15
FREED: Final = 16
STREAM: Final = 17
CHUNK: Final = 18
CREDIT: Final = 19
ALONE: Final = 20

KIND_NAMES: Final[dict[int, str]] = {
    HELLO: "hello",
    READY: "ready",
    LOAD: "load",
    LOADED: "loaded",
    CALL: "call",
    COMMAND: "command",
    REPLY: "reply",
    FAILURE: "failure",
    CANCEL: "cancel",
    CANCELLED: "cancelled",
    STOP: "stop",
    FORGET: "forget",
    RETIRE: "retire",
    FREED: "freed",
    STREAM: "stream",
    CHUNK: "chunk",
    CREDIT: "credit",
    ALONE: "alone",
}

FROM_HOST: Final = frozenset({HELLO, LOAD, CALL, COMMAND, CANCEL, STOP, FORGET, FREED, STREAM, CREDIT, ALONE})
"""The kinds that a worker accepts."""
FROM_WORKER: Final = frozenset({READY, LOADED, REPLY, FAILURE, CANCELLED, RETIRE, CHUNK})
"""The kinds that a host accepts."""

HEADER: Final = struct.Struct("<2sBBHHQIQQIIQ")
"""Magic, version, kind, flags, attempt, request id, lengths of side, body and buffers, good results, failed items, and
in the answer to a batch the nanoseconds that the user's function took (0: it was not called)."""
HEADER_SIZE: Final = HEADER.size

FIRST_CALL: Final = struct.Struct("<QQIQ8xI12x")
"""The header of a request without buffers in fewer parts: one of `FIRST_ATTEMPT`, request id, lengths of side and body,
items."""


FIRST_ATTEMPT: Final = {
    kind: int.from_bytes(HEADER.pack(MAGIC, VERSION, kind, 0, 1, 0, 0, 0, 0, 0, 0, 0)[:8], "little")
    for kind in KIND_NAMES
}
"""By kind: the first eight bytes of a frame without flags, of a first attempt, as a number."""


SHARED: Final = 1
"""Flag: the buffers are in memory that both sides have mapped; in the stream stands their offset in their place."""
SHARED_SIZE: Final = 8
"""Bytes of that offset."""

DEFAULT_MAX_FRAME: Final = 1 << 30

EMPTY: Final = memoryview(b"")


class ProtocolError(Exception):
    """The other side of the pipe broke the protocol; nothing that comes after it on that pipe can be trusted.

    Not the fault of a payload or of the caller: a program wrote into the pipe, or the two sides run different versions.

    :ivar reason: one word a counter can be kept by: ``magic``, ``version``, ``kind``, ``too_large``, ``state``,
        ``body``, ``closed`` (the pipe ended inside a frame).
    :ivar detail: the sentence for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class Frame:
    """One frame. ``side`` is bytes; ``body`` bytes or a read-write view; ``buffers`` a view, writable unless empty.

    Of a frame with the flag `SHARED` ``buffers`` are at first the offset, as bytes, and ``shared_size`` says how many
    bytes there are; once they have been looked up, a read-only view of that memory, which ``lease`` keeps in use.
    """

    __slots__ = (
        "attempt",
        "body",
        "buffers",
        "count",
        "failed",
        "flags",
        "kind",
        "lease",
        "request_id",
        "shared_size",
        "side",
        "took",
    )
    lease: object
    shared_size: int

    def __init__(
        self,
        kind: int,
        flags: int,
        attempt: int,
        request_id: int,
        count: int,
        failed: int,
        side: bytes,
        body: bytes | memoryview,
        buffers: memoryview = EMPTY,
        took: int = 0,
    ) -> None:
        self.kind = kind
        self.flags = flags
        self.attempt = attempt
        self.request_id = request_id
        self.count = count
        self.failed = failed
        self.side = side
        self.body = body
        self.buffers = buffers
        self.took = took

    @property
    def size(self) -> int:
        """Bytes that the frame takes, those in shared memory included."""
        return HEADER_SIZE + len(self.side) + len(self.body) + len(self.buffers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return all(getattr(self, name, None) == getattr(other, name, None) for name in Frame.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"<Frame {KIND_NAMES.get(self.kind, self.kind)} #{self.request_id} attempt={self.attempt} "
            f"count={self.count} failed={self.failed} side={len(self.side)} body={len(self.body)} "
            f"buffers={len(self.buffers)}>"
        )


class LostFrame(Frame):
    """A frame whose header came and for whose sections there was no memory: they were read and thrown away."""

    __slots__ = ("_size",)

    def __init__(
        self, size: int, kind: int, flags: int, attempt: int, request_id: int, count: int, failed: int
    ) -> None:
        super().__init__(kind, flags, attempt, request_id, count, failed, b"", b"")
        self._size = size

    @property
    def size(self) -> int:
        """Bytes that the frame took on the wire."""
        return self._size


def pack_header(
    kind: int,
    request_id: int,
    *,
    attempt: int = 0,
    flags: int = 0,
    count: int = 0,
    failed: int = 0,
    side_len: int = 0,
    body_len: int = 0,
    buffers_len: int = 0,
    took: int = 0,
) -> bytes:
    """Return a frame's header; side, body and buffers follow in this order. ``struct.error`` if out of range."""
    return HEADER.pack(
        MAGIC, VERSION, kind, flags, attempt, request_id, side_len, body_len, buffers_len, count, failed, took
    )


def pack_frame(
    kind: int,
    request_id: int = 0,
    body: bytes = b"",
    *,
    side: bytes = b"",
    attempt: int = 0,
    flags: int = 0,
    count: int = 0,
    failed: int = 0,
    took: int = 0,
) -> bytes:
    """Return a whole small frame (one without out-of-band buffers) as one piece."""
    header = HEADER.pack(MAGIC, VERSION, kind, flags, attempt, request_id, len(side), len(body), 0, count, failed, took)
    return header + side + body if side else header + body
