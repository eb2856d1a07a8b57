"""`ChildSpec(start_timeout=...)`: a start that takes too long is a failed one, and its actor is killed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import supervisors
from supervisors import (
    DEFERRED,
    ChildSpec,
    Crashed,
    DaemonActor,
    DynamicSupervisor,
    LightActor,
    Scheduler,
    Shutdown,
    StartChild,
    StartFailed,
    StartTimeout,
    Supervisor,
    monitor,
    start_child,
    stop,
    wait_started,
    with_deferred_init,
)
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.testing import ManualScheduler


class Slow(LightActor):
    """Starts when it is asked to."""

    made: list[Slow]
    ends: list[Any]

    def __init__(self) -> None:
        super().__init__()
        self.made.append(self)

    def on_start(self) -> Any:
        return DEFERRED

    def on_exit(self, reason: Any) -> None:
        self.ends.append(reason)


@pytest.fixture
def slow() -> type[Slow]:
    return type("SlowOfThisTest", (Slow,), {"made": [], "ends": []})


class Stuck(DaemonActor):
    """Its `__init__` does not return before the gate opens."""

    def __init__(self, gate: threading.Event, entered: threading.Event) -> None:
        entered.set()
        gate.wait(30)
        super().__init__()


@pytest.mark.parametrize("limit", [0, -1.0, float("inf"), float("nan")])
def test_a_start_timeout_is_positive_and_finite(limit: float) -> None:
    with pytest.raises(ValueError, match="start_timeout of child 'a' must be positive and finite"):
        ChildSpec("a", Slow.start, start_timeout=limit)


@pytest.mark.parametrize("limit", ["5", True])
def test_a_start_timeout_is_a_number(limit: Any) -> None:
    with pytest.raises(TypeError, match="start_timeout of child 'a' must be seconds or None"):
        ChildSpec("a", Slow.start, start_timeout=limit)


def test_an_overdue_start_fails_its_supervisor(manual: ManualScheduler, slow: type[Slow]) -> None:
    reasons: list[Any] = []
    ref = Supervisor.start([ChildSpec("kid", slow.start, start_timeout=2.0)], scheduler=manual)
    monitor(ref, lambda down: reasons.append(down.reason))
    manual.advance(1.9)
    assert (reasons, slow.ends) == ([], [])
    manual.advance(0.2)
    assert slow.ends == [supervisors.Killed()]
    failed = reasons[0].exception
    assert isinstance(failed, StartFailed)
    assert isinstance(failed.cause, StartTimeout)
    assert isinstance(failed.cause, TimeoutError)
    assert (failed.cause.child_id, failed.cause.seconds) == ("kid", 2.0)
    assert str(failed.cause) == "child 'kid' has not started within its start_timeout of 2 s"


def test_a_start_in_time_cancels_its_limit(manual: ManualScheduler, slow: type[Slow]) -> None:
    ref = Supervisor.start([ChildSpec("kid", slow.start, start_timeout=2.0)], scheduler=manual)
    manual.run_until_idle()
    assert manual.pending_timers == 1
    slow.made[0].started()
    manual.run_until_idle()
    assert manual.pending_timers == 0
    manual.advance(10.0)
    assert ref.is_alive()
    assert slow.ends == []


def test_an_overdue_restart_is_tried_again(manual: ManualScheduler, slow: type[Slow]) -> None:
    ref = Supervisor.start([ChildSpec("kid", slow.start, start_timeout=2.0)], scheduler=manual)
    manual.run_until_idle()
    slow.made[0].started()
    manual.run_until_idle()
    slow.made[0].exit(Crashed(ValueError("bad")))
    manual.run_until_idle()
    assert len(slow.made) == 2
    manual.advance(2.0)
    assert len(slow.made) == 3
    slow.made[2].started()
    manual.advance(10.0)
    assert ref.is_alive()
    assert [type(end) for end in slow.ends] == [Crashed, supervisors.Killed]


def test_a_stop_during_the_start_ends_the_limit(manual: ManualScheduler, slow: type[Slow]) -> None:
    reasons: list[Any] = []
    spec = ChildSpec("kid", slow.start, start_timeout=2.0)
    ref = Supervisor.start([spec], scheduler=manual)
    monitor(ref, lambda down: reasons.append(down.reason))
    manual.run_until_idle()
    lifecycle_of(ref).ask_shutdown(Shutdown("enough"))  # type: ignore[union-attr]
    manual.run_until_idle()
    assert reasons == [Shutdown("enough")]
    assert slow.ends == [Shutdown("enough")]
    assert manual.pending_timers == 0


def test_a_dynamic_supervisor_answers_an_overdue_start(manual: ManualScheduler, slow: type[Slow]) -> None:
    ref = DynamicSupervisor.start(scheduler=manual)
    answers: list[Any] = []
    for limit in (2.0, 3.0, None):
        ref.tell(
            StartChild(ChildSpec(limit, slow.start, start_timeout=limit) if limit else ChildSpec("free", slow.start))
        )
    ref.tell(StartChild(ChildSpec("asked", slow.start, start_timeout=2.0), answers.append))
    manual.advance(2.0)
    (failed,) = answers
    assert isinstance(failed, StartFailed)
    assert isinstance(failed.cause, StartTimeout)
    assert len(slow.ends) == 2
    manual.advance(1.0)
    assert len(slow.ends) == 3
    ref.tell(supervisors.WhichChildren(answers.append))
    manual.run_until_idle()
    assert [(info.id, info.state) for info in answers[-1]] == [("free", "starting")]


def test_a_start_in_time_under_a_dynamic_supervisor(manual: ManualScheduler, slow: type[Slow]) -> None:
    ref = DynamicSupervisor.start(scheduler=manual)
    ref.tell(StartChild(ChildSpec("kid", slow.start, start_timeout=2.0)))
    manual.run_until_idle()
    slow.made[0].started()
    manual.advance(10.0)
    assert (slow.ends, manual.pending_timers) == ([], 0)


@pytest.mark.parametrize("supervisor", [Supervisor, DynamicSupervisor])
def test_a_slow_init_in_its_own_thread_is_abandoned(scheduler: Scheduler, supervisor: Any) -> None:
    gate, entered = threading.Event(), threading.Event()
    ref = supervisor.start(scheduler=scheduler)
    assert wait_started(ref)
    before = set(supervisors.abandoned_threads())
    spec = ChildSpec("stuck", lambda: with_deferred_init(Stuck).start(gate, entered), start_timeout=0.05)
    with pytest.raises(StartFailed) as caught:
        start_child(ref, spec, timeout=30)
    assert isinstance(caught.value.cause, StartTimeout)
    assert entered.is_set()
    (thread,) = set(supervisors.abandoned_threads()) - before
    # The scheduler has not been held up, and the child's spec is gone.
    assert supervisors.count_children(ref).specs == 0
    gate.set()
    thread.join(30)
    assert not thread.is_alive()
    assert stop(ref)


def test_a_child_stuck_on_another_scheduler_is_given_up(manual: ManualScheduler, slow: type[Slow]) -> None:
    other = ManualScheduler()
    reasons: list[Any] = []
    spec = ChildSpec("kid", lambda: slow.start(scheduler=other), start_timeout=2.0)
    ref = Supervisor.start([spec], scheduler=manual)
    monitor(ref, lambda down: reasons.append(down.reason))
    manual.advance(2.5)
    assert reasons == []  # killed, and its end is waited for
    manual.advance(1.0)
    assert isinstance(reasons[0].exception.cause, StartTimeout)
    other.stop()


@pytest.mark.parametrize("supervisor", [Supervisor, DynamicSupervisor])
def test_a_start_that_ends_its_supervisor_has_no_limit(manual: ManualScheduler, supervisor: Any) -> None:
    ends: list[Any] = []

    class Kid(LightActor):
        def on_exit(self, reason: Any) -> None:
            ends.append(reason)

    def start() -> Any:
        ref._actor.exit(Shutdown("by its child"))
        return Kid.start()

    ref = supervisor.start(scheduler=manual)
    reasons: list[Any] = []
    monitor(ref, lambda down: reasons.append(down.reason))
    ref.tell(StartChild(ChildSpec("kid", start, start_timeout=5.0)))
    manual.run_until_idle()
    assert reasons == [Shutdown("by its child")]
    assert [type(end) for end in ends] == [supervisors.Killed]
    assert manual.pending_timers == 0
