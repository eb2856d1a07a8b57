"""Children that end while their start is still being reported; and those that are in a restart loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
    Backoff,
    ChildSpec,
    Crashed,
    DaemonActor,
    DynamicSupervisor,
    LightActor,
    Normal,
    Scheduler,
    Shutdown,
    StartFailed,
    Supervisor,
    supervise_threading,
)
from supervisors.actors.lifecycle import Started, lifecycle_of
from supervisors.testing import ManualScheduler

KINDS = pytest.mark.parametrize("kind", [DynamicSupervisor, Supervisor])
RESTARTS = pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])


class Fails(DaemonActor):
    def on_start(self) -> Any:
        raise ValueError("does not start")


class FailsHard(DaemonActor):
    def on_start(self) -> Any:
        raise SystemExit(3)


class Idle(DaemonActor):
    def on_start(self) -> Any:
        return IGNORE


class PlainFails(pykka.ThreadingActor):
    def on_start(self) -> None:
        raise ValueError("does not start")


class Task(DaemonActor):
    """Does its work as it starts, and has ended when its supervisor hears of its start."""

    def on_start(self) -> Any:
        self.exit(Normal())


class Healthy(LightActor):
    pass


class Once:
    """A start function whose actor has ended before the supervisor hears of anything."""

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        ref = self.cls.start()
        lifecycle = lifecycle_of(ref)
        assert lifecycle is not None
        ended = getattr(lifecycle, "ended", None)
        if isinstance(ended, threading.Event):
            assert ended.wait(10)
        return ref


def family(scheduler: Scheduler, kind: Any) -> tuple[Any, Any]:
    ref = kind.start(scheduler=scheduler)
    return ref, supervisors.start_child(ref, ChildSpec("healthy", Healthy.start), 10)


@KINDS
@RESTARTS
@pytest.mark.parametrize("cls", [Fails, FailsHard, supervise_threading(PlainFails)])
def test_a_start_that_fails_at_once_is_the_callers_error(
    scheduler: Scheduler, kind: Any, restart: Any, cls: Any
) -> None:
    ref, healthy = family(scheduler, kind)
    start = Once(cls)
    with pytest.raises(StartFailed) as caught:
        supervisors.start_child(ref, ChildSpec("fails", start, restart=restart), 10)
    assert isinstance(caught.value.cause, (ValueError, SystemExit))
    assert start.count == 1
    assert healthy.is_alive()
    assert [info.id for info in supervisors.which_children(ref)] == ["healthy"]


@KINDS
@pytest.mark.parametrize("restart", ["transient", "temporary"])
def test_a_task_that_has_ended_is_answered_by_reference(scheduler: Scheduler, kind: Any, restart: Any) -> None:
    ref, healthy = family(scheduler, kind)
    start = Once(Task)
    task = supervisors.start_child(ref, ChildSpec("task", start, restart=restart), 10)
    assert task is not None
    assert task.actor_class is Task
    assert start.count == 1
    assert healthy.is_alive()
    supervisors.stop(ref)


@KINDS
def test_a_thousand_tasks_harm_nobody(scheduler: Scheduler, kind: Any) -> None:
    ref, healthy = family(scheduler, kind)
    for number in range(300):
        cls = (Task, Fails, Idle)[number % 3]
        try:
            supervisors.start_child(ref, ChildSpec(number, cls.start, restart="temporary"), 10)
        except StartFailed:
            assert cls is Fails
    assert healthy.is_alive()
    assert supervisors.stop(ref, timeout=10)


@KINDS
def test_a_threads_ignore_is_no_child(scheduler: Scheduler, kind: Any) -> None:
    ref, healthy = family(scheduler, kind)
    assert supervisors.start_child(ref, ChildSpec("idle", Once(Idle), restart="temporary"), 10) is None
    assert len(supervisors.which_children(ref)) == 1
    assert healthy.is_alive()


def test_a_permanent_child_that_ends_once_is_restarted(scheduler: Scheduler) -> None:
    started = threading.Event()
    starts: list[int] = []

    def start() -> Any:
        starts.append(1)
        if len(starts) == 1:
            return Once(Task)()
        started.set()
        return Healthy.start()

    ref, healthy = family(scheduler, DynamicSupervisor)
    assert supervisors.start_child(ref, ChildSpec("task", start), 10).actor_class is Task  # type: ignore[union-attr]
    assert started.wait(10)
    assert healthy.is_alive()
    assert supervisors.count_children(ref).active == 2


def test_a_restart_that_fails_at_once_counts_once(scheduler: Scheduler) -> None:
    """A failed start comes with an end of the same actor: that is one attempt, not two."""
    starts: list[int] = []
    third = threading.Event()

    def start() -> Any:
        starts.append(1)
        if len(starts) == 1:
            return Healthy.start()
        if len(starts) < 4:
            return Once(Fails)()
        third.set()
        return Healthy.start()

    ref, healthy = family(scheduler, DynamicSupervisor)
    child = supervisors.start_child(ref, ChildSpec("x", start), 10)
    assert child is not None
    scheduler.post(child._actor.exit, Crashed(ValueError("once")))  # type: ignore[attr-defined]
    assert third.wait(10)  # three restarts are what the budget allows
    assert healthy.is_alive()
    assert supervisors.count_children(ref).active == 2


class Kid(LightActor):
    def __init__(self, answers: list[Any] | None = None) -> None:
        super().__init__()
        self.answers = answers

    def on_start(self) -> Any:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message(self)


def looping(manual: ManualScheduler, answers: list[Any]) -> tuple[Any, Any, Callable[..., Any]]:
    """A dynamic supervisor whose only child crashed, the child's first reference, and what asks the supervisor."""
    ref = DynamicSupervisor.start(restart_backoff=Backoff(base=1.0), scheduler=manual)

    def ask(make: Any, *args: Any) -> Any:
        got: list[Any] = []
        ref.tell(make(*args, got.append))
        manual.run_until_idle()
        (answer,) = got
        return answer

    child = ask(supervisors.StartChild, ChildSpec("kid", lambda: Kid.start(answers)))
    child.tell(ValueError("crash"))
    manual.run_until_idle()
    return ref, child, ask


BAD = ValueError("does not start")


def test_the_last_reference_names_a_child_that_restarts(manual: ManualScheduler) -> None:
    ref, child, ask = looping(manual, [None, BAD, BAD])
    (info,) = ask(supervisors.WhichChildren)
    assert (info.child, info.state, info.ref) == (None, "restarting", child)
    manual.advance(1.0)  # another attempt that fails: the name is still that of the last one that ran
    assert ask(supervisors.WhichChildren)[0].ref is child
    assert ask(supervisors.TerminateChild, child) is None
    assert ask(supervisors.WhichChildren) == []
    manual.advance(100.0)
    assert manual.pending_timers == 0
    assert ref.is_alive()
    assert isinstance(ask(supervisors.TerminateChild, child), supervisors.ChildNotFound)


def test_the_last_reference_names_a_child_in_its_attempt(manual: ManualScheduler) -> None:
    _, child, ask = looping(manual, [None, BAD, DEFERRED])
    manual.advance(1.0)
    (info,) = ask(supervisors.WhichChildren)
    assert info.child is info.ref is not child
    assert ask(supervisors.TerminateChild, child) is None
    assert ask(supervisors.WhichChildren) == []
    assert not info.child.is_alive()


def test_a_child_is_named_by_the_start_that_failed_too(manual: ManualScheduler) -> None:
    ref, child, ask = looping(manual, [None, *[DEFERRED] * 50])
    manual.advance(1.0)
    for _ in range(40):  # attempts that are seen as they start, and fail after that
        (info,) = ask(supervisors.WhichChildren)
        assert info.state == "starting"
        info.ref.tell(lambda actor: actor.start_failed(BAD))
        manual.run_until_idle()
        assert ask(supervisors.WhichChildren)[0].ref is child
        assert set(ref._actor._by_last_ref) == {child, info.ref}
        ref._actor.intensity.clear()
        manual.advance(5.0)
    assert ask(supervisors.TerminateChild, info.ref) is None
    assert ask(supervisors.WhichChildren) == []
    assert ref._actor._by_last_ref == {}


def test_a_start_that_failed_is_no_name_once_another_runs(manual: ManualScheduler) -> None:
    ref, _, ask = looping(manual, [None, BAD, None])
    manual.advance(1.0)
    assert ask(supervisors.WhichChildren)[0].state == "running"
    assert ref._actor._by_last_ref == {}


def test_the_last_reference_is_no_name_once_another_runs(manual: ManualScheduler) -> None:
    _, child, ask = looping(manual, [None, None])
    (info,) = ask(supervisors.WhichChildren)
    assert info.child.is_alive()
    assert isinstance(ask(supervisors.TerminateChild, child), supervisors.ChildNotFound)
    assert info.child.is_alive()


def test_a_static_child_has_its_last_reference_as_well(manual: ManualScheduler) -> None:
    answers = [None, BAD]
    ref = Supervisor.start(
        [ChildSpec("kid", lambda: Kid.start(answers))], restart_backoff=Backoff(base=1.0), scheduler=manual
    )
    manual.run_until_idle()
    got: list[Any] = []
    ref.tell(supervisors.WhichChildren(got.append))
    manual.run_until_idle()
    child = got[0][0].ref
    assert child is got[0][0].child
    child.tell(ValueError("crash"))
    manual.run_until_idle()
    ref.tell(supervisors.WhichChildren(got.append))
    ref.tell(supervisors.TerminateChild("kid"))
    ref.tell(supervisors.WhichChildren(got.append))
    manual.run_until_idle()
    assert (got[1][0].child, got[1][0].state, got[1][0].ref) == (None, "restarting", child)
    assert (got[2][0].child, got[2][0].state, got[2][0].ref) == (None, "stopped", None)


class Stubborn(Kid):
    def on_shutdown(self, reason: Any) -> None:
        pass


def test_each_stubborn_child_is_killed_at_its_own_time(manual: ManualScheduler) -> None:
    ref = DynamicSupervisor.start(scheduler=manual)
    children: list[Any] = []
    for cls, shutdown in ((Stubborn, 0.1), (Kid, 8.0), (Stubborn, 3.0), (Stubborn, 3.0), (Stubborn, "brutal_kill")):
        ref.tell(supervisors.StartChild(ChildSpec("x", cls.start, shutdown=shutdown), children.append))  # type: ignore[arg-type]
    manual.run_until_idle()
    ended: list[Any] = []
    supervisors.monitor(ref, ended.append)
    lifecycle_of(ref).ask_shutdown(Shutdown())  # type: ignore[union-attr]
    manual.run_until_idle()
    assert [child.is_alive() for child in children] == [True, False, True, True, False]
    manual.advance(0.1)
    assert [child.is_alive() for child in children] == [False, False, True, True, False]
    manual.advance(2.8)
    assert children[2].is_alive()
    manual.advance(0.1)
    assert not any(child.is_alive() for child in children)
    assert ended[0].reason == Shutdown()
    assert manual.pending_timers == 0


def test_a_terminated_child_keeps_its_earlier_time(manual: ManualScheduler) -> None:
    ref = DynamicSupervisor.start(scheduler=manual)
    children: list[Any] = []
    for _ in range(2):
        ref.tell(supervisors.StartChild(ChildSpec("x", Stubborn.start, shutdown=2.0), children.append))
    manual.run_until_idle()
    ref.tell(supervisors.TerminateChild(children[0]))
    manual.advance(1.5)
    lifecycle_of(ref).ask_shutdown(Shutdown())  # type: ignore[union-attr]
    manual.advance(0.5)
    assert [child.is_alive() for child in children] == [False, True]
    manual.advance(1.5)
    assert not ref.is_alive()


def test_a_start_reported_before_its_end_is_a_start(manual: ManualScheduler) -> None:
    """By hand, in the order that a thread brings about: the Down is there before the outcome of the start."""
    ref = DynamicSupervisor.start(scheduler=manual)
    got: list[Any] = []

    def start() -> Any:
        kid = Kid.start(scheduler=manual)
        lifecycle = lifecycle_of(kid)
        assert lifecycle is not None
        lifecycle.start.set(Started())
        kid._actor.exit(Normal())  # type: ignore[union-attr]
        return kid

    ref.tell(supervisors.StartChild(ChildSpec("x", start, restart="temporary"), got.append))
    manual.run_until_idle()
    assert len(got) == 1
    assert isinstance(got[0], pykka.ActorRef)
    assert ref.is_alive()
