"""JSON Lines in: read as they come, one value a line, in flat memory."""

from __future__ import annotations

import json
import os
import select
import stat
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 16
"""Bytes read at a time: a Linux pipe holds no more."""

MAX_LINE = 64 << 20
"""Bytes one line may have. A file that is not JSON Lines at all may be one line without an end."""

STOP_CHECK = 0.1
"""Seconds within which a reader that waits for input notices `LineSource.stop`."""


class MalformedLine(ValueError):
    """A line of the input is not JSON.

    Attributes:
        line: its number, from 1.
        reason: what is wrong with it.
        text: the line, as far as it can be shown.
    """

    def __init__(self, line: int, reason: str, text: str) -> None:
        super().__init__(line, reason, text)
        self.line = line
        self.reason = reason
        self.text = text

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class LineSource:
    """The lines of a descriptor, numbered from 1, each as soon as its end has been read.

    Iterated by one thread (of the run); `stop`, `offset` and `size` may be used by any other.
    Reads the descriptor itself, not `sys.stdin`: a thread that waits in a buffered reader holds a lock that the
    interpreter's own shutdown asks for.

    Args:
        fd: an open descriptor; stays the caller's.
        max_line: bytes one line may have; a longer one is given as None, and its rest is passed over.
    """

    def __init__(self, fd: int, *, max_line: int = MAX_LINE) -> None:
        self._fd = fd
        self._max_line = max_line
        self._stopped = False
        status = os.fstat(fd)
        self._ready_always = stat.S_ISREG(status.st_mode)
        self.offset = 0
        """Bytes of the lines given out so far."""
        self.size = status.st_size - os.lseek(fd, 0, os.SEEK_CUR) if self._ready_always else None
        """Bytes there are in all, where that is known: for a file, not for a pipe."""

    def stop(self) -> None:
        """Let the iteration end as if the input had ended; at once, or in `STOP_CHECK` if it is waiting."""
        self._stopped = True

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        for number, line in enumerate(self._lines(), 1):
            if self._stopped:
                return
            yield number, line

    def _lines(self) -> Iterator[bytes | None]:
        held: list[bytes] = []  # the beginning of a line whose end has not come
        held_bytes = 0
        while chunk := self._read():
            *complete, rest = chunk.split(b"\n")
            for end in complete:
                length = held_bytes + len(end)
                self.offset += length + 1
                yield b"".join((*held, end)) if length <= self._max_line else None
                held.clear()
                held_bytes = 0
            held_bytes += len(rest)
            if held_bytes > self._max_line:
                held.clear()
            elif rest:
                held.append(rest)
        if held_bytes:
            self.offset += held_bytes
            yield b"".join(held) if held_bytes <= self._max_line else None

    def _read(self) -> bytes:
        """Read what there is, waiting for it; return nothing at the input's end or after `stop`."""
        while not self._stopped:
            if not self._ready_always:
                poll = select.poll()
                poll.register(self._fd, select.POLLIN)
                if not poll.poll(STOP_CHECK * 1000):
                    continue
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:  # another process emptied a pipe that it shares with us
                continue
        return b""


def parse_line(number: int, line: bytes | None, *, first: bool | None = None) -> Any:
    """Return the JSON value on a line.

    Args:
        number: of the line, for the error.
        line: its bytes, without the line feed; None for one that was too long to be read.
        first: whether those before it are blank; None: if it is line 1.

    Raises:
        MalformedLine: it is not one JSON value in UTF-8.
    """
    if line is None:
        raise MalformedLine(number, f"longer than {MAX_LINE >> 20} MiB", "")
    try:
        return _parsed(number, line)
    except MalformedLine as error:
        if number == 1 if first is None else first:
            from slither_actors.cli.formats import recognized

            what = recognized(line)
            if what is not None:
                raise MalformedLine(number, what, error.text) from None
        raise


def _parsed(number: int, line: bytes) -> Any:
    try:
        # A file written on another system may begin with a byte order mark.
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        from slither_actors.cli.formats import of_no_utf8

        reason = f"not UTF-8 at byte {error.start + 1}: {error.reason}{of_no_utf8(line)}"
        raise MalformedLine(number, reason, line.decode("utf-8", "replace")) from None
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedLine(number, f"{error.msg} at column {error.colno}", text) from None
    except RecursionError:
        raise MalformedLine(number, "nested too deeply", text) from None
    except ValueError as error:  # NaN and its like, and whole numbers of more than 4,300 digits
        raise MalformedLine(number, str(error), text) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
