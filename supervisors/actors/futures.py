"""Futures that refuse to block a scheduler's thread."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pykka

from supervisors.errors import CallTimeout, SchedulerStopped, WouldDeadlock
from supervisors.runtime.current import on_scheduler_thread
from supervisors.runtime.interrupts import Event
from supervisors.wording import shown

__all__ = ["GuardedFuture", "check_may_block", "check_timeout"]

T = TypeVar("T")


def check_may_block(what: str) -> None:
    """Raise WouldDeadlock on a scheduler's thread; SchedulerStopped while the interpreter shuts down."""
    if sys.is_finalizing():  # it has ended all threads but this one
        raise SchedulerStopped(f"{what} while the interpreter is shutting down: no actor runs any more")
    if on_scheduler_thread():
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
    """Pykka's future, but `get` on a scheduler's thread raises WouldDeadlock, unless there is something to get.

    It has no lock: an interrupted waiter would leave it held, and the scheduler's thread, which sets the answer, would
    block.
    """

    def __init__(self) -> None:
        super().__init__()
        self._done = Event()
        self._answer: dict[
            str, tuple[Any, Any]
        ] = {}  # value and exc_info; at most one entry, as the first answer counts

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the value, as in Pykka.

        Raises:
            WouldDeadlock: it is not there yet, and this is a scheduler's thread.
        """
        if not self._done.is_set():
            check_may_block("Future.get()")
        if self._get_hook is not None:
            return pykka.Future.get(self, timeout=timeout)
        if not self._done.wait(timeout):
            raise CallTimeout(f"no answer within {timeout} seconds")
        value, exc_info = self._answer["it"]
        if exc_info is None:
            return value
        kind, error, traceback = exc_info
        raise (kind() if error is None else error).with_traceback(traceback)

    @property
    def answered(self) -> bool:
        """True once it has a value or an exception."""
        return self._done.is_set()

    def set(self, value: T | None = None) -> None:
        """As in Pykka."""
        self._set((value, None))

    def set_exception(self, exc_info: Any = None) -> None:
        """As in Pykka."""
        self._set((None, exc_info if exc_info is not None else sys.exc_info()))

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """As in Pykka."""
        if self._answer:
            raise queue.Full
        pykka.Future.set_get_hook(self, func)

    def _set(self, answer: tuple[Any, Any]) -> None:
        if self._get_hook is not None or self._answer.setdefault("it", answer) is not answer:
            raise queue.Full
        self._done.set()
