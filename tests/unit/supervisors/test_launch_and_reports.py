"""How a start function's answer is checked, what supervisors log, and operations one after another."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    Crashed,
    ExitReason,
    Killed,
    LightActor,
    Normal,
    Shutdown,
    StartFailed,
    SupervisorStopping,
)
from supervisors.supervision.child import Child
from supervisors.supervision.launch import holder_of, launch
from supervisors.supervision.operations import Operator, answer, requested
from supervisors.supervision.reports import report_stop, report_unexpected
from supervisors.supervision.spec_checks import not_a_spec
from supervisors.testing import ManualScheduler


class Idle(LightActor):
    def __str__(self) -> str:
        return "parent"


@pytest.fixture
def parent(manual: ManualScheduler) -> Idle:
    ref = Idle.start(scheduler=manual)
    manual.run_until_idle()
    assert ref._actor is not None
    return ref._actor


@pytest.fixture
def events(manual: ManualScheduler) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    manual.on_event = lambda event, data: seen.append((event, data))
    return seen


# -- launch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Idle, r"not a class: ChildSpec\(id=..., start=Idle.start\)"),
        ({"id": 1}, r"not a mapping: ChildSpec\(id=..., start=...\)"),
        (5, "must be a ChildSpec, not 5"),
    ],
)
def test_what_is_not_a_spec_is_named_with_its_remedy(given: Any, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(not_a_spec(given))


def test_a_holder_is_named_by_child_and_supervisor() -> None:
    assert holder_of("kid", "root") == "child 'kid' of root"


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (lambda: 5, "must return a reference or IGNORE, not 5"),
        (lambda: 1 / 0, "division by zero"),
    ],
)
def test_a_wrong_answer_is_a_failed_start(parent: Idle, start: Any, text: str) -> None:
    child = Child(ChildSpec("kid", start), None)
    outcome = launch(child, parent, {}, print)
    assert isinstance(outcome, Crashed)
    assert text in str(outcome.exception)
    assert child.ref is None


def test_a_start_function_must_not_return_its_supervisor(parent: Idle) -> None:
    outcome = launch(Child(ChildSpec("kid", lambda: parent.actor_ref), None), parent, {}, print)
    assert isinstance(outcome, Crashed)
    assert "its own supervisor" in str(outcome.exception)


def test_a_start_is_reported_with_its_limit_cancelled_later(manual: ManualScheduler, parent: Idle) -> None:
    reported: list[Any] = []
    child = Child(ChildSpec("kid", lambda: Idle.start(scheduler=manual), start_timeout=5.0), None)
    assert launch(child, parent, {}, reported.append) is None
    assert child.start_timer is not None
    manual.run_until_idle()
    (outcome,) = reported
    assert child.start_outcome(outcome) is outcome
    assert manual.pending_timers == 0


# -- reports -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shutdown", "reason", "reported"),
    [
        (5.0, Normal(), False),
        (5.0, Shutdown("any"), False),
        (5.0, Killed(), True),
        (5.0, None, True),
        (5.0, Crashed(ValueError("bad")), True),
        ("brutal_kill", Killed(), False),
        ("brutal_kill", Crashed(ValueError("bad")), True),
    ],
)
def test_a_stop_is_reported_if_it_was_not_as_expected(
    parent: Idle, events: list[Any], shutdown: Any, reason: ExitReason | None, reported: bool
) -> None:
    child = Child(ChildSpec("kid", Idle.start, shutdown=shutdown), None)
    report_stop(parent, child, reason)
    assert child.last_reason is reason
    expected = [("stop_problem", {"supervisor": "parent", "child": "kid", "reason": reason})]
    assert events == (expected if reported else [])


def test_an_unknown_message_is_named_by_its_type(parent: Idle, events: list[Any]) -> None:
    report_unexpected(parent, 5)
    assert events == [("unexpected_message", {"supervisor": "parent", "type": "int"})]


# -- operations ----------------------------------------------------------------------------------------------------


class Worker(Operator):
    """Carries out what it gets."""

    def on_receive(self, message: Any) -> None:
        self._todo.append(message)
        self._drive()

    def resume(self, token: object, value: object) -> None:
        self._fire(token, value)


@pytest.fixture
def worker(manual: ManualScheduler) -> Worker:
    ref = Worker.start(scheduler=manual)
    manual.run_until_idle()
    assert ref._actor is not None
    return ref._actor


def waiting(token: object, log: list[Any]) -> Generator[object, Any, Any]:
    log.append(token)
    value = yield token
    log.append(value)
    return value


def test_operations_run_one_after_another(manual: ManualScheduler, worker: Worker) -> None:
    log: list[Any] = []
    answers: list[Any] = []
    for token in ("first", "second"):
        worker.actor_ref.tell((waiting(token, log), answers.append))
    manual.run_until_idle()
    assert log == ["first"]
    worker.resume("second", "too early")  # it waits for another token
    assert log == ["first"]
    worker.resume("first", 1)
    assert (log, answers) == (["first", 1, "second"], [1])
    worker.resume("second", 2)
    assert answers == [1, 2]


def test_an_error_of_an_operation_is_its_answer(manual: ManualScheduler, worker: Worker) -> None:
    def failing(error: BaseException) -> Generator[object, Any, Any]:
        yield from ()
        raise error

    answers: list[Any] = []
    known, unknown = SupervisorStopping("stopping"), ValueError("a value of the user's")
    worker.actor_ref.tell((failing(known), answers.append))
    worker.actor_ref.tell((requested(failing(unknown)), answers.append))
    manual.run_until_idle()
    assert answers == [known, unknown]
    assert worker.actor_ref.is_alive()


def test_an_error_without_a_reader_is_an_event(parent: Idle, events: list[Any]) -> None:
    answer(parent, None, "a result")
    answer(parent, None, SupervisorStopping("stopping"))
    assert events == []
    answer(parent, None, StartFailed("kid", Killed()))
    assert events == [
        ("request_failed", {"supervisor": "parent", "error": "child 'kid' failed to start: Killed()"}),
    ]
