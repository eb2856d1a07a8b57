"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second, or the end of the grace, forces it."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

GRACE = 2.0
"""Seconds in which what is in flight may be finished after the first signal."""

HANDLED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The grace is over, or a second signal came. Not an `Exception`: nothing on the way may take it for one."""


class Signals:
    """Handles SIGINT and SIGTERM between entering and leaving the context.

    Args:
        on_first: called in the signal handler when the first one comes; may only set flags.
        grace: seconds before `Interrupted` is raised in the main thread, unless the context is left before; with 0
            it is raised at once.
    """

    def __init__(self, on_first: Callable[[], None], grace: float = GRACE) -> None:
        self._on_first = on_first
        self._grace = grace
        self._before: dict[int, Any] = {}
        self.received: int | None = None
        """The first signal that came."""

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as a shell says it; 0 if none came."""
        return 0 if self.received is None else 128 + self.received

    @property
    def name(self) -> str:
        """Of the first signal that came: ``SIGINT``."""
        return "" if self.received is None else signal.Signals(self.received).name

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other may have handlers
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._force)
            for number in HANDLED:
                # A shell starts what it puts in the background with SIGINT ignored: it stays so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted
        self.received = number
        self._on_first()
        if self._grace == 0:
            raise Interrupted
        signal.setitimer(signal.ITIMER_REAL, self._grace)

    def _force(self, number: int, frame: FrameType | None) -> None:
        raise Interrupted
