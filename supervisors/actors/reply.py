"""The answer to an `ask` that is given after the handler has returned, as OTP's `GenServer.reply`."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, Generic, TypeVar

import pykka

from supervisors.errors import SupervisorError
from supervisors.wording import shown

__all__ = ["Reply", "fail_all"]

T = TypeVar("T")

_ENDED = "the actor stopped before it answered"


class Reply(Generic[T]):
    """Answers one `ask` later, from any thread. Made by the `reply_later` of an actor.

    If the actor ends before the answer, the caller gets ActorDeadError. If the actor forgets its Reply, so that there
    is no reference to it left, the caller gets SupervisorError then.
    """

    __slots__ = ("_future", "_pending", "_stopped")

    def __init__(
        self, future: pykka.Future[Any], pending: set[pykka.Future[Any]], actor_stopped: threading.Event
    ) -> None:
        self._future = future
        self._stopped = actor_stopped
        # The actor's futures without an answer. Not the Replies, which would then never be garbage.
        self._pending = pending
        pending.add(future)

    def set(self, value: T) -> bool:
        """Answer with a value. Returns False if there was an answer already, or the actor has ended."""
        try:
            self._future.set(value)
        except queue.Full:
            return False
        finally:
            self._pending.discard(self._future)
        return True

    def fail(self, exc: BaseException) -> bool:
        """Answer with an exception, which `ask` raises. Returns False if there was an answer already.

        Raises:
            TypeError: `exc` is no exception.
        """
        if not isinstance(exc, BaseException):
            raise TypeError(f"fail() takes an exception, not {shown(exc)}")
        try:
            self._future.set_exception((type(exc), exc, exc.__traceback__))
        except queue.Full:
            return False
        finally:
            self._pending.discard(self._future)
        return True

    def __del__(self) -> None:
        # On any thread, inside any code: there is no lock on this path.
        pending = getattr(self, "_pending", None)  # not there if `__init__` was interrupted
        if pending and self._future in pending:
            if self._stopped.is_set():  # it ends just now, and its hooks have dropped this
                self.fail(pykka.ActorDeadError(_ENDED))
            else:
                self.fail(SupervisorError("the actor has dropped its Reply without an answer"))


def fail_all(pending: set[pykka.Future[Any]]) -> None:
    """Answer all with ActorDeadError: the actor has ended. Other threads may answer some of them meanwhile."""
    while pending:
        try:
            future = pending.pop()
        except KeyError:  # another thread has answered the last one
            return
        with contextlib.suppress(queue.Full):
            future.set_exception((pykka.ActorDeadError, pykka.ActorDeadError(_ENDED), None))
