"""Operations that take time, one after another, on an actor that must not block."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator
from types import GeneratorType
from typing import Any

from supervisors.actors.events import record
from supervisors.actors.light_actor import LightActor
from supervisors.exits import StartFailed, SupervisorError, SupervisorStopping
from supervisors.supervision.messages import Reply
from supervisors.wording import text_of

__all__ = ["Operation", "Operator", "answer", "requested"]

# It waits by yielding a token; `_fire` with that token lets it go on. What it returns, or a SupervisorError that it
# raises, is the answer to the request that it was made for.
Operation = Generator[object, Any, Any]


def requested(operation: Operation) -> Operation:
    """Return the same operation, as it is run for a request: whatever it raises is the answer.

    A request holds values of the user (an id whose `__eq__` raises), and none of them may end the supervisor.
    """
    try:
        return (yield from operation)
    except (SupervisorError, GeneratorExit):
        raise
    except BaseException as exc:
        return exc


def answer(supervisor: LightActor, reply: Reply | None, result: object) -> None:
    """Answer a request; an error that no one waits for is logged.

    Args:
        supervisor: that answers.
        reply: the request's.
        result: or an exception instance.
    """
    if reply is not None:
        supervisor.scheduler.run_guarded(None, _call, reply, result)
    elif isinstance(result, BaseException) and not isinstance(result, SupervisorStopping):
        exception = result.cause if isinstance(result, StartFailed) else None
        data = {"supervisor": str(supervisor), "error": text_of(result)}
        record(supervisor.scheduler, "request_failed", logging.WARNING, data, exception)


def _call(reply: Reply, result: object) -> None:
    # Not the reply itself is guarded: the log shows the repr of what raised, which here would be the user's.
    reply(result)


class Operator(LightActor):
    """A light actor that carries out one operation at a time, in the order in which they were queued."""

    def __init__(self) -> None:
        super().__init__()
        self._todo: deque[tuple[Operation, Reply | None]] = deque()
        self._operation: tuple[Operation, Reply | None] | None = None
        self._token: object = None

    def _drive(self) -> None:
        """Begin with the next operation, if there is none at hand."""
        if self._operation is None:
            self._go(None)

    def _fire(self, token: object, value: object) -> None:
        """What the operation at hand waits for has come; without effect if it waits for something else by now."""
        if token is self._token:
            self._token = None
            self._go(value)

    def _go(self, value: object) -> None:
        """Run the operation at hand with `value`, then the next ones, until one waits."""
        while self._alive:
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
                self._answer_to(reply, result)

    def _clear_todo(self) -> None:
        while self._todo:
            self._break_off(self._todo.popleft())

    def _break_off_current(self) -> None:
        operation, self._operation, self._token = self._operation, None, None
        self._break_off(operation)

    def _break_off(self, entry: tuple[Operation, Reply | None] | None) -> None:
        if entry is not None:
            operation, reply = entry
            if not (isinstance(operation, GeneratorType) and operation.gi_running):
                operation.close()
            self._answer_to(reply, SupervisorStopping(f"{self} is stopping"))

    def _answer_to(self, reply: Reply | None, result: object) -> None:
        answer(self, reply, result)
