"""The answer to an `ask` that is given after the handler has returned, as OTP's `GenServer.reply`."""

from __future__ import annotations

import queue
from typing import Any, Generic, TypeVar

import pykka

from supervisors.wording import shown

__all__ = ["Reply", "fail_all"]

T = TypeVar("T")


class Reply(Generic[T]):
    """Answers one `ask` later, from any thread. Made by the `reply_later` of an actor.

    If the actor ends before the answer, the caller gets ActorDeadError. An actor that forgets its Reply keeps the
    caller waiting until the caller's timeout.
    """

    __slots__ = ("_future", "_pending")

    def __init__(self, future: pykka.Future[Any], pending: set[Reply[Any]]) -> None:
        self._future = future
        self._pending = pending
        pending.add(self)

    def set(self, value: T) -> bool:
        """Answer with a value. Returns False if there was an answer already, or the actor has ended."""
        self._pending.discard(self)
        try:
            self._future.set(value)
        except queue.Full:
            return False
        return True

    def fail(self, exc: BaseException) -> bool:
        """Answer with an exception, which `ask` raises. Returns False if there was an answer already.

        Raises:
            TypeError: `exc` is no exception.
        """
        if not isinstance(exc, BaseException):
            raise TypeError(f"fail() takes an exception, not {shown(exc)}")
        self._pending.discard(self)
        try:
            self._future.set_exception((type(exc), exc, exc.__traceback__))
        except queue.Full:
            return False
        return True


def fail_all(replies: set[Reply[Any]]) -> None:
    """Answer all with ActorDeadError: the actor has ended. Other threads may answer some of them meanwhile."""
    while replies:
        try:
            reply = replies.pop()
        except KeyError:  # another thread has answered the last one
            return
        reply.fail(pykka.ActorDeadError("the actor stopped before it answered"))
