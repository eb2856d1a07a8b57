"""Operations that take time, carried out one after another by an actor that must not block."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any, TypeVar

from supervisors.actors.events import record
from supervisors.actors.light_actor import LightActor
from supervisors.errors import StartFailed, SupervisorError, SupervisorStopping
from supervisors.wording import text_of

__all__ = ["Operation", "Operator", "answer", "requested"]

T = TypeVar("T")

# An operation waits by yielding a token; `_fire` with that token resumes it. Its return value, or a SupervisorError
# that it raises, is the answer to its request.
Operation = Generator[object, Any, Any]
_Entry = tuple[Operation, Callable[[Any], object] | None]


def requested(operation: Operation) -> Operation:
    """Return the same operation with every exception turned into the answer.

    A request holds values of the user (an id whose `__eq__` raises), and none of them may end the supervisor.
    """
    try:
        return (yield from operation)
    except (SupervisorError, GeneratorExit):
        raise
    except BaseException as exc:
        return exc


def answer(supervisor: LightActor, reply: Callable[[T], object] | None, result: T) -> None:
    """Answer a request, or log an error if the request has no reply function.

    Args:
        supervisor: that answers.
        reply: the request's reply function.
        result: the result, or an exception instance.
    """
    if reply is not None:
        supervisor.scheduler.run_guarded(None, _call, reply, result)
    elif isinstance(result, BaseException) and not isinstance(result, SupervisorStopping):
        exception = result.cause if isinstance(result, StartFailed) else None
        data = {"supervisor": str(supervisor), "error": text_of(result)}
        record(supervisor.scheduler, "request_failed", logging.WARNING, data, exception)


def _call(reply: Callable[[T], object], result: T) -> None:
    # The guarded function is this one, since the log shows its repr, and the repr of `reply` may be the user's code.
    reply(result)


class Operator(LightActor):
    """A light actor that carries out one operation at a time, in the order in which they were queued."""

    def __init__(self) -> None:
        super().__init__()
        self._todo: deque[_Entry] = deque()
        self._operation: _Entry | None = None
        self._token: object = None

    def _drive(self) -> None:
        """Begin the next operation, unless one is in progress."""
        if self._operation is None:
            self._go(None)

    def _fire(self, token: object, value: object) -> None:
        """Resume the current operation with `value`. Without effect if it waits for another token by now."""
        if token is self._token:
            self._token = None
            self._go(value)

    def _go(self, value: object) -> None:
        """Resume the current operation with `value`, then run the next ones, until one waits."""
        while self.actor_ref.is_alive():
            if self._operation is None:
                if not self._todo:
                    return
                self._operation, value = self._todo.popleft(), None
            operation, reply = self._operation
            try:
                token = operation.send(value)
            except StopIteration as stop:
                result = stop.value
            except SupervisorError as exc:
                result = exc
            else:
                if self.actor_ref.is_alive():
                    self._token = token
                else:  # a start function ended this supervisor
                    operation.close()
                return
            if self.actor_ref.is_alive():  # else on_exit has answered
                self._operation = None
                answer(self, reply, result)

    def _clear_todo(self) -> None:
        while self._todo:
            self._break_off(self._todo.popleft())

    def _break_off_current(self) -> None:
        operation, self._operation, self._token = self._operation, None, None
        self._break_off(operation)

    def _break_off(self, entry: _Entry | None) -> None:
        if entry is not None:
            operation, reply = entry
            if not (isinstance(operation, GeneratorType) and operation.gi_running):
                operation.close()
            answer(self, reply, SupervisorStopping(f"{self} is stopping"))
