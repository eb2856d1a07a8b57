"""What batches call: functions that workers load first, and commands of their adapters."""

from __future__ import annotations

import itertools

from slither_actors.wire.header import CALL, COMMAND, STREAM


class Target:
    """What a batch calls: a function that the worker loads first, or a command of its adapter.

    Args:
        module: where a function lives; None for a command.
        name: the function's dotted name, or the command's.
        each: the function takes one payload at a time.
        streams: it yields the chunks of a stream.
    """

    __slots__ = ("each", "id", "kind", "module", "name", "stuck")

    _ids = itertools.count(1).__next__

    def __init__(self, module: str | None, name: str, each: bool = False, streams: bool = False) -> None:
        self.kind = STREAM if streams else COMMAND if module is None else CALL
        """Of the frames that call it."""
        self.module = module
        self.name = name
        self.each = each
        self.id = Target._ids()
        self.stuck = 0
        """Workers in a row that hung or died while they loaded it. Written on the scheduler's thread."""

    def __str__(self) -> str:
        return f"{self.module}:{self.name}" if self.module is not None else f"command {self.name!r}"
