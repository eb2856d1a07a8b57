"""What the two roles of a run with threads of their own have in common."""

from __future__ import annotations

import threading

from supervisors import DaemonActor, ExitReason


class RoleActor(DaemonActor):
    """A Producer or a Batcher: knows its thread, so that one that is stuck in user code can be named."""

    thread: threading.Thread | None = None

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def on_start(self) -> object:  # type: ignore[override]  # as DaemonActor has it
        """Remember the thread."""
        self.thread = threading.current_thread()
        return None

    def on_exit(self, reason: ExitReason) -> None:
        """Tell who waits for what it leaves behind."""
        self.ended.set()

    def busy(self) -> bool:
        """Whether its thread is still there."""
        return self.thread is not None and self.thread.is_alive()
