"""Calls with a default timeout, as OTP's `GenServer.call`."""

from __future__ import annotations

from typing import Any

import pykka

from supervisors.actors.futures import GuardedFuture, check_may_block, check_timeout
from supervisors.errors import CallTimeout

__all__ = ["CALL_TIMEOUT", "call"]

CALL_TIMEOUT = 5.0
"""Seconds that a call waits by default, as in OTP."""


def call(ref: pykka.ActorRef[Any], message: object, timeout: float | None = CALL_TIMEOUT) -> Any:
    """Send a message and wait for the answer: Pykka's `ask` with a default timeout.

    Args:
        ref: the actor.
        message: for its `on_receive`.
        timeout: seconds; None: no limit.

    Returns:
        The result of `on_receive`, or the value that the actor gave to `Reply.set`.

    Raises:
        CallTimeout: no answer within `timeout` seconds. A late answer is dropped.
        pykka.ActorDeadError: the actor is dead, or ended before it answered.
        WouldDeadlock: on a scheduler's thread. Nothing has been sent then.
        BaseException: the exception that the actor answered with.
    """
    check_may_block("call()")
    check_timeout(timeout)
    future = ref.ask(message, block=False)
    try:
        return future.get(timeout=timeout)
    except pykka.Timeout:
        if isinstance(future, GuardedFuture) and future.answered:
            raise  # the answer itself: a timeout of a call that the actor made
        raise CallTimeout(f"{ref} has not answered within {timeout} seconds") from None
