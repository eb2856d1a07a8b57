"""What the two roles of a run with threads of their own have in common."""

from __future__ import annotations

import threading

from slither_actors.runs.messages import RoleEnded
from slither_actors.runs.run import Run
from supervisors import DaemonActor, ExitReason, LightActor, Monitor, monitor


class RunThreadActor(DaemonActor):
    """A Producer or a Batcher: knows its thread, so that one that is stuck in user code can be named.

    Args:
        run: whose role it plays.
    """

    thread: threading.Thread | None = None

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self.ended = False
        """It was the last to use what is its own, and has let go of that and of its run, which knows it."""

    def on_start(self) -> object:  # type: ignore[override]  # as DaemonActor has it
        """Remember the thread."""
        self.thread = threading.current_thread()
        self._run.scheduler.claim_thread()
        return None

    def on_exit(self, reason: ExitReason) -> None:
        """Tell the consumer, which may be waiting for what it leaves behind.

        The run is let go of: an actor and its reference hold each other, and all that the run holds would stay with
        them until the garbage collector comes by.
        """
        run, self._run = self._run, None  # type: ignore[assignment]  # nothing follows but questions to `ended`
        self.ended = True
        run.inbox.put(RoleEnded())

    def monitored_by(self, watcher: LightActor) -> Monitor | None:
        """Tell this one of its end."""
        return monitor(self.actor_ref, watcher)

    def busy(self) -> bool:
        """Whether its thread is still there."""
        return self.thread is not None and self.thread.is_alive()
