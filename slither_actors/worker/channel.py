"""The worker's ends of the two pipes: frames in, frames out, both by blocking calls."""

from __future__ import annotations

import os
import select

from slither_actors.wire.frames import FROM_HOST, FrameParser, pack_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from slither_actors.wire.header import Buffer, Frame

# Up to here joining the parts costs less than handing the kernel a vector of them.
_JOINED: Final = 64 * 1024
_VECTOR: Final = 512  # IOV_MAX is 1024 on every system we know, 16 by POSIX's word
# What one look for a cancel may read: the rest of a large frame can wait until the batch in hand is done.
_LOOK: Final = 1024 * 1024


class HostGoneError(Exception):
    """The host has closed a pipe, or is dead."""


class Channel:
    """Reads and writes whole frames. Blocking is right here: the host always reads, and never blocks itself."""

    __slots__ = ("_parser", "_pid", "_poll", "_reply_fd", "_request_fd")

    def __init__(self, request_fd: int, reply_fd: int) -> None:
        os.set_blocking(request_fd, True)
        os.set_blocking(reply_fd, True)
        self._request_fd = request_fd
        self._reply_fd = reply_fd
        self._parser = FrameParser(accepts=FROM_HOST, loses=True)
        poll = select.poll()
        poll.register(request_fd, select.POLLIN)
        self._poll = poll.poll
        self._pid = os.getpid()

    @property
    def max_frame(self) -> int:
        """Most bytes of a frame, in both directions."""
        return self._parser.max_frame

    @max_frame.setter
    def max_frame(self, value: int) -> None:
        self._parser.max_frame = value

    def read(self) -> list[Frame]:
        """The frames that the next read completes, perhaps none; waits for it.

        :raises HostGoneError: end of file.
        :raises ProtocolError: the host sent what is no request.
        """
        parser = self._parser
        n = os.readv(self._request_fd, [parser.buffer()])
        if not n:
            raise HostGoneError
        return parser.received(n)

    def read_ready(self) -> list[Frame]:
        """The frames that can be had without waiting. Raises as :meth:`read` does."""
        frames: list[Frame] = []
        left = _LOOK
        while left > 0 and self._poll(0):
            parser = self._parser
            n = os.readv(self._request_fd, [parser.buffer()])
            if not n:
                raise HostGoneError
            frames += parser.received(n)
            left -= n
        return frames

    def write(
        self,
        kind: int,
        request_id: int,
        body: bytes = b"",
        *,
        side: bytes = b"",
        buffers: Sequence[Buffer] = (),
        attempt: int = 0,
        count: int = 0,
        failed: int = 0,
    ) -> None:
        """Send one frame; waits until the pipe has taken it.

        :raises HostGoneError: nobody reads any more.
        """
        if os.getpid() != self._pid:
            self._in_a_fork()
        buffers_len = sum(map(len, buffers)) if buffers else 0
        header = pack_header(
            kind, request_id, attempt=attempt, count=count, failed=failed, side_len=len(side), body_len=len(body),
            buffers_len=buffers_len,
        )  # fmt: skip
        try:
            if buffers_len + len(body) + len(side) <= _JOINED:
                data = b"".join((header, side, body, *buffers))
                written = os.write(self._reply_fd, data)
                while written < len(data):  # a signal handler of the user's came between
                    data = data[written:]
                    written = os.write(self._reply_fd, data)
            else:
                self._write_parts([header, side, body, *buffers])
        except BrokenPipeError:
            raise HostGoneError from None

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

    def _in_a_fork(self) -> None:
        os.write(2, b"A function of a worker forked and its child came back from the call; the child ends here.\n")
        os._exit(1)
