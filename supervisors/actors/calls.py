"""Calls with a default timeout, as OTP's `GenServer.call`."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeVar

import pykka

from supervisors.actors.futures import GuardedFuture, check_may_block, check_timeout
from supervisors.errors import CallTimeout
from supervisors.wording import shown

__all__ = ["CALL_TIMEOUT", "call"]

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)

CALL_TIMEOUT = 5.0
"""Seconds that a call waits by default, as in OTP."""


class Askable(Protocol[M_contra]):
    """An actor's reference, or a handle that leads to one: what `call` takes."""

    def ask(self, message: M_contra, /, *, block: Literal[False]) -> pykka.Future[Any]:
        """Send a message, and return the future of the answer."""


def call(ref: Askable[M], message: M, timeout: float | None = CALL_TIMEOUT) -> Any:
    """Send a message and wait for the answer: Pykka's `ask` with a default timeout.

    Args:
        ref: the actor, or a Via that leads to it.
        message: for its `on_receive`.
        timeout: seconds; None: no limit.

    Returns:
        The result of `on_receive`, or the value that the actor gave to `Reply.set`.

    Raises:
        CallTimeout: no answer within `timeout` seconds. A late answer is dropped.
        pykka.ActorDeadError: the actor is dead, or ended before it answered.
        NotRegistered: no actor has the name of the Via now.
        TypeError: `ref` is no reference.
        WouldDeadlock: on a scheduler's thread. Nothing has been sent then.
        BaseException: the exception that the actor answered with.
    """
    check_may_block("call()")
    check_timeout(timeout)
    if not hasattr(ref, "ask"):
        raise TypeError(f"call() takes an actor's reference or a Via, not {shown(ref)}")
    future = ref.ask(message, block=False)
    try:
        return future.get(timeout=timeout)
    except pykka.Timeout:
        if isinstance(future, GuardedFuture) and future.answered:
            raise  # the answer itself: a timeout of a call that the actor made
        raise CallTimeout(f"{ref} has not answered within {timeout} seconds") from None
