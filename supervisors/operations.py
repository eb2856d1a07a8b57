"""Operations that take time, one after another, on an actor that must not block."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator
from types import GeneratorType
from typing import Any

from supervisors.exits import SupervisorError, SupervisorStopping
from supervisors.process import LightActor
from supervisors.records import record
from supervisors.requests import Reply

__all__ = ["Operation", "Operator"]

# It waits by yielding a token; `_fire` with that token lets it go on. What it returns, or a SupervisorError that it
# raises, is the answer to the request that it was made for.
Operation = Generator[object, Any, Any]


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
        if reply is not None:
            self.scheduler.run_guarded(None, reply, result)
        elif isinstance(result, SupervisorError) and not isinstance(result, SupervisorStopping):
            data = {"supervisor": str(self), "error": str(result)}
            record(self.scheduler, "request_failed", logging.WARNING, data)
