"""The moving line on a terminal, and the thread that moves it."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from typing import TYPE_CHECKING, Self

from slither_actors.cli.progress import format_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from slither_actors.cli.progress import Progress

STDERR = 2

PROGRAM_PREFIX = "slither-actors: "

TICK = 0.05
"""Seconds between ticks: how long a finished result may wait for company before it is written."""

TICKS_A_REDRAW = 4
"""A line that changes more than five times a second cannot be read."""

_ERASE_TO_END = "\x1b[K"


class Display:
    """One line at the bottom of standard error, where that is a terminal that can erase; nothing elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown = False
        self.enabled = _is_terminal(STDERR) and os.environ.get("TERM", "dumb") != "dumb"

    def show(self, progress: Progress) -> None:
        """Draw the line again."""
        if not self.enabled:
            return
        # The last column stays free: some terminals go to the next line as soon as it is filled.
        text = format_progress(progress, shutil.get_terminal_size().columns - 1)
        with self._lock:
            self._shown = True
            self._write(f"\r{text}{_ERASE_TO_END}")

    def clear(self) -> None:
        """Take the line away, so that something else can be written where it was."""
        with self._lock:
            if self._shown:
                self._shown = False
                self._write(f"\r{_ERASE_TO_END}")

    def say(self, text: str) -> None:
        """Write a message that stays, on standard error, terminal or not."""
        self.clear()
        self._write(f"{PROGRAM_PREFIX}{text}\n")

    def _write(self, text: str) -> None:
        # Standard error may be closed, or its terminal gone: that is no reason to lose the run.
        with contextlib.suppress(OSError):
            os.write(STDERR, text.encode(errors="backslashreplace"))


class Ticker:
    """Calls `tick` every `TICK` seconds on a thread of its own, between entering and leaving the context.

    Args:
        tick: gets the number of the tick, from 0. An exception out of it ends the ticking.
    """

    def __init__(self, tick: Callable[[int], None]) -> None:
        self._tick = tick
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slither-actors-ticker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        # It may be in a write that blocks, on an output that is not read: the thread is a daemon and is not waited for.
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        number = 0
        while not self._over.wait(TICK):
            self._tick(number)
            number += 1


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
