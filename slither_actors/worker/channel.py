"""The worker's ends of the two pipes: frames in, frames out, both by blocking calls."""

from __future__ import annotations

import os
import select
from time import monotonic

from slither_actors.wire.ends import is_end
from slither_actors.wire.frames import (
    FROM_HOST,
    HEADER,
    MAGIC,
    REPLY,
    SHARED,
    SHARED_SIZE,
    VERSION,
    FrameParser,
    pack_header,
)
from slither_actors.wire.shared_memory import Arena, Mapped, freed_parts

from .cursor import SIZE as CURSOR
from .guard import torn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, NoReturn

    from slither_actors.wire.header import Buffer, Frame

# Up to here joining the parts costs less than handing the kernel a vector of them.
_JOINED: Final = 64 * 1024
_VECTOR: Final = 512  # IOV_MAX is 1024 on every system we know, 16 by POSIX's word
# What one look for a cancel may read: the rest of a large frame can wait until the batch in hand is done.
_LOOK: Final = 1024 * 1024
# Seconds between two looks, also at our descriptors: with shorter batches a look before each would be a tenth of the
# worker's time. Who closes them all and opens so many files that one gets such a high number, takes longer.
LOOK_AGAIN: Final = 0.0002


_pack: Final = HEADER.pack


def _file(fd: int) -> tuple[int, int] | None:
    """Which file a descriptor is of; None: it is closed."""
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class HostGoneError(Exception):
    """The host has closed a pipe, or is dead."""


class StopError(Exception):
    """The host has sent a stop frame."""


class Channel:
    """Reads and writes whole frames. Blocking is right here: the host always reads, and never blocks itself."""

    __slots__ = (
        "_arena",
        "_files",
        "_forked",
        "_look_at",
        "_parser",
        "_poll",
        "_replies_fd",
        "_reply_fd",
        "_request_fd",
        "_requests_fd",
        "_shared",
        "look",
    )

    def __init__(self, request_fd: int, reply_fd: int, requests_fd: int = -1, replies_fd: int = -1) -> None:
        os.set_blocking(request_fd, True)
        os.set_blocking(reply_fd, True)
        self._request_fd = request_fd
        self._reply_fd = reply_fd
        self._parser = FrameParser(accepts=FROM_HOST, loses=True)
        self._requests_fd = requests_fd
        self._replies_fd = replies_fd
        self._shared: Mapped | None = None  # the host's arena
        self._arena: Arena | None = None  # ours
        poll = select.poll()
        poll.register(request_fd, select.POLLIN)
        self._poll = poll.poll
        self._look_at = 0.0
        self._forked = False
        self._files = {fd: _file(fd) for fd in (request_fd, reply_fd, requests_fd, replies_fd) if fd >= 0}
        self.look = False
        """Whether it is time for `read_ready` before the next batch."""
        os.register_at_fork(after_in_child=self._note_fork)

    def _note_fork(self) -> None:
        self._forked = True
        self._look_at = 0.0  # so that `reply` comes by `_check`

    @property
    def request_fd(self) -> int:
        """The descriptor that it reads from."""
        return self._request_fd

    @property
    def max_frame(self) -> int:
        """Most bytes of a frame, in both directions."""
        return self._parser.max_frame

    @max_frame.setter
    def max_frame(self, value: int) -> None:
        self._parser.max_frame = value

    def read(self) -> list[Frame]:
        """Return the frames that the next read completes, perhaps none; waits for it.

        Raises:
            HostGoneError: end of file.
            ProtocolError: the host sent what is no request.
        """
        parser = self._parser
        if monotonic() >= self._look_at:
            self._check()
        n = self._receive(parser)
        frames = parser.received(n)
        if parser.shared:
            self._look_up(frames)
        return frames

    def _receive(self, parser: FrameParser) -> int:
        try:
            n = os.readv(self._request_fd, [parser.buffer()])
        except OSError as error:
            self._failed(error)
        if not n:
            raise HostGoneError
        return n

    def _failed(self, error: OSError) -> NoReturn:
        """Explain a read or write that failed.

        Raises:
            HostGoneError: the host is gone.
        """
        if is_end(error):
            raise HostGoneError from None
        self._check()
        raise error

    def _check(self) -> None:
        """End the process if a function has closed or replaced our descriptors: others may have their numbers."""
        if self._forked:
            self._in_a_fork()
        for fd in (self._request_fd, self._reply_fd):
            self._same(fd)
        self._look_at = monotonic() + LOOK_AGAIN
        self.look = True

    def _same(self, fd: int) -> int:
        if _file(fd) != self._files[fd]:
            torn()
        return fd

    def read_ready(self) -> list[Frame]:
        """Return the frames that can be had without waiting. Raises as :meth:`read` does."""
        frames: list[Frame] = []
        self.look = False
        left = _LOOK
        while left > 0 and self._poll(0):
            parser = self._parser
            n = self._receive(parser)
            frames += parser.received(n)
            left -= n
            if parser.shared:
                self._look_up(frames)
        return frames

    def _look_up(self, frames: list[Frame]) -> None:
        self._parser.shared = False
        for frame in frames:
            if frame.flags & SHARED and len(frame.buffers) == SHARED_SIZE != frame.shared_size:
                if self._shared is None:
                    self._shared = Mapped(self._same(self._requests_fd))
                self._shared.look_up(frame)

    def freed(self, frame: Frame) -> None:
        """Handle memory that the host has copied out or dropped.

        Raises:
            ProtocolError: the frame is malformed.
        """
        arena = self._arena
        if arena is not None:
            for offset, size in freed_parts(frame.body):
                arena.extents.give(offset, size)
            if not frame.body:
                arena.trim()
        if not frame.body:
            self._parser.trim()

    def _put(self, buffers: Sequence[Buffer], size: int) -> int | None:
        """Put large buffers where the host finds them: their offset; None: into the pipe with them."""
        if self._replies_fd < 0:
            return None
        if self._arena is None:
            try:
                self._arena = Arena(self._same(self._replies_fd), CURSOR)
            except (OSError, ValueError):  # no address space left, say
                self._replies_fd = -1
                return None
        return self._arena.put(buffers, size)

    def reply(self, request_id: int, attempt: int, count: int, body: bytes, took: int) -> None:
        """Send a plain reply: what `write` does, for the one frame that comes for each batch.

        Raises:
            HostGoneError: the host has closed its end.
        """
        if monotonic() >= self._look_at:
            self._check()
        if len(body) > _JOINED:
            self.write(REPLY, request_id, body, attempt=attempt, count=count, took=took)
            return
        data = _pack(MAGIC, VERSION, REPLY, 0, attempt, request_id, 0, len(body), 0, count, 0, took) + body
        try:
            written = os.write(self._reply_fd, data)
            while written < len(data):  # a signal handler of the user's came between
                data = data[written:]
                written = os.write(self._reply_fd, data)
        except OSError as error:
            self._failed(error)

    def write(
        self,
        kind: int,
        request_id: int,
        body: bytes = b"",
        *,
        side: bytes = b"",
        buffers: Sequence[Buffer] = (),
        shared: bool = False,
        attempt: int = 0,
        count: int = 0,
        failed: int = 0,
        took: int = 0,
    ) -> None:
        """Send one frame; waits until the pipe has taken it.

        Args:
            kind: of the frame, as all that follows: see `wire.header`.
            request_id: of the request that it answers, or 0.
            body: encoded.
            side: the side section.
            buffers: sent after the body.
            shared: the buffers may go through shared memory.
            attempt: of the request.
            count: of items, or results.
            failed: items that failed alone.
            took: nanoseconds.

        Raises:
            HostGoneError: the host does not read any more.
        """
        if monotonic() >= self._look_at:
            self._check()
        buffers_len = sum(map(len, buffers)) if buffers else 0
        flags = 0
        inline = buffers_len
        if shared and buffers_len and (offset := self._put(buffers, buffers_len)) is not None:
            flags, buffers, inline = SHARED, (offset.to_bytes(SHARED_SIZE, "little"),), SHARED_SIZE
        header = pack_header(
            kind,
            request_id,
            attempt=attempt,
            flags=flags,
            count=count,
            failed=failed,
            side_len=len(side),
            body_len=len(body),
            buffers_len=buffers_len,
            took=took,
        )
        try:
            if inline + len(body) + len(side) <= _JOINED:
                data = b"".join((header, side, body, *buffers))
                written = os.write(self._reply_fd, data)
                while written < len(data):  # a signal handler of the user's came between
                    data = data[written:]
                    written = os.write(self._reply_fd, data)
            else:
                self._write_parts([header, side, body, *buffers])
        except OSError as error:
            self._failed(error)

    def _write_parts(self, parts: list[Buffer]) -> None:
        views = [memoryview(part) for part in parts if len(part)]
        first = 0
        while first < len(views):
            written = os.writev(self._reply_fd, views[first : first + _VECTOR])
            while first < len(views) and written >= len(views[first]):
                written -= len(views[first])
                first += 1
            if written:
                views[first] = views[first][written:]

    def end_in_fork(self) -> None:
        """End the process if it is a child that a function has forked."""
        if self._forked:
            self._in_a_fork()

    def _in_a_fork(self) -> None:
        os.write(2, b"A function of a worker forked and its child came back from the call; the child ends here.\n")
        os._exit(1)
