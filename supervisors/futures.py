"""Futures that refuse to block a scheduler's thread."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import pykka

from supervisors.exits import WouldDeadlock
from supervisors.scheduler import Scheduler
from supervisors.wording import shown

__all__ = ["GuardedFuture", "check_may_block", "check_timeout"]

T = TypeVar("T")


def check_may_block(what: str) -> None:
    """Raise WouldDeadlock on a scheduler's thread."""
    if Scheduler.current() is not None:
        raise WouldDeadlock(f"{what} on a scheduler's thread, where it would wait for itself: use a message instead")


def check_timeout(timeout: object) -> None:
    """Check a limit before anything is done that would have to be taken back.

    Raises:
        TypeError, ValueError: it is no number of seconds from 0 to what the platform can wait for, nor None.
    """
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be seconds or None, not {shown(timeout)}")
    if not 0 <= timeout <= threading.TIMEOUT_MAX:
        raise ValueError(f"timeout must be from 0 to {threading.TIMEOUT_MAX:.0f} seconds, not {shown(timeout)}")


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
