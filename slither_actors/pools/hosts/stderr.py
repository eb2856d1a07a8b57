"""What a worker writes to stderr: the last lines kept for errors, all of them for the log, as far as that keeps up."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisors import SideThread

logger = logging.getLogger("slither_actors.worker")

KEEP_LINES = 40
KEEP_LINE = 2_000
"""Characters kept of a line. With KEEP_LINES this bounds a tail at 80 kB, whatever a worker prints; a faulthandler
trace of a deep stack still fits."""
CUT = 4 * KEEP_LINE
"""Bytes kept of a line: enough for so many characters of UTF-8."""
BACKLOG = 1 << 20
"""Bytes of one worker that wait to be logged at the most: a burst of ten thousand lines is logged whole, and a pool of
a hundred workers that all print without end takes 100 MB for it."""


class StderrTail:
    """Feed it bytes as they come; it gives whole lines and remembers the last ones. Pure.

    This runs in the thread that reads for all workers, so it looks at the last lines only, however many there are.
    """

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=KEEP_LINES)
        self._rest = b""
        self.total = 0

    def feed(self, data: bytes) -> bytes:
        """The lines that `data` completes, with their ends; of one that is very long, the beginning."""
        self.total += len(data)
        end = data.rfind(b"\n") + 1
        if not end:
            if len(self._rest) < CUT:
                self._rest = (self._rest + data)[:CUT]
            return b""
        whole = self._rest + data[:end]
        self._rest = data[end:][:CUT]
        self._lines.extend(line[:CUT] for line in whole[:-1].rsplit(b"\n", KEEP_LINES)[-KEEP_LINES:])
        return whole

    def text(self) -> str:
        """The last lines, an unfinished one included."""
        rest = [self._rest] if self._rest else []
        return "\n".join(map(_text, [*self._lines, *rest][-KEEP_LINES:]))


class StderrLog:
    """The log of one place in a pool, over its workers; written on the side thread, which other things need too.

    What comes faster than the log's handlers take it is left out, counted as dropped and told of in the log.

    Args:
        name: for the records, such as ``pool[3]``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._asked = False
        # In bytes, that only grow: two written by the scheduler's thread, two by the side thread.
        self._given = self._left_out = 0
        self._taken = self._told = 0

    def lines(self, side: SideThread, pid: int, whole: bytes) -> None:
        """Have these lines of a worker logged, if anybody wants to know. Scheduler's thread only.

        Args:
            side: where that is done.
            pid: the worker's.
            whole: lines with their ends.
        """
        if not logger.isEnabledFor(logging.INFO):
            return
        if self._given - self._taken > BACKLOG:
            self._left_out += len(whole)
            side.refuse()
            return
        self._waiting.append((pid, whole))
        self._given += len(whole)
        if not self._asked:
            self._ask(side)

    def _ask(self, side: SideThread) -> None:
        # One job at a time, so that a worker that prints many short lines does not fill the queue of the side thread.
        self._asked = True
        if not side.submit(self._write, side):
            self._asked = False  # what waits goes with what comes next

    def _write(self, side: SideThread) -> None:
        self._asked = False  # first: what is added from here on may be too late for this time
        for _ in range(len(self._waiting)):
            pid, whole = self._waiting.popleft()
            try:
                for line in whole.split(b"\n"):
                    if line:
                        logger.info("%s (pid %d): %s", self._name, pid, _text(line))
            finally:
                self._taken += len(whole)
        # Behind what had its place: it is only left out while that is full.
        if missing := self._left_out - self._told:
            self._told += missing
            text = "%s: %d bytes of stderr are left out here, as the log's handlers are too slow"
            logger.warning(text, self._name, missing)
        if self._waiting and not self._asked:
            self._ask(side)


def _text(line: bytes) -> str:
    return line[:CUT].decode("utf-8", "backslashreplace").rstrip("\r")[:KEEP_LINE]
