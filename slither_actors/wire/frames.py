"""Cuts a byte stream into frames; does no I/O. What a frame is says :mod:`.header`, whose names are here too."""

from __future__ import annotations

import struct

from .buffer_pool import Spares
from .header import (
    ALONE,
    CALL,
    CANCEL,
    CANCELLED,
    CHUNK,
    COMMAND,
    CREDIT,
    DEFAULT_MAX_FRAME,
    EMPTY,
    FAILURE,
    FIRST_ATTEMPT,
    FORGET,
    FREED,
    FROM_HOST,
    FROM_WORKER,
    HEADER,
    HEADER_SIZE,
    HELLO,
    KIND_NAMES,
    LOAD,
    LOADED,
    MAGIC,
    READY,
    REPLY,
    RETIRE,
    SHARED,
    SHARED_SIZE,
    STOP,
    STREAM,
    VERSION,
    Frame,
    LostFrame,
    ProtocolError,
    pack_frame,
    pack_header,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap
    from typing import Any, Final

    from .header import Buffer

__all__ = [
    "ALONE",
    "CALL",
    "CANCEL",
    "CANCELLED",
    "CHUNK",
    "COMMAND",
    "CREDIT",
    "DEFAULT_MAX_FRAME",
    "EMPTY",
    "FAILURE",
    "FORGET",
    "FREED",
    "FROM_HOST",
    "FROM_WORKER",
    "HEADER",
    "HEADER_SIZE",
    "HELLO",
    "KIND_NAMES",
    "LOAD",
    "LOADED",
    "MAGIC",
    "READY",
    "REPLY",
    "RETIRE",
    "SHARED",
    "SHARED_SIZE",
    "STOP",
    "STREAM",
    "VERSION",
    "Frame",
    "FrameParser",
    "LostFrame",
    "ProtocolError",
    "pack_frame",
    "pack_header",
]

# As much as a pipe widened to 1 MiB gives in a few reads, and small enough to stay in the second-level cache.
BUFFER_SIZE: Final = 256 * 1024
# Below this much room what is held is moved to the front, so that no read is a small one for want of room.
MIN_ROOM: Final = 64 * 1024
# Sections with arrays begin at an address that suits any numpy item (16: long double). malloc's blocks begin at such.
ALIGNMENT: Final = 16

_unpack: Final = struct.Struct("<QQIQQIIQ").unpack_from


class FrameParser:
    """Cuts a byte stream into frames: read into :meth:`buffer`, tell :meth:`received` how much came.

    Small frames are copied out of one buffer that is used again for each read, several of them a read. A frame that
    does not fit there is read in place into memory of its own; above 16 MiB that is mapped, so that what has not come
    costs nothing. Not thread-safe.

    Args:
        max_frame: most bytes a frame may have in all, header included; checked before anything is allocated.
        accepts: the kinds that may come on this pipe.
        loses: a frame for which there is no memory is read to its end and comes as a :class:`LostFrame`, so that it
            alone has failed; without it that is a ProtocolError.
    """

    __slots__ = (
        "_accepts",
        "_buffer",
        "_end",
        "_error",
        "_first",
        "_kinds",
        "_large",
        "_large_filled",
        "_large_head",
        "_large_pad",
        "_large_size",
        "_large_view",
        "_loses",
        "_need",
        "_salvage",
        "_spares",
        "_start",
        "_view",
        "max_frame",
        "shared",
    )

    def __init__(
        self,
        max_frame: int = DEFAULT_MAX_FRAME,
        accepts: frozenset[int] = FROM_HOST | FROM_WORKER,
        *,
        loses: bool = False,
    ) -> None:
        self.max_frame = max_frame
        self.shared = False  # whether a frame with shared buffers has come; their owner may reset it
        self._accepts = accepts
        self._loses = loses
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = 0  # of what is not yet cut
        self._end = 0  # of what has come
        self._need = HEADER_SIZE  # bytes from _start on that would allow the next step
        self._large: bytearray | mmap | None = None  # sections of the frame that is read in place; empty: it is lost
        self._large_view: memoryview | None = None
        self._large_head: tuple[Any, ...] = ()
        self._large_pad = 0
        self._large_filled = 0
        self._large_size = 0
        self._error: ProtocolError | None = None
        self._salvage: list[Frame] = []
        self._spares = Spares()
        self._first = {FIRST_ATTEMPT[kind]: kind for kind in accepts}
        # The first four bytes of a header that may come here, as a number: magic, version and kind in one look.
        self._kinds = {int.from_bytes(MAGIC + bytes((VERSION, kind)), "little"): kind for kind in accepts}

    @property
    def pending(self) -> bool:
        """Whether a part of a frame is held: an end of the stream now would be in the middle of a frame."""
        return self._large is not None or self._end > self._start

    @property
    def spares(self) -> int:
        """How many large frames' memory is kept for the next ones."""
        return len(self._spares)

    def trim(self) -> None:
        """Keep none of it. What frames refer to stays with them."""
        self._spares.clear()

    @property
    def shared_buffer(self) -> bytearray:
        """What `buffer` gives a rear part of, unless `in_place`. It stays the same and keeps its size."""
        return self._buffer

    @property
    def in_place(self) -> bool:
        """Whether the next read goes into memory of a large frame's own."""
        return self._large is not None

    def buffer(self) -> memoryview:
        """Where the next read may go; never empty. Valid until :meth:`received`.

        Raises:
            ProtocolError: the stream is broken already.
        """
        if self._large is not None:
            return self._large_room(self._large)
        if self._error is not None:
            raise self._error
        start, end = self._start, self._end
        if start == end:
            self._start = self._end = 0
            return self._view
        if BUFFER_SIZE - start < self._need or (start and BUFFER_SIZE - end < MIN_ROOM):
            self._view[: end - start] = self._view[start:end]
            self._start, self._end = 0, end - start
        return self._view[self._end :]

    def received(self, n: int) -> list[Frame]:
        """Return the frames that ``n`` more bytes in :meth:`buffer` have completed, in order.

        Raises:
            ProtocolError: what came is not a frame, or not one that may come here, or too large. Every further call
                raises the same. Whole frames that came before it are in :meth:`salvage`.
        """
        if self._large is not None:
            return self._large_received(n)
        if self._error is not None:
            raise self._error
        start = self._start
        end = self._end = self._end + n
        frames: list[Frame] = []
        buffer, view, kinds, max_frame = self._buffer, self._view, self._first, self.max_frame
        unpack, header_size, reply = _unpack, HEADER_SIZE, REPLY
        append, small = frames.append, max_frame >= BUFFER_SIZE
        while end - start >= header_size:
            lead, request_id, side, body, buffers, count, failed, took = unpack(buffer, start)
            kind = kinds.get(lead)
            first = start + header_size
            middle = first + side
            if kind == reply and small and not (side or buffers or failed) and middle + body <= end:
                start = middle + body
                append(Frame(reply, 0, 1, request_id, count, 0, b"", bytes(view[middle:start]), EMPTY, took))
                continue
            flags, attempt = 0, 1
            if kind is None:
                kind, flags, attempt = self._kinds.get(lead & 0xFFFFFFFF), lead >> 32 & 0xFFFF, lead >> 48
            last = middle + body
            stop = last + (SHARED_SIZE if flags and flags & SHARED else buffers)
            if kind is None or last + buffers - start > max_frame:
                self._start = start
                self._salvage = frames
                self._error = self._complaint(start)
                raise self._error
            if stop > end:
                self._start = start
                if stop - start > BUFFER_SIZE:
                    head = (kind, flags, attempt, request_id, count, failed, buffers, side, body, stop - last, took)
                    try:
                        self._large_begin(head, first)
                    except MemoryError as error:
                        self._salvage = frames
                        text = f"a frame of {stop - start} bytes is announced: {str(error) or 'no memory for it'}"
                        self._error = ProtocolError("too_large", text)
                        raise self._error from error
                else:
                    self._need = stop - start
                return frames
            append(
                Frame(
                    kind,
                    flags,
                    attempt,
                    request_id,
                    count,
                    failed,
                    bytes(view[first:middle]) if side else b"",
                    bytes(view[middle:last]),
                    memoryview(bytearray(view[last:stop])) if stop > last else EMPTY,
                    took,
                )
            )
            if flags and flags & SHARED:
                frames[-1].shared_size = buffers
                self.shared = True
            start = stop
        self._start = start
        self._need = HEADER_SIZE
        if start < end and not MAGIC.startswith(buffer[start : min(start + 2, end)]):
            # A stray print is shorter than a header: waiting for the rest of it would never end.
            self._salvage = frames
            self._error = self._complaint(start)
            raise self._error
        return frames

    def feed(self, data: Buffer) -> list[Frame]:
        """Return the frames that ``data`` has completed: :meth:`buffer` and :meth:`received` in one, with a copy.

        Raises:
            ProtocolError: as :meth:`received` does.
        """
        frames: list[Frame] = []
        rest = memoryview(data)
        if not rest and self._error is not None:
            raise self._error
        while rest:
            try:
                room = self.buffer()
                n = min(len(room), len(rest))
                room[:n] = rest[:n]
                del room
                frames += self.received(n)
            except ProtocolError:
                self._salvage = frames + self._salvage
                raise
            rest = rest[n:]
        return frames

    def salvage(self) -> list[Frame]:
        """Return the whole frames before the broken place in the call that raised; each is handed out once."""
        frames, self._salvage = self._salvage, []
        return frames

    def end(self) -> None:
        """Check that the stream ends between two frames.

        Raises:
            ProtocolError: in the middle of a frame, or it was broken before.
        """
        if self._error is None and self.pending:
            held = self._large_filled if self._large is not None else self._end - self._start
            self._error = ProtocolError("closed", f"the pipe ended inside a frame, {held} bytes of it had come")
            self._large = self._large_view = None
        if self._error is not None:
            raise self._error

    def _complaint(self, start: int) -> ProtocolError:
        """Describe what is wrong with the header, or with the two bytes of one, at ``start``."""
        head = bytes(self._view[start : min(self._end, start + 32)])
        if not head.startswith(MAGIC):
            return ProtocolError("magic", f"no frame begins with {head[:2]!r}; what came is {head!r}")
        _, version, kind, *_, side, body, buffers, _, _, _ = HEADER.unpack_from(self._buffer, start)
        if version != VERSION:
            return ProtocolError("version", f"the other side speaks protocol version {version}, this one {VERSION}")
        if kind not in KIND_NAMES:
            return ProtocolError("kind", f"there is no frame of kind {kind}")
        if kind not in self._accepts:
            return ProtocolError("kind", f"a {KIND_NAMES[kind]} frame does not come from that side")
        size = HEADER_SIZE + side + body + buffers
        return ProtocolError("too_large", f"a frame of {size} bytes is announced, max_frame is {self.max_frame}")

    def _large_begin(self, head: tuple[Any, ...], start: int) -> None:
        """Give the frame whose header was just read memory of its own, and move there what has come of it."""
        side, body, buffers = head[7:10]
        self._large_head = head
        self._large_pad = -(side + body) % ALIGNMENT if buffers else 0
        self._large_size = self._large_pad + side + body + buffers
        self._large_filled = self._large_pad + self._end - start
        try:
            large = self._spares.take(self._large_size)
        except MemoryError:
            if not self._loses:
                raise
            large = bytearray()
        else:
            large[self._large_pad : self._large_filled] = self._view[start : self._end]
        self._large = large
        self._start = self._end = 0
        self._need = HEADER_SIZE

    def _large_room(self, large: bytearray | mmap) -> memoryview:
        if self._large_view is not None:
            self._large_view.release()
        if not len(large):
            self._large_view = self._view[: self._large_size - self._large_filled]
            return self._large_view
        self._large_view = memoryview(large)[self._large_filled : self._large_size]
        return self._large_view

    def _large_received(self, n: int) -> list[Frame]:
        self._large_filled += n
        if self._large_view is not None:
            self._large_view.release()
            self._large_view = None
        if self._large_filled < self._large_size:
            return []
        kind, flags, attempt, request_id, count, failed, beside, side, body, buffers, took = self._large_head
        if not len(self._large):  # type: ignore[arg-type]
            self._large = None
            size = HEADER_SIZE + side + body + buffers
            return [LostFrame(size, kind, flags, attempt, request_id, count, failed)]
        whole = memoryview(self._large)[: self._large_size]  # type: ignore[arg-type]
        self._large = None
        self._large_head = ()
        start = self._large_pad
        side_data = bytes(whole[start : start + side])
        start += side
        frame = Frame(
            kind,
            flags,
            attempt,
            request_id,
            count,
            failed,
            side_data,
            whole[start : start + body],
            whole[start + body :] if buffers else EMPTY,
            took,
        )
        if flags & SHARED:
            frame.shared_size = beside
            self.shared = True
        return [frame]
