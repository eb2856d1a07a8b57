"""Futures that refuse to block a scheduler's thread."""

from __future__ import annotations

from sys import is_finalizing
from typing import Any, TypeVar

import pykka

from supervisors.exits import SchedulerStopped, WouldDeadlock
from supervisors.scheduler import Scheduler

__all__ = ["GuardedFuture", "check_may_block"]

T = TypeVar("T")


def check_may_block(what: str) -> None:
    """Raise WouldDeadlock on a scheduler's thread; SchedulerStopped while the interpreter shuts down."""
    if is_finalizing():  # it has ended all threads but this one
        raise SchedulerStopped(f"{what} while the interpreter is shutting down: no actor runs any more")
    if Scheduler.current() is not None:
        raise WouldDeadlock(f"{what} on a scheduler's thread, where it would wait for itself: use a message instead")


class GuardedFuture(pykka.ThreadingFuture[T]):
    """Pykka's future, but `get` on a scheduler's thread raises WouldDeadlock, unless there is something to get."""

    def __init__(self) -> None:
        super().__init__()
        self._settled = False

    def get(self, *, timeout: float | None = None) -> Any:
        """The value, as in Pykka.

        Raises:
            WouldDeadlock: it is not there yet, and this is a scheduler's thread.
        """
        if not self._settled:
            check_may_block("Future.get()")
        return super().get(timeout=timeout)

    def set(self, value: T | None = None) -> None:
        """As in Pykka."""
        super().set(value)
        self._settled = True

    def set_exception(self, exc_info: Any = None) -> None:
        """As in Pykka."""
        super().set_exception(exc_info)
        self._settled = True
