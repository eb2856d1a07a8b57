"""The spec of a child: how to start it, when to restart it, how to stop it."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from sys import float_info
from typing import Any, Literal, get_args

import pykka

from supervisors.exits import StartAnswer
from supervisors.runtime.interrupts import raised_by_handler
from supervisors.wording import shown

__all__ = ["ChildSpec", "ChildType", "Restart"]

Restart = Literal["permanent", "transient", "temporary"]
ChildType = Literal["worker", "supervisor"]

# OTP's default: long enough for a worker to flush, short enough for a waiting operator.
_WORKER_SHUTDOWN = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start a child, when to restart it, how to stop it.

    Args:
        id: its name within its supervisor; hashable, and equal to itself (NaN is not).
        start: starts it and returns its reference, or IGNORE. Called on the scheduler's thread, so it must not block
            (`with_deferred_init` runs a slow `__init__` elsewhere), and a light actor that it starts is on the
            supervisor's scheduler by default. May be called again for each restart. The actor's own `on_start` decides
            when it counts as started.
        restart: "permanent" (always), "transient" (unless it ended with Normal or Shutdown), "temporary" (never).
        shutdown: seconds between being asked to end and being killed; "brutal_kill": not asked; "infinity" (or
            math.inf): never killed. None: 5 s for a worker, infinity for a supervisor.
        type: "worker" or "supervisor".
        significant: its own end may stop the supervisor: see `auto_shutdown`. Not for permanent children.
        register: a name under which the scheduler's `registry` finds whichever actor runs as this child; hashable,
            and equal to itself. The name belongs to the spec: it survives restarts, and is free when the spec is
            deleted or the supervisor has ended. Until the child has started, and between its restarts, no actor has the
            name.
        start_timeout: seconds in which it must have started, or it is killed and its start has failed with
            `StartTimeout`. None: no limit. It cannot interrupt the start function itself.

    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    id: Hashable
    start: Callable[[], pykka.ActorRef[Any] | StartAnswer]
    restart: Restart = "permanent"
    shutdown: float | Literal["brutal_kill", "infinity"] | None = None
    type: ChildType = "worker"
    significant: bool = False
    register: Hashable | None = None
    start_timeout: float | None = None

    def __post_init__(self) -> None:
        _check_key("id", self.id)
        _check_key("register", self.register)
        if self.id is None:
            raise TypeError("id must not be None")
        if not callable(self.start):
            raise TypeError(f"start of child {self.id!r} must be callable, not {self.start!r}")
        if isinstance(self.start, type) and issubclass(self.start, pykka.Actor):
            name = self.start.__name__
            raise TypeError(f"start of child {self.id!r} must start it: {name}.start, not the class {name}")
        self._check_choice("restart", self.restart, get_args(Restart))
        self._check_choice("type", self.type, get_args(ChildType))
        if not isinstance(self.significant, bool):
            raise TypeError(f"significant of child {self.id!r} must be a bool, not {self.significant!r}")
        if self.significant and self.restart == "permanent":
            raise ValueError(f"child {self.id!r} is permanent, so it cannot be significant")
        shutdown = self.shutdown
        if isinstance(shutdown, str):
            self._check_choice("shutdown", shutdown, ("brutal_kill", "infinity"))
        elif shutdown is not None:
            if isinstance(shutdown, bool) or not isinstance(shutdown, (int, float)):
                raise TypeError(f"shutdown of child {self.id!r} must be seconds, not {shutdown!r}")
            if not shutdown >= 0:
                raise ValueError(f"shutdown of child {self.id!r} must not be negative: {shown(shutdown)}")
            if float_info.max < shutdown < math.inf:  # an int may be that large
                raise ValueError(f"shutdown of child {self.id!r} is too long, use 'infinity': {shown(shutdown)}")
        limit = self.start_timeout
        if limit is not None:
            if isinstance(limit, bool) or not isinstance(limit, (int, float)):
                raise TypeError(f"start_timeout of child {self.id!r} must be seconds or None, not {limit!r}")
            if not 0 < limit <= float_info.max:
                raise ValueError(f"start_timeout of child {self.id!r} must be positive and finite: {shown(limit)}")

    @property
    def brutal(self) -> bool:
        """True if it is killed without being asked."""
        return self.shutdown == "brutal_kill"

    @property
    def shutdown_seconds(self) -> float:
        """The seconds that it may take to end after it was asked: 0.0 for "brutal_kill", may be math.inf."""
        if self.shutdown is None:
            return _WORKER_SHUTDOWN if self.type == "worker" else math.inf
        if isinstance(self.shutdown, str):
            return math.inf if self.shutdown == "infinity" else 0.0
        return float(self.shutdown)

    def without_start(self) -> ChildSpec:
        """Return the spec without its start function, for a child that is never started again."""
        kept = object.__new__(ChildSpec)
        for name in _KEPT:
            object.__setattr__(kept, name, getattr(self, name))
        object.__setattr__(kept, "start", _started_once)
        return kept

    def _check_choice(self, name: str, value: object, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            raise ValueError(f"{name} of child {self.id!r} must be one of {', '.join(allowed)}, not {value!r}")


_KEPT = tuple(name for name in ChildSpec.__slots__ if name != "start")


def _check_key(name: str, value: Hashable) -> None:
    """Check that a dictionary finds the value again, and that each comparison with itself says so."""
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"{name} must be hashable: {shown(value)}") from None
    try:
        equal = bool(value == value)
    except Exception as error:
        if raised_by_handler(error):
            raise
        raise TypeError(f"{name} must be comparable with itself: {shown(value)}") from error
    if not equal:
        raise ValueError(f"{name} must be equal to itself, or no request could name it: {shown(value)}")


def _started_once() -> StartAnswer:
    raise AssertionError("a temporary child is started once")
