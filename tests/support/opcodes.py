"""How much the interpreter has to do: a count that is the same each time, where seconds are not."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, Self


class Opcodes:
    """How many instructions of the interpreter the code of this package takes within its block, by function."""

    def __init__(self) -> None:
        self.by_function: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self.by_function.total()

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if not ("/slither_actors/" in code.co_filename or "/supervisors/" in code.co_filename):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counts, name = self.by_function, f"{code.co_filename.rpartition('/')[2]}:{code.co_name}"

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                counts[name] += 1
            return local

        return local

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # CPython 3.12 looks whether anybody has, and only in settrace
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)
