"""Which scheduler the calling code works for. Below the scheduler, so that futures and names need not import it."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Host", "carried", "on_scheduler_thread", "thread"]


class Host(Protocol):
    """A scheduler, as far as it matters here."""

    @property
    def pid(self) -> int:
        """The process that made it."""


class _Thread(threading.local):
    """What is known of one thread."""

    scheduler: Host | None = None
    """The scheduler that runs on this thread now."""
    works_for: Host | None = None
    """The scheduler that has claimed this thread."""


thread = _Thread()

carried: ContextVar[Host | None] = ContextVar("supervisors_scheduler", default=None)
"""The scheduler that a claimed thread works for. Threads start with an empty context, so that it is visible beyond the
thread only where user code carries the context on: `asyncio.to_thread`, `Context.run`."""


def on_scheduler_thread() -> bool:
    """Return whether a scheduler runs on the calling thread."""
    return thread.scheduler is not None
