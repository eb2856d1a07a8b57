"""Threads of a run that are inside user code when it ends: they cannot be killed, so they are counted and named."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

from slither_actors.runs.run import Run
from supervisors import Scheduler

logger = logging.getLogger("slither_actors")

GRACE = 2.0
"""Seconds within which everything of ours has ended after a run was closed."""


def watch_the_end(run: Run) -> None:
    """Look, `GRACE` seconds from now, whether the run's Producer and Batcher have ended."""
    run.scheduler.post(_later, run)


def _later(run: Run) -> None:
    roles = [role for role in (run.producer, run.batcher) if role is not None and role.busy()]
    if roles:
        # Not the run: nobody may want it any more, nor what it holds.
        run.scheduler.call_later(GRACE, _look, run.id, run.scheduler, run.stuck, roles)


def _look(run_id: int, scheduler: Scheduler, stuck: Callable[[Any], None], roles: list[Any]) -> None:
    for role in roles:
        if role.busy():
            stuck(role)
            scheduler.background.submit(_warn, run_id, type(role).__name__.removesuffix("Actor"), role.thread.ident)


def _warn(run_id: int, role: str, ident: int) -> None:
    frame = sys._current_frames().get(ident)
    stack = "".join(traceback.format_stack(frame)) if frame is not None else "(it has just ended)"
    logger.warning(
        "run %d was closed %g s ago and its %s is still inside user code; its thread ends when that returns:\n%s",
        run_id,
        GRACE,
        role,
        stack,
    )
