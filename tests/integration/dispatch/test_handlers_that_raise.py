"""A telemetry handler that raises is detached, once and for all; what waits for a detached one is dropped."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from slither_actors import System, telemetry
from slither_actors.telemetry import BATCH_START, BATCH_STOP, DetachedHandler

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double", "batch_size": 1}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of other tests is remembered here, and nothing of these elsewhere."""
    monkeypatch.setattr(telemetry, "_detached", deque(maxlen=telemetry.MOST_DETACHED))


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls = 0

    def handle(self, event: telemetry.Event) -> None:
        self.calls += 1
        raise self.error


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt("no")], ids=repr)
def test_it_is_called_once_and_logged_once(
    system: System, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    raises, heard = Raises(error), []
    handle = telemetry.attach(BATCH_STOP, raises.handle)
    with telemetry.attach(BATCH_STOP, heard.append), caplog.at_level(logging.ERROR):
        system.dispatch.run(range(300), **DOUBLE)
        assert system._scheduler.background.flush()
    assert raises.calls == 1
    assert len(heard) == 300
    (record,) = [record for record in caplog.records if record.name == "slither_actors.telemetry"]
    assert "Raises.handle raised at slither.dispatch.batch.stop and is detached" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert not handle.detach()
    assert not telemetry.attached(BATCH_STOP)


def test_health_shows_it_and_stays_good(system: System) -> None:
    assert system.health().detached_handlers == ()
    raises = Raises(ValueError("no disk"))
    for event in (BATCH_START, BATCH_STOP):
        telemetry.attach(event, raises.handle)
    system.dispatch.run([1], **DOUBLE)
    assert system._scheduler.background.flush()
    health = system.health()
    assert (health.live, health.ready, health.reasons) == (True, True, ())
    assert set(health.detached_handlers) == {
        DetachedHandler(event, "Raises.handle", "ValueError: 'no disk'") for event in (BATCH_START, BATCH_STOP)
    }


def test_attaching_it_again_takes_it_off_the_list(system: System) -> None:
    raises = Raises(ValueError("no disk"))
    telemetry.attach(BATCH_STOP, raises.handle)
    system.dispatch.run([1], **DOUBLE)
    assert system._scheduler.background.flush()
    assert len(system.health().detached_handlers) == 1
    with telemetry.attach(BATCH_STOP, raises.handle):
        assert system.health().detached_handlers == ()


def test_what_it_raises_may_be_unprintable(system: System) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise SystemExit

    raises = Raises(Odd())
    telemetry.attach(BATCH_STOP, raises.handle)
    system.dispatch.run(range(10), **DOUBLE)
    assert system._scheduler.background.flush()
    assert raises.calls == 1
    (found,) = system.health().detached_handlers
    assert found.reason == "Odd"


def test_handlers_of_actors_events_are_detached_as_well(system: System) -> None:
    raises = Raises(ValueError("no"))
    telemetry.attach(telemetry.ACTOR_EXIT, raises.handle)
    for _ in range(5):
        system.dispatch.run(iter([1]), **DOUBLE)  # each run has an actor that ends, unless it is one request
    assert system._scheduler.background.flush()
    assert raises.calls == 1


def test_what_waits_for_a_detached_handler_is_dropped(system: System, eventually: Callable[..., None]) -> None:
    calls: list[telemetry.Event] = []
    began, let_go = threading.Event(), threading.Event()

    def slow(event: telemetry.Event) -> None:
        calls.append(event)
        began.set()
        let_go.wait(30)

    handle = telemetry.attach(BATCH_STOP, slow)
    system.dispatch.run(range(50), **DOUBLE)
    assert began.wait(30)
    assert handle.detach()
    let_go.set()
    assert system._scheduler.background.flush()
    assert len(calls) == 1
