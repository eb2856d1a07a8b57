"""Back-off, budget, specs and decisions."""

from __future__ import annotations

import math
import pickle
from decimal import Decimal
from typing import Any

import pytest

from supervisors import Backoff, ChildSpec, Crashed, Killed, Normal, RestartBudgetExceeded, Shutdown, StartFailed
from supervisors.errors import AlreadyStarted, ChildNotFound
from supervisors.supervision.intensity import BackoffState, RestartIntensity
from supervisors.supervision.restart_policy import ChildView, Decision, after_exit, restart_scope

CRASH = Crashed(ValueError("bad"))


def test_an_attempt_exactly_max_seconds_old_still_counts() -> None:
    intensity = RestartIntensity(2, 5.0)
    assert [intensity.allow(now) for now in (0.0, 1.0, 5.0)] == [True, True, False]
    assert RestartIntensity(1, 5.0).allow(0.0)
    later = RestartIntensity(1, 5.0)
    assert later.allow(0.0)
    assert later.allow(5.001)
    assert later.recent(5.001) == 1


def test_a_budget_of_0_allows_none_and_none_allows_any_number() -> None:
    assert not RestartIntensity(0).allow(0.0)
    lifted = RestartIntensity(None)
    assert all(lifted.allow(0.0) for _ in range(1000))


@pytest.mark.parametrize("value", [-1, 1.5, True, "3"])
def test_max_restarts_must_be_a_count(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="max_restarts"):
        RestartIntensity(value)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "5", 10**310])
def test_max_seconds_must_be_a_positive_number(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="max_seconds"):
        RestartIntensity(3, value)


def test_restarts_wait_longer_each_time_up_to_the_maximum() -> None:
    state = BackoffState(Backoff())
    waits = [state.delay(0.0) for _ in range(10)]
    assert waits == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@pytest.mark.parametrize("attempt", [1025, 10**6, 10**400])
def test_no_number_of_attempts_overflows(attempt: int) -> None:
    assert Backoff().wait(attempt) == 5.0


def test_a_child_that_lived_long_enough_restarts_at_once() -> None:
    state = BackoffState(Backoff(reset_after=10.0))
    assert [state.delay(0.0), state.delay(0.0)] == [0.0, 0.05]
    state.started(1.0)
    assert state.delay(10.9) == 0.1
    state.started(20.0)
    assert state.delay(30.0) == 0.0


def test_jitter_only_shortens_a_wait() -> None:
    state = BackoffState(Backoff(base=1.0, jitter=0.5), rand=lambda: 1.0)
    assert [state.delay(0.0), state.delay(0.0)] == [0.0, 0.5]


@pytest.mark.parametrize(
    "bad",
    [
        {"base": 0},
        {"factor": 0.5},
        {"maximum": math.inf},
        {"jitter": 1.5},
        {"jitter": -0.1},
        {"base": "1"},
        *({name: 10**400} for name in ("base", "factor", "maximum", "jitter", "reset_after")),
    ],
)
def test_a_bad_back_off_cannot_be_built(bad: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(bad))):
        Backoff(**bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"id": []},
        {"id": None},
        {"start": 5},
        {"restart": "always"},
        {"type": "boss"},
        {"shutdown": -1},
        {"shutdown": math.nan},
        {"shutdown": "never"},
        {"shutdown": True},
        {"shutdown": 10**400},
        {"start_timeout": 10**400},
        {"significant": 1},
        {"significant": True, "restart": "permanent"},
    ],
)
def test_a_bad_child_spec_cannot_be_built(bad: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(bad))):
        ChildSpec(**{"id": "a", "start": print, **bad})


class Odd:
    """Compares itself as it was made to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("name", ["id", "register"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (math.nan, ValueError),
        (Decimal("nan"), ValueError),
        (Odd(False), ValueError),
        (Odd(LookupError("eq")), TypeError),
    ],
)
def test_a_key_that_is_not_itself_is_refused(name: str, value: Any, error: type[Exception]) -> None:
    options = {"id": "a", name: value}
    with pytest.raises(error, match=f"^{name} must be"):
        ChildSpec(start=print, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "seconds", "brutal"),
    [
        ({}, 5.0, False),
        ({"type": "supervisor"}, math.inf, False),
        ({"shutdown": "infinity"}, math.inf, False),
        ({"shutdown": math.inf}, math.inf, False),
        ({"shutdown": "brutal_kill"}, 0.0, True),
        ({"shutdown": 2, "type": "supervisor"}, 2.0, False),
    ],
)
def test_the_shutdown_of_a_spec(options: dict[str, Any], seconds: float, brutal: bool) -> None:
    spec = ChildSpec("a", print, **options)  # type: ignore[arg-type]
    assert (spec.shutdown_seconds, spec.brutal) == (seconds, brutal)


def views(*restarts: str) -> list[ChildView]:
    return [ChildView(name, restart) for name, restart in zip(("a", "b", "c", "d"), restarts, strict=False)]  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_no_decision_runs_the_code_of_an_id(strategy: Any) -> None:
    odd = [Odd(LookupError("eq")) for _ in range(3)]
    children = [ChildView(each) for each in odd]
    decision = after_exit(strategy, "never", children, odd[1], CRASH)
    assert decision.start[-1] is odd[1 if strategy == "one_for_one" else 2]


@pytest.mark.parametrize(
    ("restart", "reason", "expected"),
    [
        ("permanent", Normal(), True),
        ("permanent", CRASH, True),
        ("transient", Normal(), False),
        ("transient", Shutdown(), False),
        ("transient", CRASH, True),
        ("transient", Killed(), True),
        ("temporary", CRASH, False),
    ],
)
def test_which_exits_are_restarted(restart: str, reason: Any, expected: bool) -> None:
    decision = after_exit("one_for_one", "never", views(restart), "a", reason)
    assert decision.restart is expected
    assert decision.drop == (("a",) if restart == "temporary" else ())


def test_whom_each_strategy_stops_drops_and_starts() -> None:
    children = views("permanent", "transient", "temporary", "permanent")
    assert restart_scope("one_for_one", children, "b") == Decision(restart=True, start=("b",))
    assert restart_scope("one_for_all", children, "b") == Decision(
        restart=True, stop=("d", "c", "a"), drop=("c",), start=("a", "b", "d")
    )
    assert restart_scope("rest_for_one", children, "b") == Decision(
        restart=True, stop=("d", "c"), drop=("c",), start=("b", "d")
    )


@pytest.mark.parametrize(
    ("auto", "other_active", "fires"),
    [
        ("never", False, False),
        ("any_significant", True, True),
        ("all_significant", True, False),
        ("all_significant", False, True),
    ],
)
def test_when_auto_shutdown_fires(auto: Any, other_active: bool, fires: bool) -> None:
    children = [ChildView("a", "transient", True), ChildView("b", "transient", True, active=other_active)]
    assert after_exit("one_for_one", auto, children, "a", Normal()).shutdown is fires
    assert after_exit("one_for_one", auto, children, "a", CRASH) == Decision(restart=True, start=("a",))


def test_the_errors_survive_pickling_and_read_well() -> None:
    failed = StartFailed("db", Crashed(StartFailed("conn", CRASH)))
    assert failed.cause is CRASH.exception
    assert str(failed) == "child 'db' failed to start: StartFailed: child 'conn' failed to start: ValueError: bad"
    for error in (failed, RestartBudgetExceeded("db", Killed()), AlreadyStarted("db"), ChildNotFound("db")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert again.child_id == error.child_id
        assert str(again) == str(error)
