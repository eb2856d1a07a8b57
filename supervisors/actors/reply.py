"""The answer to an `ask` that is given after the handler has returned, as OTP's `GenServer.reply`."""

from __future__ import annotations

import queue
from typing import Any, Generic, TypeVar

import pykka

__all__ = ["Reply"]

T = TypeVar("T")


class Reply(Generic[T]):
    """Answers one `ask` later, from any thread. Made by `LightActor.reply_later`.

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
        """Answer with an exception, which `ask` raises. Returns False if there was an answer already."""
        self._pending.discard(self)
        try:
            self._future.set_exception((type(exc), exc, exc.__traceback__))
        except queue.Full:
            return False
        return True
