"""Asking a worker over a deadline where it is, in the moment before it is killed."""

from __future__ import annotations

from collections.abc import Callable

from slither_actors.errors import BatchTimeout, LoadError, StartTimeout
from slither_actors.pools.hosts.base import TellsStack, WorkerHost
from supervisors import LightActor

STACK_PATIENCE = 0.25
"""Seconds that a worker over a deadline gets to write its stacks: it needs some milliseconds, and one that is stopped,
or blocks the signal, never does."""


class StackCapture:
    """Captures the stacks of one worker at a time.

    Args:
        actor: whose timers these are.
    """

    def __init__(self, actor: LightActor) -> None:
        self._actor = actor
        self._stack: Callable[[], str] | None = None

    @property
    def under_way(self) -> bool:
        """Whether a worker has been asked, and its error does not have the answer yet."""
        return self._stack is not None

    def reset(self) -> None:
        """Drop what an earlier worker has written."""
        self._stack = None

    def ask(self, host: WorkerHost | None, then: Callable[[], None]) -> None:
        """Ask the worker for its stacks, and call `then` once they have come, or at once if it cannot be asked.

        Nothing else that the worker says meanwhile counts: its batch has failed by the deadline, even if it is done
        after all.

        Args:
            host: of the worker.
            then: kills it. May be called twice.
        """
        asked: object = host
        if isinstance(asked, TellsStack):
            self._stack = asked.stack
            if asked.ask_stack(then):
                self._actor.call_later(STACK_PATIENCE, then)
                return
        then()

    def add_to(self, error: Exception) -> None:
        """Add to the error of a deadline where the worker was."""
        stack_of, self._stack = self._stack, None
        if (
            stack_of is not None
            and isinstance(error, (BatchTimeout, StartTimeout, LoadError))
            and (stack := stack_of())
        ):
            error.stack = stack
            if isinstance(error, LoadError) and isinstance(error.reason, StartTimeout):
                error.reason.stack = stack
            error.add_note(f"It was killed {stack}")
