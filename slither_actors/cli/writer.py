"""Lines out: gathered into large writes, flushed when nothing more comes."""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FLUSH_BYTES = 1 << 16
"""Bytes gathered before they are written: as much as a Linux pipe takes at once."""

# The least that a POSIX pipe which is ready takes without waiting; select.PIPE_BUF is not there on every system.
_ALWAYS_FITS = 512


class WriteFailed(Exception):
    """What was written could not go where it should.

    Attributes:
        name: of the file, for people.
        closed: the reader of the pipe, socket or terminal has closed it (``| head``), which is not an error.
    """

    def __init__(self, name: str, closed: bool, reason: str) -> None:
        super().__init__(name, closed, reason)
        self.name = name
        self.closed = closed
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class LineWriter:
    """Lines to a descriptor. May be used by several threads.

    What is written waits in memory until there is `FLUSH_BYTES` of it; the caller calls `flush` now and then, so
    that a line never waits for the next one.

    Args:
        fd: an open descriptor; stays the caller's.
        name: of what is behind it, for errors.
        before_write: called before each write, for a terminal that shows something else on the same line.
    """

    def __init__(self, fd: int, name: str, *, before_write: Callable[[], None] | None = None) -> None:
        self._fd = fd
        self._name = name
        self._before_write = before_write
        # Held during a write that blocks, so that the next writer waits: that is the backpressure.
        self._lock = threading.Lock()
        self._gathered = bytearray()
        self._failure: OSError | None = None
        self.written = 0
        """Lines that have gone where they should, to their ends."""

    def write(self, line: bytes) -> None:
        """Add one line.

        Raises:
            WriteFailed: it could not be written, or an earlier one could not.
        """
        with self._lock:
            self._gathered += line
            if self._failure is not None or len(self._gathered) >= FLUSH_BYTES:
                self._write_out()

    def flush(self) -> None:
        """Write what was gathered. Raises as `write` does, also when an earlier write failed."""
        with self._lock:
            self._write_out()

    def flush_what_fits(self) -> None:
        """Write what the descriptor takes without waiting and forget the rest: for an end that cannot wait."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            while self._gathered and self._failure is None and self._ready(0):
                self._write_piece(_ALWAYS_FITS)
        except OSError as error:
            self._failure = error
        finally:
            self._gathered.clear()
            self._lock.release()

    def _write_out(self) -> None:
        try:
            if self._failure is not None:
                raise self._failure
            if self._gathered and self._before_write is not None:
                self._before_write()
            while self._gathered:
                try:
                    self._write_piece(FLUSH_BYTES)
                except BlockingIOError:  # a process that shares the terminal or pipe made it non-blocking
                    self._ready(None)
        except OSError as error:
            self._failure = error
            self._gathered.clear()
            closed = isinstance(error, ConnectionError) or (error.errno == errno.EIO and self._is_terminal())
            raise WriteFailed(self._name, closed, error.strerror or str(error)) from None

    def _write_piece(self, most: int) -> None:
        piece = self._gathered[:most]
        # What was written is taken off at once, so that a signal handler which raises doubles nothing.
        del self._gathered[: (size := os.write(self._fd, piece))]
        self.written += piece.count(b"\n", 0, size)

    def _is_terminal(self) -> bool:
        """Whether it may be a terminal. One whose other side is closed, which gives EIO, is none to `isatty`."""
        return stat.S_ISCHR(os.fstat(self._fd).st_mode)

    def _ready(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(timeout))
