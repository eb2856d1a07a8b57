"""Actors that dispatch, for the tree of a System: from code, and by their dotted names from YAML."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import pykka

from slither_actors import Dispatch, System, current_system
from supervisors import DaemonActor, ExitReason, LightActor

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}

seen: queue.SimpleQueue[tuple[str, Any, System | None]] = queue.SimpleQueue()
"""What the actors have done: the moment, what they got or what was raised, and which System they were in."""


def dispatch(moment: str) -> None:
    """Dispatch by the facade, and say in `seen` what came of it."""
    system = None
    try:
        system = current_system()
        got: Any = [item.payload for item in Dispatch.run([1, 2], **DOUBLE)]
    except BaseException as error:
        got = error
    seen.put((moment, got, system))


class Daemon(DaemonActor):
    """Dispatches at each moment of its life, or calls what it is sent."""

    def __init__(self, *moments: str) -> None:
        super().__init__()
        self.moments = moments
        if "init" in moments:
            dispatch("init")

    def on_start(self) -> Any:
        """Dispatch."""
        if "start" in self.moments:
            dispatch("start")

    def on_receive(self, message: Any) -> object:
        """Call it, or dispatch."""
        return message() if callable(message) else dispatch(str(message))

    def on_exit(self, reason: ExitReason) -> None:
        """Dispatch."""
        if "end" in self.moments:
            dispatch("end")


class Plain(pykka.ThreadingActor):
    """The same as a plain Pykka actor."""

    def __init__(self, *moments: str) -> None:
        super().__init__()
        self.moments = moments
        if "init" in moments:
            dispatch("init")

    def on_start(self) -> None:
        """Dispatch."""
        if "start" in self.moments:
            dispatch("start")

    def on_receive(self, message: Any) -> object:
        """Call it, or dispatch."""
        return message() if callable(message) else dispatch(str(message))

    def on_stop(self) -> None:
        """Dispatch."""
        if "end" in self.moments:
            dispatch("end")


class Light(LightActor):
    """The same on the scheduler's thread, where nothing may wait."""

    def __init__(self, *moments: str) -> None:
        super().__init__()
        self.moments = moments

    def on_start(self) -> Any:
        """Dispatch."""
        if "start" in self.moments:
            dispatch("start")

    def on_receive(self, message: Callable[[], object] | str) -> object:
        """Call it, or dispatch."""
        return message() if callable(message) else dispatch(message)

    def on_exit(self, reason: ExitReason) -> None:
        """Dispatch."""
        if "end" in self.moments:
            dispatch("end")
