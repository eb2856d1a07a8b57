"""The future of a task's result."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from typing import Any, TypeVar

import pykka

from supervisors.actors.futures import GuardedFuture
from supervisors.actors.lifecycle import Down, Latch, monitor
from supervisors.supervision.client import kill
from supervisors.wording import shown

__all__ = ["TaskFuture"]

T = TypeVar("T")


class TaskFuture(GuardedFuture[T]):
    """The result of a task: `get` waits for it, as of the future of an `ask`."""

    def __init__(self) -> None:
        super().__init__()
        self._task: pykka.ActorRef[Any] | None = None
        self._outcome: tuple[T] | BaseException | None = None
        self._latch: Latch[TaskFuture[T]] = Latch()

    def cancel(self) -> None:
        """Kill the task, unless it has ended: `get` raises ActorDeadError. Its thread is abandoned.

        One that has not started yet does not start. In both cases its room (`max_children`) is free at once. From any
        thread; never blocks.
        """
        self.fail(pykka.ActorDeadError("the task was cancelled"))
        if self._task is not None:
            kill(self._task)

    def when_set(self, listener: Callable[[TaskFuture[T]], object]) -> None:
        """Call ``listener(self)`` when there is a result, on the thread that sets it; at once if there is one."""
        self._latch.listen(listener)

    def begun(self, task: pykka.ActorRef[Any]) -> bool:
        """Note the actor of the task. Return False if it was cancelled before `cancel` could see that."""
        self._task = task
        return not self.answered

    def started(self, task: pykka.ActorRef[Any]) -> None:
        """Watch the actor of the task, which may end without a result."""
        monitor(task, self._task_down)

    def finish(self, outcome: tuple[T] | BaseException) -> None:
        """Note the result, or the exception, of a task that is about to end: it is set once the task has ended.

        The task's supervisor hears of that end first. So who has the result may start the next task at once, also where
        `max_children` leaves no room beside this one.
        """
        self._outcome = outcome

    def _task_down(self, down: Down) -> None:
        outcome = self._outcome
        self._outcome = None
        if isinstance(outcome, tuple):
            with contextlib.suppress(queue.Full):  # cancelled
                self.set(outcome[0])
            return
        if outcome is not None:
            self.fail(outcome)
            return
        self.fail(pykka.ActorDeadError(f"the task ended without a result: {shown(down.reason)}"))

    def fail(self, error: BaseException) -> None:
        """Set an exception as the result. Without effect if there is a result."""
        with contextlib.suppress(queue.Full):
            self.set_exception((type(error), error, error.__traceback__))

    def _set(self, answer: tuple[Any, Any]) -> None:
        super()._set(answer)
        self._latch.set(self)
