"""Records of exits: one log record and one event each."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from supervisors import Crashed, ExitReason, Killed, Normal, Shutdown
from supervisors.actors.events import record, record_exit
from supervisors.testing import ManualScheduler


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (Normal(), logging.DEBUG),
        (Shutdown(), logging.DEBUG),
        (Killed(), logging.WARNING),
        (Crashed(ValueError("bad")), logging.ERROR),
    ],
)
def test_an_exit_has_the_level_of_its_reason(reason: ExitReason, level: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "supervisors"):
        record_exit(None, "Cache", "urn", reason, started=True)
    (written,) = caplog.records
    assert written.levelno == level
    assert written.__dict__["data"] == {"actor": "Cache", "urn": "urn", "reason": reason, "started": True}
    exception = written.exc_info[1] if written.exc_info else None
    assert exception is (reason.exception if isinstance(reason, Crashed) else None)


def test_an_event_reaches_the_hook_of_its_scheduler(manual: ManualScheduler, caplog: pytest.LogCaptureFixture) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    manual.on_event = lambda name, data: events.append((name, data))
    with caplog.at_level(logging.ERROR, "supervisors"):
        record(manual, "restart", logging.INFO, {"child": 1})
    assert events == [("restart", {"child": 1})]
    assert caplog.records == []
