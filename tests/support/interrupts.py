"""An interrupt at a chosen bytecode: what a signal handler raises there, at every place where there can be one.

A trace function raises at the n-th bytecode that the main thread executes in code of ours. That is more than signals
can do, which come in behind calls and at the beginnings of functions and loops only, and it is the same each time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

OURS = ("/slither_actors/", "/supervisors/")


class Interrupt(Exception):
    """Like a soft time limit: an Exception, which no code of ours knows."""


class Bytecodes:
    """Counts the bytecodes of ours that this thread executes within its block, and raises at one of them.

    Args:
        at: the number of the bytecode at which it raises, from 0; None: it only counts.
        error: what it raises.
    """

    def __init__(self, at: int | None = None, error: Callable[[], BaseException] = Interrupt) -> None:
        self.at = at
        self.count = 0
        self.where: tuple[str, int, int] | None = None
        """Code, line and offset of the bytecode at which it raised."""
        self.raised: BaseException | None = None
        self._error = error

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        file = frame.f_code.co_filename
        if "/tests/" in file or not any(part in file for part in OURS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._local

    def _local(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            number, self.count = self.count, self.count + 1
            if number == self.at:
                code = frame.f_code
                self.where = (code.co_qualname, frame.f_lineno, frame.f_lasti)
                self.raised = self._error()
                sys.settrace(None)
                raise self.raised
        return self._local

    def __enter__(self) -> Self:
        assert threading.current_thread() is threading.main_thread()
        self._before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # CPython 3.12 looks whether anybody has, and only in settrace
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
