"""What callers of an actor with a thread hear when it is killed, and exceptions that answer a question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    ChildSpec,
    Crashed,
    DaemonActor,
    Down,
    DynamicSupervisor,
    Killed,
    LightActor,
    Normal,
    Scheduler,
    Supervisor,
    monitor,
    supervise_threading,
)
from supervisors.actors.lifecycle import lifecycle_of

STEPS = 200


class Gate:
    """What the code of an actor is stuck in."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        assert self.opened.wait(30)
        return "at last"


class Stuck(DaemonActor):
    def on_receive(self, message: Any) -> Any:
        return message()

    def called(self, gate: Gate) -> Any:
        return gate()


class PlainStuck(pykka.ThreadingActor):
    on_receive = Stuck.on_receive
    called = Stuck.called


class StuckInStart(DaemonActor):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def on_start(self) -> None:
        self.gate()


class StuckAtTheEnd(DaemonActor):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def on_exit(self, reason: Any) -> None:
        self.gate()


KINDS = pytest.mark.parametrize("cls", [Stuck, supervise_threading(PlainStuck)])


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


def kill(ref: Any) -> None:
    lifecycle = lifecycle_of(ref)
    assert lifecycle is not None
    lifecycle.kill()


def gone(ref: Any) -> None:
    assert lifecycle_of(ref).ended.wait(30)  # type: ignore[union-attr]


def dead(future: Any) -> bool:
    """The future is set now, without its actor's doing."""
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=0)
    return True


@KINDS
def test_the_question_at_hand_is_answered_by_the_kill(cls: Any, gate: Gate) -> None:
    ref = cls.start()
    asked = ref.ask(gate, block=False)
    assert gate.entered.wait(10)
    waiting = ref.ask(lambda: "never", block=False)
    stopping = ref.stop(block=False)
    kill(ref)
    assert dead(asked)
    assert dead(waiting)
    assert stopping.get(timeout=0) is not None
    assert dead(ref.ask(lambda: "late", block=False))
    gate.opened.set()
    gone(ref)
    assert dead(asked)  # the answer that came after all is dropped


@KINDS
def test_the_proxys_call_at_hand_is_answered_by_the_kill(cls: Any, gate: Gate) -> None:
    ref = cls.start()
    called = ref.proxy().called(gate)
    assert gate.entered.wait(10)
    kill(ref)
    assert dead(called)
    gate.opened.set()
    gone(ref)


def test_a_supervisors_kill_answers_it_too(scheduler: Scheduler, gate: Gate) -> None:
    sup = Supervisor.start([ChildSpec("stuck", Stuck.start, shutdown="brutal_kill")], scheduler=scheduler)
    supervisors.wait_started(sup, 10)
    ref = supervisors.which_children(sup)[0].ref
    assert ref is not None
    asked = ref.ask(gate, block=False)
    assert gate.entered.wait(10)
    supervisors.terminate_child(sup, "stuck", 10)
    assert dead(asked)
    gate.opened.set()
    gone(ref)


@pytest.mark.parametrize("cls", [StuckInStart, StuckAtTheEnd])
def test_questions_to_one_that_is_stuck_elsewhere_are_answered(cls: Any, gate: Gate) -> None:
    ref = cls.start(gate)
    if cls is StuckAtTheEnd:
        ref.tell(None)
        ref.stop(block=False)
    assert gate.entered.wait(10)
    asked = ref.ask("question", block=False)
    kill(ref)
    assert dead(asked)
    gate.opened.set()
    gone(ref)


def test_a_kill_wakes_a_thread_that_waits_while_others_ask() -> None:
    """A sender that finds the inbox closed empties it; the wake-up in it is for the actor's thread."""
    for _ in range(50):
        ref = Stuck.start()
        assert ref.ask(lambda: 5) == 5
        futures: list[Any] = []
        go = threading.Barrier(3)

        def ask(ref: Any = ref, futures: list[Any] = futures, go: threading.Barrier = go) -> None:
            go.wait()
            futures.extend(ref.ask(lambda: 5, block=False) for _ in range(20))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        go.wait()
        kill(ref)
        for thread in threads:
            thread.join()
        gone(ref)
        for future in futures:
            try:
                assert future.get(timeout=10) == 5
            except pykka.ActorDeadError:
                pass


def test_the_answer_and_the_kill_race_for_the_future() -> None:
    for _ in range(STEPS):
        ref = Stuck.start()
        asked = ref.ask(lambda: 5, block=False)
        kill(ref)
        try:
            assert asked.get(timeout=10) == 5
        except pykka.ActorDeadError:
            pass
        gone(ref)


class Light(LightActor):
    on_receive = Stuck.on_receive


class LightStrict(Light):
    ask_failure_crashes = True


class Strict(Stuck):
    ask_failure_crashes = True


class PlainStrict(PlainStuck):
    ask_failure_crashes = True


def fail() -> None:
    raise ValueError("bad")


def leave() -> None:
    raise SystemExit(3)


def watched(ref: Any) -> Callable[[], Any]:
    ended = threading.Event()
    reasons: list[Any] = []

    def down(down: Down) -> None:
        reasons.append(down.reason)
        ended.set()

    monitor(ref, down)

    def wait() -> Any:
        assert ended.wait(10)
        return reasons[0]

    return wait


def start(cls: Any, scheduler: Scheduler) -> Any:
    return cls.start(scheduler=scheduler) if issubclass(cls, LightActor) else cls.start()


@pytest.mark.parametrize("cls", [Light, Stuck, supervise_threading(PlainStuck)])
def test_an_exception_in_ask_is_the_callers_alone(cls: Any, scheduler: Scheduler) -> None:
    ref = start(cls, scheduler)
    with pytest.raises(ValueError, match="bad"):
        ref.ask(fail, timeout=10)
    assert ref.ask(lambda: 5, timeout=10) == 5
    reason = watched(ref)
    with pytest.raises(SystemExit):
        ref.ask(leave, timeout=10)
    assert isinstance(reason().exception, SystemExit)


@pytest.mark.parametrize("cls", [LightStrict, Strict, supervise_threading(PlainStrict)])
def test_with_ask_failure_crashes_it_is_the_actors_as_well(cls: Any, scheduler: Scheduler) -> None:
    ref = start(cls, scheduler)
    reason = watched(ref)
    with pytest.raises(ValueError, match="bad"):
        ref.ask(fail, timeout=10)
    assert isinstance(reason().exception, ValueError)


def test_such_a_crash_is_restarted(scheduler: Scheduler) -> None:
    sup = DynamicSupervisor.start(scheduler=scheduler)
    ref = supervisors.start_child(sup, ChildSpec("x", LightStrict.start))
    assert ref is not None
    ended = watched(ref)
    with pytest.raises(ValueError, match="bad"):
        ref.ask(fail, timeout=10)
    ended()
    (info,) = supervisors.which_children(sup)
    assert info.ref is not ref
    assert info.ref is not None
    assert info.ref.ask(lambda: 5, timeout=10) == 5


# -- what is no exit reason


class LightLeaving(LightActor):
    def on_receive(self, message: Any) -> None:
        self.exit(*message)


class Leaving(DaemonActor):
    def on_receive(self, message: Any) -> None:
        self.exit(*message)


@pytest.mark.parametrize("reason", [5, 5.0, "done", None, ValueError("bad"), Normal, Killed])
def test_only_exit_reasons_end_an_actor(scheduler: Scheduler, reason: Any) -> None:
    if reason is not None:
        ref = Stuck.start()
        with pytest.raises(TypeError, match="exit reason"):
            supervisors.stop(ref, reason)
        assert ref.is_alive()
        ref.stop()
    for cls in (LightLeaving, Leaving):
        ref = start(cls, scheduler)
        ended = watched(ref)
        ref.tell((reason,))
        crash = ended()
        assert isinstance(crash, Crashed)
        assert isinstance(crash.exception, TypeError)


def test_the_limit_given_for_a_reason_is_named() -> None:
    ref = Stuck.start()
    with pytest.raises(TypeError, match="keyword argument timeout"):
        supervisors.stop(ref, 5)  # type: ignore[arg-type]
    assert supervisors.stop(ref, timeout=5)


@pytest.mark.parametrize("exception", ["text", None, ValueError])
def test_crashed_takes_an_exception_and_nothing_else(exception: Any) -> None:
    with pytest.raises(TypeError, match="exception instance"):
        Crashed(exception)


@pytest.mark.parametrize("timeout", ["5", -1, float("nan"), 1e300, True])
def test_a_wrong_timeout_is_refused_before_anything_is_done(scheduler: Scheduler, timeout: Any) -> None:
    sup = Supervisor.start([ChildSpec("x", Light.start)], scheduler=scheduler)
    supervisors.wait_started(sup, 10)
    calls: list[Callable[[], Any]] = [
        lambda: supervisors.terminate_child(sup, "x", timeout),
        lambda: supervisors.stop(sup, timeout=timeout),
        lambda: supervisors.wait_started(sup, timeout),
        lambda: supervisors.which_children(sup, timeout),
        lambda: supervisors.tree(sup, timeout),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError), match="timeout must be"):
            call()
    assert supervisors.count_children(sup).active == 1


@pytest.mark.parametrize("ref", [None, "typo", 5, Supervisor, object()])
def test_what_is_no_reference_is_named(ref: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: supervisors.which_children(ref),
        lambda: supervisors.start_child(ref, ChildSpec("x", Light.start)),
        lambda: supervisors.stop(ref),
        lambda: supervisors.wait_started(ref),
        lambda: supervisors.tree(ref),
        lambda: monitor(ref, print),
        lambda: supervisors.Registry().register("x", ref),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="reference"):
            call()


def test_a_request_to_a_worker_is_not_sent(scheduler: Scheduler) -> None:
    ref = Light.start(scheduler=scheduler)
    for call in (supervisors.which_children, supervisors.count_children):
        with pytest.raises(TypeError, match="no supervisor"):
            call(ref)
    with pytest.raises(TypeError, match="no supervisor"):
        supervisors.start_child(ref, ChildSpec("x", Light.start))
    assert ref.ask(lambda: 5, timeout=10) == 5


def test_a_watcher_is_an_actor_and_not_its_reference(scheduler: Scheduler) -> None:
    ref = Light.start(scheduler=scheduler)
    for watcher in (ref, None, "x"):
        with pytest.raises(TypeError, match="watcher"):
            monitor(ref, watcher)  # type: ignore[arg-type]


# -- actors that were never made


class Stillborn(LightActor):
    def __init__(self, out: list[Any]) -> None:
        super().__init__()
        out.append(self.actor_ref)
        monitor(self.actor_ref, out.append)
        out.append(self.call_later(0.0, out.append, "rang") if self.scheduler.on_thread() else None)
        raise ValueError("not made")

    def on_receive(self, message: Any) -> None:
        raise AssertionError("received by an actor that was never made")


def test_an_actor_whose_init_raises_is_dead_for_its_monitors(scheduler: Scheduler) -> None:
    out: list[Any] = []
    with pytest.raises(ValueError, match="not made"):
        Stillborn.start(out, scheduler=scheduler)
    ref, ended = out[0], watched(out[0])
    assert not ref.is_alive()
    assert isinstance(ended().exception, ValueError)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("hello", timeout=10)


def test_it_leaves_no_timer_where_it_was_started(scheduler: Scheduler) -> None:
    out: list[Any] = []
    sup = DynamicSupervisor.start(scheduler=scheduler)
    with pytest.raises(supervisors.StartFailed):
        supervisors.start_child(sup, ChildSpec("x", lambda: Stillborn.start(out)), 10)
    watched(out[0])()
    assert supervisors.count_children(sup).specs == 0  # a turn later
    assert not out[1].pending
    assert "rang" not in out
