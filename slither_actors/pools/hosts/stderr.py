"""What a worker wrote to stderr: cut into lines for the log, the last of them kept for errors. Pure."""

from __future__ import annotations

from collections import deque

KEEP_LINES = 40
KEEP_LINE = 2_000
"""Characters kept of a line. With KEEP_LINES this bounds a tail at 80 kB, whatever a worker prints; a faulthandler
trace of a deep stack still fits."""


class StderrTail:
    """Feed it bytes as they come; it gives whole lines and remembers the last ones."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=KEEP_LINES)
        self._rest = b""
        self.total = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, each cut to `KEEP_LINE` characters."""
        self.total += len(data)
        *lines, rest = (self._rest + data).split(b"\n")
        # Of a line without end only the beginning is kept: 4 bytes are enough for any character of UTF-8.
        self._rest = rest[: 4 * KEEP_LINE]
        texts = [_text(line) for line in lines]
        self._lines.extend(texts[-KEEP_LINES:])
        return texts

    def text(self) -> str:
        """The last lines, an unfinished one included."""
        rest = [_text(self._rest)] if self._rest else []
        return "\n".join([*self._lines, *rest][-KEEP_LINES:])


def _text(line: bytes) -> str:
    return line[: 4 * KEEP_LINE].decode("utf-8", "backslashreplace").rstrip("\r")[:KEEP_LINE]
