"""What a Producer and a Batcher with threads of their own have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slither_actors.runs.messages import RoleEnded
from slither_actors.runs.run import Run
from supervisors import DaemonActor, Down, ExitReason, LightActor, Monitor, monitor


class RunThreadActor(DaemonActor):
    """A Producer or a Batcher: knows its thread, so that one that is stuck in user code can be named.

    Args:
        run: whose role it plays.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._of_run: Run | None = run
        self._thread: threading.Thread | None = None
        self.ended = False

    @property
    def _run(self) -> Run:
        """The run, until the end."""
        run = self._of_run
        assert run is not None
        return run

    def on_start(self) -> object:  # type: ignore[override]  # as DaemonActor has it
        """Record the thread."""
        self._thread = threading.current_thread()
        self._run.spec.scheduler.claim_thread()
        return None

    def on_exit(self, reason: ExitReason) -> None:
        """Notify the consumer, which may be waiting for what this role leaves behind.

        The run is let go of: an actor and its reference hold each other, and all that the run holds would stay with
        them until the garbage collector runs.
        """
        run, self._of_run = self._run, None
        self.ended = True
        run.inbox.put(RoleEnded())

    def monitored_by(self, watcher: LightActor | Callable[[Down], object]) -> Monitor | None:
        """Have `watcher` learn of the end of this actor."""
        return monitor(self.actor_ref, watcher)

    def stuck_in(self) -> int | None:
        """Return the ident of its thread if that is still there, else None."""
        thread = self._thread
        return thread.ident if thread is not None and thread.is_alive() else None
