"""A configuration's bytes: read from a regular file, bounded, and decoded as the UTF-8 that they must be."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat

from supervisors.config.errors import Place

__all__ = ["MAX_BYTES", "Unreadable", "decode", "place_behind", "read_bytes"]

MAX_BYTES = 256 * 1024
"""Room for the 10,000 keys and values that the loader takes, at 25 bytes each. Comments take a scanner's time, too."""

# Characters that YAML does not allow, and those that end a line in YAML 1.1 but in no editor: places would be wrong.
_UNWANTED = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Unreadable(Exception):
    """The file has no readable text.

    Args:
        message: why, and what to do.
        place: line and column; None for the file as a whole.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file, at most one byte more than `MAX_BYTES`.

    Raises:
        Unreadable: it cannot be read, or is a folder, a FIFO or a device.
    """
    try:
        # Non-blocking: opening a FIFO without a writer would block.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "")
            if not stat.S_ISREG(mode):
                raise ValueError("it is no regular file")
            parts = []
            left = MAX_BYTES + 1
            while left and (part := os.read(fd, left)):
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, too
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise Unreadable(f"cannot be read: {why[:1].lower()}{why[1:]}") from None


def decode(data: str | bytes) -> str:
    """Return the text, without a byte order mark.

    Raises:
        Unreadable: it is too large, is not UTF-8, or has characters that are not allowed.
    """
    size = len(data) if isinstance(data, bytes) else len(data.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES:,} bytes; a configuration is not data")
    if isinstance(data, str):
        text = data
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("this is UTF-16; save the file as UTF-8", Place(1, 1))
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
            raise Unreadable(message, place_behind(data[: error.start].decode("utf-8"))) from None
    text = text.removeprefix("\ufeff")
    found = _UNWANTED.search(text)
    if found is not None:
        message = f'the character U+{ord(found[0]):04X}; remove it, or write its escape in a text in "double quotes"'
        raise Unreadable(message, place_behind(text[: found.start()]))
    return text


def place_behind(before: str) -> Place:
    """Return the place behind this part of a text."""
    lines = before.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Place(len(lines), len(lines[-1]) + 1)
