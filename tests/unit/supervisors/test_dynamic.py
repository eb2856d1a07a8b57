from __future__ import annotations

from typing import Any

import pytest
from support.opcodes import Opcodes

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
    Backoff,
    ChildSpec,
    CountChildren,
    DynamicSupervisor,
    LightActor,
    MaxChildren,
    Normal,
    NotSupported,
    RestartBudgetExceeded,
    Scheduler,
    Shutdown,
    SpecError,
    StartChild,
    StartFailed,
    SupervisorStopping,
    TerminateChild,
    WhichChildren,
    monitor,
)
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.actors.light_ref import LightRef
from supervisors.errors import ChildNotFound
from supervisors.supervision.child import Child
from supervisors.testing import ManualScheduler


class Kid(LightActor):
    def __init__(self, answers: list[Any] | None = None, stop_after: float | None = 0) -> None:
        super().__init__()
        self.answers, self.stop_after = answers, stop_after

    def on_start(self) -> Any:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def on_receive(self, message: Any) -> None:
        if isinstance(message, BaseException):
            raise message
        message(self)

    def on_shutdown(self, reason: Any) -> None:
        if self.stop_after == 0:
            self.exit(reason)
        elif self.stop_after is not None:
            self.call_later(self.stop_after, self.exit, reason)


class Harness:
    def __init__(self, manual: ManualScheduler, **options: Any) -> None:
        self.manual = manual
        self.ref = DynamicSupervisor.start(scheduler=manual, **options)
        self.reasons: list[Any] = []
        monitor(self.ref, lambda down: self.reasons.append(down.reason))

    def ask(self, make: Any, *args: Any) -> Any:
        answers: list[Any] = []
        self.ref.tell(make(*args, answers.append))
        self.manual.run_until_idle()
        assert len(answers) == 1
        return answers[0]

    def start(self, answers: list[Any] | None = None, stop_after: float | None = 0, **options: Any) -> Any:
        return self.ask(StartChild, ChildSpec("kid", lambda: Kid.start(answers, stop_after), **options))

    def crash(self, ref: Any) -> None:
        ref.tell(ValueError("bad"))
        self.manual.run_until_idle()

    def shut_down(self) -> None:
        lifecycle_of(self.ref).ask_shutdown(Shutdown())  # type: ignore[union-attr]
        self.manual.run_until_idle()

    def refs(self) -> list[Any]:
        return ["restarting" if info.state == "restarting" else info.child for info in self.ask(WhichChildren)]


def test_children_may_share_an_id_and_are_named_by_reference(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    first, second = harness.start(), harness.start()
    assert harness.refs() == [first, second]
    assert harness.ask(TerminateChild, first) is None
    assert not first.is_alive()
    assert harness.refs() == [second]
    assert isinstance(harness.ask(TerminateChild, first), ChildNotFound)
    assert isinstance(harness.ask(supervisors.RestartChild, second), NotSupported)
    assert isinstance(harness.ask(supervisors.DeleteChild, second), NotSupported)


def test_a_crashed_child_is_restarted_with_a_new_reference(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    ref, other = harness.start(), harness.start()
    harness.crash(ref)
    again, unchanged = harness.refs()
    assert again is not ref
    assert again.is_alive()
    assert unchanged is other


@pytest.mark.parametrize(("restart", "left"), [("permanent", 1), ("transient", 0), ("temporary", 0)])
def test_who_is_restarted_after_a_normal_end(manual: ManualScheduler, restart: str, left: int) -> None:
    harness = Harness(manual)
    harness.start(restart=restart).tell(lambda actor: actor.exit(Normal()))
    manual.run_until_idle()
    assert len(harness.refs()) == left


def test_a_failed_or_ignored_start_leaves_nothing(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    assert harness.start([IGNORE]) is None
    assert isinstance(harness.start([ValueError("bad")]), StartFailed)
    assert harness.ask(StartChild, ChildSpec("x", lambda: IGNORE)) is None
    assert isinstance(harness.ask(StartChild, ChildSpec("x", lambda: 5)), StartFailed)  # type: ignore[arg-type,return-value]
    assert isinstance(harness.ask(StartChild, "spec"), SpecError)
    significant = ChildSpec("x", Kid.start, restart="transient", significant=True)
    assert isinstance(harness.ask(StartChild, significant), SpecError)
    assert harness.ask(CountChildren) == supervisors.ChildCounts(0, 0, 0, 0)


def test_children_start_side_by_side(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    answers: list[Any] = []
    harness.ref.tell(StartChild(ChildSpec("slow", lambda: Kid.start([DEFERRED])), answers.append))
    quick = harness.start()
    assert answers == []
    slow = next(ref for ref in harness.refs() if ref is not quick)
    slow.tell(lambda actor: actor.started())
    manual.run_until_idle()
    assert answers == [slow]


def test_max_children_counts_those_that_are_restarting(manual: ManualScheduler) -> None:
    harness = Harness(manual, max_children=1, restart_backoff=Backoff(base=1.0))
    ref = harness.start([None, ValueError("once")])
    assert isinstance(harness.start(), MaxChildren)
    harness.crash(ref)
    assert harness.refs() == ["restarting"]
    assert isinstance(harness.start(), MaxChildren)
    manual.advance(1.0)
    (again,) = harness.refs()
    assert again.is_alive()


def test_the_first_restart_is_at_once_and_the_second_waits(manual: ManualScheduler) -> None:
    harness = Harness(manual, restart_backoff=Backoff(base=1.0))
    harness.crash(harness.start())
    (again,) = harness.refs()
    harness.crash(again)
    assert harness.refs() == ["restarting"]
    manual.advance(1.0)
    assert harness.refs()[0].is_alive()


def test_over_the_budget_it_stops_all_and_ends(manual: ManualScheduler) -> None:
    harness = Harness(manual, max_restarts=1)
    first, second = harness.start(), harness.start()
    harness.crash(first)
    harness.crash(second)
    assert isinstance(harness.reasons[0].term, RestartBudgetExceeded)


def test_all_stop_at_once_and_each_has_its_own_deadline(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    slow = [harness.start(stop_after=2.0, shutdown=3.0) for _ in range(3)]
    stuck = harness.start(stop_after=None, shutdown=1.0)
    harness.shut_down()
    assert isinstance(harness.start(), SupervisorStopping)
    manual.advance(0.9)
    assert stuck.is_alive()
    manual.advance(0.1)
    assert not stuck.is_alive()
    assert all(ref.is_alive() for ref in slow)
    manual.advance(1.0)
    assert not any(ref.is_alive() for ref in slow)
    assert harness.reasons == [Shutdown()]
    assert manual.pending_timers == 0


def test_infinity_is_waited_for_and_brutal_kill_is_at_once(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    patient = harness.start(stop_after=1000.0, shutdown="infinity")
    brutal = harness.start(stop_after=None, shutdown="brutal_kill")
    harness.shut_down()
    assert not brutal.is_alive()
    manual.advance(999.0)
    assert patient.is_alive()
    manual.advance(1.0)
    assert harness.reasons == [Shutdown()]


def test_a_terminated_child_is_killed_at_its_deadline(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    ref = harness.start(stop_after=None, shutdown=1.0)
    answers: list[Any] = []
    harness.ref.tell(TerminateChild(ref, answers.append))
    harness.ref.tell(TerminateChild(ref, answers.append))
    manual.advance(0.9)
    assert answers == []
    manual.advance(0.1)
    assert answers == [None, None]
    assert manual.pending_timers == 0


def test_ending_during_a_restart_wait_hangs_nothing(manual: ManualScheduler) -> None:
    harness = Harness(manual, restart_backoff=Backoff(base=100.0, maximum=100.0))
    harness.crash(harness.start([None, ValueError("again")]))
    harness.ref.tell(StartChild(ChildSpec("x", lambda: Kid.start([DEFERRED]))))
    harness.shut_down()
    assert harness.reasons == [Shutdown()]
    assert manual.pending_timers == 0


def test_a_killed_dynamic_supervisor_takes_its_children_with_it(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    refs = [harness.start(stop_after=None) for _ in range(3)]
    lifecycle_of(harness.ref).kill()  # type: ignore[union-attr]
    manual.run_until_idle()
    assert not any(ref.is_alive() for ref in refs)


def test_unexpected_messages_are_dropped(manual: ManualScheduler) -> None:
    harness = Harness(manual)
    harness.ref.tell("what?")
    assert harness.refs() == []


@pytest.mark.fault(26)
def test_a_child_costs_the_same_among_thousands(manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def same(self: object, other: object) -> bool:
        nonlocal compared
        compared += 1
        return self is other

    for kept in (Child, LightRef):  # a search of a list for one would show, though it is no instruction of Python
        monkeypatch.setattr(kept, "__eq__", same)
        monkeypatch.setattr(kept, "__hash__", object.__hash__)

    def cost(count: int) -> tuple[float, float]:
        """Instructions and comparisons that each of so many takes to be started and stopped."""
        nonlocal compared
        compared = 0
        with Opcodes() as opcodes:
            ref = DynamicSupervisor.start(scheduler=manual)
            for number in range(count):
                ref.tell(StartChild(ChildSpec(number, Kid.start)))
            counted: list[Any] = []
            ref.tell(CountChildren(counted.append))
            manual.run_until_idle()
            lifecycle_of(ref).ask_shutdown(Shutdown())  # type: ignore[union-attr]
            manual.run_until_idle()
        assert counted[0].active == count
        assert not ref.is_alive()
        return opcodes.total / count, compared / count

    cost(10)  # what is made or loaded once is there
    instructions, comparisons = cost(300)
    of_many = cost(3000)
    assert 100 < of_many[0] < 1.02 * instructions
    assert of_many[1] < comparisons + 0.1


@pytest.mark.fault(26)
def test_ten_thousand_children_start_and_stop(scheduler: Scheduler) -> None:
    ref = DynamicSupervisor.start(scheduler=scheduler)
    for number in range(10_000):
        ref.tell(StartChild(ChildSpec(number, Kid.start)))
    assert supervisors.count_children(ref, 30).active == 10_000
    assert supervisors.stop(ref, timeout=30)
