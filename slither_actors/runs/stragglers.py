"""Threads of a run that are inside user code when it ends: they cannot be killed, so they are counted and named."""

from __future__ import annotations

import logging
import sys
import traceback

from slither_actors.runs.roles import BatcherRole, ProducerRole
from slither_actors.runs.run import Run, RunSpec

logger = logging.getLogger("slither_actors")

GRACE = 2.0
"""Seconds within which everything of ours has ended after a run was closed."""
OVERDUE_GRACE = 0.1
"""The same for what the error of a run at its deadline waits for: it is not to be late for a source that hangs."""


def watch_the_end(run: Run) -> None:
    """Check, `GRACE` seconds from now, whether the threads of the run's Producer and Batcher have ended."""
    run.spec.scheduler.post(_later, run)


def _later(run: Run) -> None:
    roles = [role for role in (run.producer, run.batcher) if role is not None and role.stuck_in() is not None]
    if roles:
        # The spec and not the run, so that what the run holds is freed meanwhile.
        run.spec.scheduler.call_later(GRACE, _report, run.spec, roles)


def _report(spec: RunSpec, roles: list[ProducerRole | BatcherRole]) -> None:
    for role in roles:
        ident = role.stuck_in()
        if ident is not None:
            spec.report_straggler(role)
            name = type(role).__name__.removesuffix("Actor")
            spec.scheduler.background.submit(_warn, spec.id, name, ident)


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
