"""Every exit is one structured log record and one event."""

from __future__ import annotations

import logging
from typing import Any

from supervisors.exits import Crashed, ExitReason, Killed
from supervisors.runtime.scheduler import Scheduler
from supervisors.wording import shown

__all__ = ["record", "record_exit"]

_logger = logging.getLogger("supervisors")


def record(
    scheduler: Scheduler | None, event: str, level: int, data: dict[str, Any], exception: BaseException | None = None
) -> None:
    """Log `data` on the side thread (without a scheduler: here) and hand it to the scheduler's `on_event`.

    Args:
        scheduler: whose side thread and event hook. If this is another thread, the event is posted.
        event: its name: "exit", "start_failed", "child_crashed", "restart", "budget_exceeded" …
        level: of the log record; a record below the logger's level is not enqueued.
        data: plain values.
        exception: goes with the log record.
    """
    if _logger.isEnabledFor(level):
        if scheduler is None:
            _write(event, level, data, exception)
        else:
            scheduler.background.submit(_write, event, level, data, exception)
    if scheduler is not None and scheduler.on_event is not None:
        if scheduler.on_thread():
            scheduler.emit(event, data)
        else:
            scheduler.post(scheduler.emit, event, data)


def record_exit(scheduler: Scheduler | None, actor: str, urn: str, reason: ExitReason, *, started: bool) -> None:
    """Record the end of one actor."""
    exception = reason.exception if isinstance(reason, Crashed) else None
    if exception is not None:
        level = logging.ERROR
    elif isinstance(reason, Killed):
        level = logging.WARNING
    else:
        level = logging.DEBUG
    record(scheduler, "exit", level, {"actor": actor, "urn": urn, "reason": reason, "started": started}, exception)


def _write(event: str, level: int, data: dict[str, Any], exception: BaseException | None) -> None:
    text = " ".join(f"{key}={shown(value)}" for key, value in data.items())
    _logger.log(level, "%s %s", event, text, exc_info=exception, extra={"event": event, "data": data})
