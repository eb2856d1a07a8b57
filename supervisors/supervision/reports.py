"""What supervisors log of their children and messages."""

from __future__ import annotations

import logging

from supervisors.actors.events import record
from supervisors.actors.light_actor import LightActor
from supervisors.exits import Crashed, ExitReason, Killed, Normal, Shutdown
from supervisors.supervision.child import Child

__all__ = ["report_crash", "report_failed_start", "report_stop", "report_unexpected"]


def report_crash(supervisor: LightActor, child: Child, reason: ExitReason) -> None:
    """Record the crash of a child that is not restarted. The actor's own exit record has the traceback."""
    level = logging.ERROR if isinstance(reason, Crashed) else logging.WARNING
    data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
    record(supervisor.scheduler, "child_crashed", level, data)


def report_failed_start(supervisor: LightActor, child: Child, reason: ExitReason) -> None:
    """Record that a restart of a child has failed. A start function that raises leaves no other record."""
    data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
    exception = reason.exception if isinstance(reason, Crashed) else None
    record(supervisor.scheduler, "start_failed", logging.ERROR, data, exception)


def report_stop(supervisor: LightActor, child: Child, reason: ExitReason | None) -> None:
    """Record the end of a stopped child if its reason is not as expected (None: the end was not reported in time)."""
    child.last_reason = reason
    if not (isinstance(reason, (Normal, Shutdown)) or (child.spec.brutal and isinstance(reason, Killed))):
        data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
        exception = reason.exception if isinstance(reason, Crashed) else None
        record(supervisor.scheduler, "stop_problem", logging.WARNING, data, exception)


def report_unexpected(supervisor: LightActor, message: object) -> None:
    """Log a message that the supervisor does not know, and drop it."""
    data = {"supervisor": str(supervisor), "type": type(message).__name__}
    record(supervisor.scheduler, "unexpected_message", logging.WARNING, data)
