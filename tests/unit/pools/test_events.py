"""The events of batches: their measurements and metadata, with a clock that is moved by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from slither_actors import telemetry
from slither_actors.errors import WorkerCrashed, WorkerError
from slither_actors.pools.assignment.job import Job, RunQueue
from slither_actors.pools.events import tell_exception, tell_start, tell_stop
from slither_actors.telemetry import BATCH_EXCEPTION, BATCH_START, BATCH_STOP, Event
from supervisors.testing import ManualScheduler

ALL = (BATCH_START, BATCH_STOP, BATCH_EXCEPTION)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Event]]:
    """What a handler of all events has got."""
    monkeypatch.setattr(time, "time", lambda: 1.7e9)
    seen: list[Event] = []
    handles = [telemetry.attach(event, seen.append) for event in ALL]
    yield seen
    for handle in handles:
        handle.detach()


def a_job(**fields: Any) -> Job:
    queue = RunQueue(max_in_flight=1, ahead=True, timeout=None, describe={"run": 4, "pool": "p"})
    return Job(queue, 7, 3, **{"attempt": 2, "worker": 1, "closed_by": "linger", **fields})


COMMON = {"run": 4, "pool": "p", "batch_ref": 7, "attempt": 2, "worker": 1, "closed_by": "linger"}


def test_a_start_says_how_long_the_batch_waited(manual: ManualScheduler, events: list[Event]) -> None:
    tell_start(manual, a_job(queued=998.5))
    assert events == [Event(BATCH_START, {"time": 1.7e9, "size": 3, "queue_time": 1.5}, COMMON)]


def test_a_stop_says_how_long_the_function_took(manual: ManualScheduler, events: list[Event]) -> None:
    tell_stop(manual, a_job(queued=990.0, began=994.0, took=2_500_000_000))
    measurements = {"time": 1.7e9, "size": 3, "duration": 2.5, "queue_time": 4.0}
    assert events == [Event(BATCH_STOP, measurements, {**COMMON, "outcome": "ok"})]


def test_an_exception_says_what_became_of_the_items(manual: ManualScheduler, events: list[Event]) -> None:
    error = WorkerCrashed(1)
    tell_exception(manual, a_job(queued=990.0, began=994.0), error, "skip", 2)
    # The worker has not said how long it took, so it is what the host has waited: 1000 - 994.
    measurements = {"time": 1.7e9, "size": 2, "duration": 6.0, "queue_time": 4.0}
    facts = {"outcome": "skip", "reason": error, "cause": "WorkerCrashed"}
    assert events == [Event(BATCH_EXCEPTION, measurements, {**COMMON, **facts})]


def test_a_batch_that_never_began_took_no_time(manual: ManualScheduler, events: list[Event]) -> None:
    tell_exception(manual, a_job(queued=990.0), ValueError(), "halt", 3)
    assert (events[0].measurements["duration"], events[0].measurements["queue_time"]) == (0.0, 10.0)


def test_a_batch_queued_before_a_handler_came_did_not_wait(manual: ManualScheduler, events: list[Event]) -> None:
    job = a_job(began=994.0, took=1_000_000_000)
    tell_start(manual, job)
    tell_stop(manual, job)
    tell_exception(manual, job, ValueError(), "halt", 3)
    assert [event.measurements["queue_time"] for event in events] == [0.0] * 3


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (WorkerError("builtins.ValueError", "no"), "ValueError"),
        (WorkerError("KeyError", "no"), "KeyError"),
        (WorkerError("package.Own", "no"), "package.Own"),
        (OSError("no"), "OSError"),
    ],
)
def test_the_cause_is_the_type_of_what_went_wrong(
    manual: ManualScheduler, events: list[Event], error: Exception, cause: str
) -> None:
    tell_exception(manual, a_job(), error, "halt", 3)
    assert (events[0].metadata["cause"], events[0].metadata["reason"]) == (cause, error)


def test_an_event_goes_through_the_side_thread(
    manual: ManualScheduler, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[Any] = []
    monkeypatch.setattr(manual.background, "submit", lambda deliver, event: submitted.append(event.name))
    job = a_job()
    tell_start(manual, job)
    tell_stop(manual, job)
    tell_exception(manual, job, ValueError(), "halt", 1)
    assert submitted == list(ALL)
    assert events == []


class Unseen:
    """In the place of what an event is built of: nothing may be asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


@pytest.mark.parametrize("attached", [None, *ALL])
def test_an_event_without_a_handler_is_not_built(attached: str | None) -> None:
    unseen: Any = Unseen()
    tells = {
        BATCH_START: lambda: tell_start(unseen, unseen),
        BATCH_STOP: lambda: tell_stop(unseen, unseen),
        BATCH_EXCEPTION: lambda: tell_exception(unseen, unseen, ValueError(), "halt", 1),
    }
    handle = telemetry.attach(attached, print) if attached else None
    try:
        for event, tell in tells.items():
            if event == attached:
                with pytest.raises(AssertionError, match="asked for"):
                    tell()
            else:
                tell()
    finally:
        if handle is not None:
            handle.detach()
