"""What a worker writes to stderr: the last lines kept for errors, all of them for the log, as far as that keeps up.

What a program prints is seen, also where it is a worker: a line goes to the logger ``slither_actors.worker`` at INFO
if a handler takes it there, and else to this process's own stderr, with the worker's place before it. A program
that configures that logger or ``slither_actors`` (a level, a handler, even a NullHandler) has decided: then nothing
goes to stderr. A line that is a record of the worker's own `logging` becomes a record here, of the same logger.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from slither_actors.wire.log_lines import MARK, MOST, unpack

if TYPE_CHECKING:
    from supervisors import BackgroundThread

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
        """Return the lines that `data` completes, with their ends; of one that is very long, the beginning."""
        self.total += len(data)
        end = data.rfind(b"\n") + 1
        if not end:
            if len(self._rest) < CUT or MARK in self._rest:
                self._rest = _short(self._rest + data)
            return b""
        whole = self._rest + data[:end]
        self._rest = _short(data[end:])
        self._lines.extend(_short(line) for line in whole[:-1].rsplit(b"\n", KEEP_LINES)[-KEEP_LINES:])
        return whole

    def end(self) -> bytes:
        """Return the last line, if it has no end: nothing follows it any more."""
        return self.feed(b"\n") if self._rest else b""

    def text(self) -> str:
        """Return the last lines, an unfinished one included."""
        rest = [self._rest] if self._rest else []
        return "\n".join(map(_shown, [*self._lines, *rest][-KEEP_LINES:]))


class StderrLog:
    """The log of one place in a pool, over its workers; written on the side thread, which other things need too.

    What comes faster than the log's handlers take it is left out, counted as dropped and reported in the log.

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

    def lines(self, side: BackgroundThread, pid: int, whole: bytes) -> None:
        """Have these lines of a worker logged, if anybody wants to know. Scheduler's thread only.

        Args:
            side: where that is done.
            pid: the worker's.
            whole: lines with their ends.
        """
        if not (_logged() or _printed()) and MARK not in whole:
            return
        if self._given - self._taken > BACKLOG:
            self._left_out += len(whole)
            side.refuse()
            return
        self._waiting.append((pid, whole))
        self._given += len(whole)
        if not self._asked:
            self._ask(side)

    def _ask(self, side: BackgroundThread) -> None:
        # One job at a time, so that a worker that prints many short lines does not fill the queue of the side thread.
        self._asked = True
        if not side.submit(self._write, side):
            self._asked = False  # what waits goes with what comes next

    def _write(self, side: BackgroundThread) -> None:
        self._asked = False  # first: what is added from here on may be too late for this time
        for _ in range(len(self._waiting)):
            pid, whole = self._waiting.popleft()
            try:
                self._tell(pid, whole)
            finally:
                self._taken += len(whole)
        # Behind what had its place: it is only left out while that is full.
        if missing := self._left_out - self._told:
            self._told += missing
            text = f"{missing} bytes of stderr are left out here, as the log's handlers are too slow"
            if _logged() or not _printed():
                logger.warning("%s: %s", self._name, text)
            else:
                _print(f"{self._name}: {text}\n")
        if self._waiting and not self._asked:
            self._ask(side)

    def _tell(self, pid: int, whole: bytes) -> None:
        logged = _logged()
        printed: list[str] | None = [] if not logged and _printed() else None
        for line in whole.split(b"\n"):
            text, mark, _ = line.partition(MARK)
            fields = unpack(line[len(text) :]) if mark else None
            if fields is None:
                text = line
            elif printed:
                _print("".join(printed))  # first, as it was first
                printed.clear()
            if text:
                if logged:
                    logger.info("%s (pid %d): %s", self._name, pid, _text(text))
                elif printed is not None:
                    printed.append(f"{self._name}: {_text(text)}\n")
            if fields is not None:
                self._record(pid, fields)
        if printed:
            _print("".join(printed))

    def _record(self, pid: int, fields: tuple[Any, ...]) -> None:
        level, name, message, trace, created, path, function, number, thread, stack = fields
        target = _logger(name)
        if not target.isEnabledFor(level):
            return
        record = logging.LogRecord(name, level, path, number, message, None, None, function, stack or None)
        record.exc_text = trace or None
        record.created, record.msecs = created, (created - int(created)) * 1000
        record.process, record.processName, record.threadName, record.thread = pid, self._name, thread, None
        target.handle(record)


def _logger(name: str) -> logging.Logger:
    """Return the logger that decides on records of this name, without making one: workers send names without bound."""
    known = logging.root.manager.loggerDict
    while name:
        found = known.get(name)
        if isinstance(found, logging.Logger):
            return found
        name = name.rpartition(".")[0]
    return logging.root


def _logged() -> bool:
    """Whether a handler takes what workers print."""
    if not logger.isEnabledFor(logging.INFO):
        return False
    at: logging.Logger | None = logger
    while at is not None:
        if any(each.level <= logging.INFO and not isinstance(each, logging.NullHandler) for each in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False


def _printed() -> bool:
    """Whether records without a handler go to stderr: true unless logging was configured otherwise."""
    ours = logger.parent
    assert ours is not None
    return (
        not (logger.handlers or logger.level or ours.level or logger.disabled or ours.disabled)
        and logger.propagate
        and all(isinstance(each, logging.NullHandler) for each in ours.handlers)
        and logging.root.manager.disable < logging.INFO
    )


def _print(text: str) -> None:
    stream = sys.stderr
    if stream is not None:  # a daemon may have none
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError, UnicodeError):  # closed, or its read end is
            return


def _short(line: bytes) -> bytes:
    return line[: MOST + CUT] if MARK in line[:CUT] else line[:CUT]


def _shown(line: bytes) -> str:
    """Return a line as text for people."""
    text, mark, _ = line.partition(MARK)
    fields = unpack(line[len(text) :]) if mark else None
    if fields is None:
        return _text(line)
    record = f"{logging.getLevelName(fields[0])} {fields[1]}: {fields[2]}" + (f"\n{fields[3]}" if fields[3] else "")
    return (_text(text) + record)[:KEEP_LINE]


def _text(line: bytes) -> str:
    return line[:CUT].decode("utf-8", "backslashreplace").rstrip("\r")[:KEEP_LINE]
