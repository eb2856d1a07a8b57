"""`kill`, `wait_ended`, the typed errors of waits, and the state that ChildInfo gives."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    Backoff,
    ChildSpec,
    Crashed,
    DaemonActor,
    Killed,
    LightActor,
    Normal,
    Scheduler,
    StartFailed,
    Supervisor,
    WaitTimeout,
    abandoned_threads,
    kill,
    supervise_threading,
    wait_ended,
    wait_started,
    which_children,
    with_deferred_init,
)
from supervisors.testing import ManualScheduler


class Light(LightActor):
    def on_receive(self, message: Any) -> None:
        raise message


class Threaded(DaemonActor):
    def on_receive(self, message: Any) -> Any:
        return message()


class Plain(pykka.ThreadingActor):
    on_receive = Threaded.on_receive


@pytest.mark.parametrize("kind", [Light, Threaded, supervise_threading(Plain)])
def test_a_killed_actor_of_any_kind_ends_with_killed(scheduler: Scheduler, kind: Any) -> None:
    ref = kind.start(scheduler=scheduler) if kind is Light else kind.start()
    assert wait_started(ref)
    kill(ref)
    assert wait_ended(ref, timeout=10) == Killed()
    kill(ref)  # without effect on a dead actor
    assert wait_ended(ref, timeout=0) == Killed()


@pytest.mark.parametrize("make", [supervise_threading, with_deferred_init])
@pytest.mark.parametrize("base", [DaemonActor, pykka.ThreadingActor])
def test_an_actor_killed_before_it_begins_runs_no_on_start(make: Any, base: Any) -> None:
    begin = threading.Event()
    calls: list[Any] = []

    class Hooks(supervise_threading(base)):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            calls.append("init")

        def _actor_loop(self) -> None:
            begin.wait(30)
            super()._actor_loop()

        def on_start(self) -> None:
            calls.append("on_start")

        def on_stop(self) -> None:
            calls.append("on_stop")

        def on_exit(self, reason: Any) -> None:
            calls.append(reason)

    ref = make(Hooks).start()
    kill(ref)
    try:
        assert wait_ended(ref, 10) == Killed()
        thread = ref._lifecycle.thread
        assert thread in abandoned_threads()
        with pytest.raises(StartFailed):
            wait_started(ref, 10)
    finally:
        begin.set()
    thread.join(30)
    assert thread not in abandoned_threads()
    made, exited = make is not with_deferred_init, base is DaemonActor
    assert calls == ["init"] * made + [Killed()] * (made and exited)


def test_a_kill_ends_an_actor_whose_code_does_not_return() -> None:
    opened, entered = threading.Event(), threading.Event()
    ref = Threaded.start()
    ref.tell(lambda: (entered.set(), opened.wait(30)))
    assert entered.wait(10)
    kill(ref)
    assert wait_ended(ref, timeout=0) == Killed()
    opened.set()


def test_the_children_of_a_killed_supervisor_are_killed(scheduler: Scheduler) -> None:
    children = [ChildSpec("light", Light.start), ChildSpec("threaded", Threaded.start)]
    ref = Supervisor.start(children, scheduler=scheduler)
    wait_started(ref)
    refs = [info.child for info in which_children(ref)]
    kill(ref)
    assert wait_ended(ref, timeout=10) == Killed()
    for child in refs:
        assert child is not None
        assert wait_ended(child, timeout=10) == Killed()


def test_kill_may_be_called_on_the_schedulers_thread(manual: ManualScheduler) -> None:
    ref = Light.start(scheduler=manual)
    with manual.active():
        kill(ref)
    manual.run_until_idle()
    assert not ref.is_alive()


def test_wait_ended_gives_the_reason_with_its_exception(scheduler: Scheduler) -> None:
    ref = Light.start(scheduler=scheduler)
    error = ValueError("bad")
    ref.tell(error)
    assert wait_ended(ref, timeout=10) == Crashed(error)


def test_wait_ended_raises_a_timeout_error_of_both_kinds(scheduler: Scheduler) -> None:
    ref = Light.start(scheduler=scheduler)
    with pytest.raises(WaitTimeout, match="has not ended within 0 seconds") as caught:
        wait_ended(ref, timeout=0)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, pykka.Timeout)
    assert ref.is_alive()


def test_wait_ended_returns_after_an_orderly_end(scheduler: Scheduler) -> None:
    ref = Light.start(scheduler=scheduler)
    ref.stop(block=False)
    assert wait_ended(ref, 10) == Normal()


@pytest.mark.parametrize("function", [kill, wait_ended])
def test_kill_and_wait_refuse_what_reports_no_end(function: Any) -> None:
    with pytest.raises(TypeError, match="only an actor's reference"):
        function("no reference")
    ref = Plain.start()
    try:
        with pytest.raises(TypeError, match="supervise_threading"):
            function(ref)
    finally:
        ref.stop()


def test_wait_ended_would_deadlock_on_a_scheduler(manual: ManualScheduler) -> None:
    ref = Light.start(scheduler=manual)
    with manual.active(), pytest.raises(supervisors.WouldDeadlock):
        wait_ended(ref)


def test_child_info_gives_each_childs_state(manual: ManualScheduler) -> None:
    answers: list[Any] = []

    def look() -> dict[Any, Any]:
        manual.run_until_idle()
        ref.tell(supervisors.WhichChildren(answers.append))
        manual.run_until_idle()
        return {info.id: (info.state, info.child is not None) for info in answers[-1]}

    class Deferred(LightActor):
        def on_start(self) -> Any:
            return supervisors.DEFERRED

    def ignoring() -> Any:
        return supervisors.IGNORE

    specs = [
        ChildSpec("ignored", ignoring),
        ChildSpec("crashes", Light.start),
        ChildSpec("runs", Light.start),
        ChildSpec("starting", Deferred.start),
    ]
    ref = Supervisor.start(specs, restart_backoff=Backoff(base=1.0), scheduler=manual)
    assert look() == {
        "ignored": ("stopped", False),
        "crashes": ("running", True),
        "runs": ("running", True),
        "starting": ("starting", True),
    }
    starting = next(info.child for info in answers[-1] if info.id == "starting")
    starting._actor.started()
    for _ in range(2):
        child = next(info.child for info in answers[-1] if info.id == "crashes")
        child.tell(ValueError("bad"))
        state = look()["crashes"]
    assert state == ("restarting", False)
