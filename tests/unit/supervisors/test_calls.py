"""Calls by name, with a default timeout, and answers that come later."""

from __future__ import annotations

import gc
import inspect
import threading
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    CallTimeout,
    ChildSpec,
    Crashed,
    DaemonActor,
    LightActor,
    NotRegistered,
    Registry,
    Reply,
    Scheduler,
    Supervisor,
    SupervisorError,
    Via,
    WouldDeadlock,
    call,
    kill,
    supervise_threading,
    wait_ended,
    wait_started,
)
from supervisors.testing import ManualScheduler


class Echo(LightActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return (message, self.actor_urn)


class Later(LightActor):
    """Keeps the replies of what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[Reply[Any]] = []

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.replies.append(self.reply_later())
        if isinstance(message, BaseException):
            raise message
        return "not the answer"

    def on_exit(self, reason: Any) -> None:
        if self.replies and reason == supervisors.Shutdown("answer"):
            self.replies[0].set("at the end")


class Silent(DaemonActor):
    """Answers when the gate opens."""

    def on_receive(self, message: Any) -> Any:
        return message()


class PlainSilent(pykka.ThreadingActor):
    on_receive = Silent.on_receive


# -- via -----------------------------------------------------------------------------------------------------------


def test_a_via_handle_survives_restarts(manual: ManualScheduler) -> None:
    handle = manual.registry.via("later")
    assert not handle.is_alive()
    Supervisor.start([ChildSpec("child", Later.start, register="later")], scheduler=manual)
    manual.run_until_idle()
    before = handle.ref()
    handle.tell(lambda actor: 1 / 0)
    manual.run_until_idle()
    assert handle.is_alive()
    assert handle.ref() is not before
    received: list[Any] = []
    handle.tell(lambda actor: received.append(actor.actor_ref))
    manual.run_until_idle()
    assert received == [handle.ref()]


def test_an_ask_by_name_reaches_the_actor_of_the_moment(scheduler: Scheduler) -> None:
    echo = scheduler.registry.via("echo")
    root = Supervisor.start([ChildSpec("child", Echo.start, register="echo")], scheduler=scheduler)
    assert wait_started(root)
    first = echo.ref()
    assert echo.ask(1) == (1, first.actor_urn)
    supervisors.terminate_child(root, "child")
    with pytest.raises(NotRegistered):
        echo.ask(2)
    second = supervisors.restart_child(root, "child")
    assert second is not None
    assert second.actor_urn != first.actor_urn
    assert echo.ask(3) == (3, second.actor_urn)


def test_a_tell_to_a_free_name_is_dropped(manual: ManualScheduler) -> None:
    echo = manual.registry.via("echo")
    echo.tell("lost")
    ref = Later.start(scheduler=manual)
    manual.registry.register("echo", ref)
    manual.run_until_idle()
    received: list[Any] = []
    echo.tell(lambda actor: received.append(actor.actor_ref))
    manual.run_until_idle()
    assert received == [ref]
    assert ref.is_alive()


def test_an_ask_of_a_free_name_raises_not_registered() -> None:
    via = Registry().via("nobody")
    with pytest.raises(NotRegistered, match="no actor has the name 'nobody'"):
        via.ask("anything")
    with pytest.raises(NotRegistered):
        via.ref()


def test_an_ask_names_the_child_that_does_not_run(manual: ManualScheduler) -> None:
    def ignore() -> Any:
        return supervisors.IGNORE

    Supervisor.start([ChildSpec("kid", ignore, register="echo")], name="root", scheduler=manual)
    manual.run_until_idle()
    with pytest.raises(NotRegistered, match="belongs to child 'kid' of root, which does not run now"):
        manual.registry.via("echo").ask("anything")


def test_via_handles_of_one_name_are_equal() -> None:
    registry = Registry()
    assert registry.via("a") == registry.via("a")
    assert len({registry.via("a"), registry.via("a"), registry.via("b"), Registry().via("a")}) == 3
    assert registry.via("a") != "a"
    assert repr(registry.via("a")) == "Via('a')"
    with pytest.raises(TypeError, match="unhashable"):
        registry.via(["a"])


def test_a_via_handle_is_a_ref(scheduler: Scheduler) -> None:
    def notify(receiver: supervisors.Ref[str]) -> bool:
        receiver.tell("hello")
        return receiver.is_alive()

    assert notify(Via(scheduler.registry, "echo")) is False


# -- call ----------------------------------------------------------------------------------------------------------


def test_a_call_waits_five_seconds_by_default() -> None:
    assert inspect.signature(call).parameters["timeout"].default == 5.0
    assert inspect.signature(Via.ask).parameters["timeout"].default == 5.0


@pytest.mark.parametrize("kind", [Silent, supervise_threading(PlainSilent), PlainSilent])
def test_a_call_without_an_answer_in_time_raises_call_timeout(kind: Any) -> None:
    gate = threading.Event()
    ref = kind.start()
    try:
        with pytest.raises(CallTimeout, match=r"has not answered within 0\.01 seconds") as caught:
            call(ref, gate.wait, timeout=0.01)
        assert isinstance(caught.value, pykka.Timeout)
        assert isinstance(caught.value, TimeoutError)
        gate.set()
        assert call(ref, lambda: "on") == "on"
    finally:
        gate.set()
        ref.stop()


def test_a_timeout_that_is_the_answer_comes_as_itself() -> None:
    ref = Silent.start()
    inner = pykka.Timeout("of another call")

    def fail() -> None:
        raise inner

    with pytest.raises(pykka.Timeout) as caught:
        call(ref, fail)
    assert caught.value is inner
    ref.stop()


def test_the_ask_of_pykka_raises_call_timeout_too(scheduler: Scheduler) -> None:
    ref = Later.start(scheduler=scheduler)
    with pytest.raises(CallTimeout, match=r"no answer within 0\.01 seconds"):
        ref.ask("question", timeout=0.01)


def test_a_call_of_a_dead_actor_raises_actor_dead_error(scheduler: Scheduler) -> None:
    ref = Echo.start(scheduler=scheduler)
    kill(ref)
    wait_ended(ref, 10)
    with pytest.raises(pykka.ActorDeadError):
        call(ref, "anything")


def test_a_call_on_a_schedulers_thread_sends_nothing(manual: ManualScheduler) -> None:
    ref = Later.start(scheduler=manual)
    manual.run_until_idle()
    with manual.active(), pytest.raises(WouldDeadlock):
        call(ref, "question")
    manual.run_until_idle()
    assert ref._actor is not None
    assert ref._actor.replies == []


# -- reply_later ---------------------------------------------------------------------------------------------------


class Asked:
    """A Later that has been asked once."""

    def __init__(self, manual: ManualScheduler, message: Any = "question") -> None:
        self.manual = manual
        self.ref = Later.start(scheduler=manual)
        self.future = self.ref.ask(message, block=False)
        manual.run_until_idle()
        actor = self.ref._actor
        assert actor is not None
        self.actor = actor
        (self.reply,) = actor.replies


def test_a_reply_answers_later(manual: ManualScheduler) -> None:
    asked = Asked(manual)
    with pytest.raises(CallTimeout):
        asked.future.get(timeout=0)
    assert asked.reply.set("late")
    assert asked.future.get(timeout=0) == "late"
    assert asked.actor._pending_replies == set()


def test_only_the_first_answer_counts(manual: ManualScheduler) -> None:
    asked = Asked(manual)
    assert asked.reply.set(1)
    assert not asked.reply.set(2)
    assert not asked.reply.fail(ValueError("late"))
    assert asked.future.get(timeout=0) == 1


def test_a_reply_may_be_an_exception(manual: ManualScheduler) -> None:
    asked = Asked(manual)
    assert asked.reply.fail(ValueError("bad"))
    with pytest.raises(ValueError, match="bad"):
        asked.future.get(timeout=0)


def test_a_reply_may_come_from_any_thread(scheduler: Scheduler) -> None:
    class FromAThread(LightActor):
        def on_receive(self, message: Any) -> None:
            reply = self.reply_later()
            threading.Thread(target=lambda: reply.set(message * 2)).start()

    assert call(FromAThread.start(scheduler=scheduler), 21, timeout=10) == 42


@pytest.mark.parametrize("end", ["exit", "kill", "crash"])
def test_an_end_before_the_reply_is_actor_dead_error(manual: ManualScheduler, end: str) -> None:
    asked = Asked(manual)
    if end == "exit":
        asked.actor.exit(supervisors.Normal())
    elif end == "kill":
        kill(asked.ref)
    else:
        asked.ref.tell(lambda actor: 1 / 0)
    manual.run_until_idle()
    with pytest.raises(pykka.ActorDeadError, match="stopped before it answered"):
        asked.future.get(timeout=0)
    assert not asked.reply.set("too late")


def test_on_exit_may_still_answer(manual: ManualScheduler) -> None:
    asked = Asked(manual)
    asked.actor.exit(supervisors.Shutdown("answer"))
    assert asked.future.get(timeout=0) == "at the end"


def test_a_handler_that_raises_has_answered(manual: ManualScheduler) -> None:
    asked = Asked(manual, ValueError("raised"))
    with pytest.raises(ValueError, match="raised"):
        asked.future.get(timeout=0)
    assert not asked.reply.set("late")
    assert asked.ref.is_alive()


def test_a_handler_may_answer_and_then_raise(manual: ManualScheduler) -> None:
    def answer_and_raise(actor: Any) -> None:
        actor.reply_later().set("answer")
        raise ValueError("after the answer")

    ref = Later.start(scheduler=manual)
    future = ref.ask(answer_and_raise, block=False)
    manual.run_until_idle()
    assert future.get(timeout=0) == "answer"
    assert ref.is_alive()


def test_reply_later_is_for_an_ask_and_once(manual: ManualScheduler) -> None:
    def twice(actor: Any) -> None:
        actor.reply_later()
        actor.reply_later()

    ref = Later.start(scheduler=manual)
    future = ref.ask(twice, block=False)
    manual.run_until_idle()
    with pytest.raises(SupervisorError, match="once for each"):
        future.get(timeout=0)
    reasons: list[Any] = []
    supervisors.monitor(ref, lambda down: reasons.append(down.reason))
    ref.tell("question")
    manual.run_until_idle()
    assert isinstance(reasons[0], Crashed)
    assert isinstance(reasons[0].exception, SupervisorError)


def test_reply_later_after_exit_is_actor_dead_error(manual: ManualScheduler) -> None:
    def late(actor: Any) -> None:
        actor.exit(supervisors.Normal())
        actor.reply_later()

    ref = Later.start(scheduler=manual)
    future = ref.ask(late, block=False)
    manual.run_until_idle()
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=0)


def test_a_proxied_method_may_reply_later(scheduler: Scheduler) -> None:
    class Proxied(LightActor):
        def double(self, number: int) -> Any:
            reply = self.reply_later()
            self.call_later(0, reply.set, number * 2)

    assert Proxied.start(scheduler=scheduler).proxy().double(4).get(timeout=10) == 8


class LaterInAThread(DaemonActor):
    """Calls what it gets with itself; keeps the reply to all else."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[Reply[Any]] = []

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.replies.append(self.reply_later())
        if isinstance(message, BaseException):
            raise message
        return "not the answer"

    def on_exit(self, reason: Any) -> None:
        if reason == supervisors.Shutdown("answer"):
            self.replies[0].set("at the end")


def asked_in_a_thread(message: Any = "question") -> tuple[Any, Any, Reply[Any]]:
    ref = LaterInAThread.start()
    future = ref.ask(message, block=False)
    reply = call(ref, lambda actor: actor.replies[0])
    return ref, future, reply


def test_a_daemon_actor_replies_later_from_any_thread() -> None:
    ref, future, reply = asked_in_a_thread()
    with pytest.raises(CallTimeout):
        future.get(timeout=0)
    assert reply.set("late")
    assert not reply.set("later")
    assert future.get(timeout=0) == "late"
    assert supervisors.stop(ref)


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
def test_a_daemon_actor_that_ends_leaves_no_caller_waiting(end: str) -> None:
    ref, future, reply = asked_in_a_thread()
    if end == "stop":
        ref.stop()
    elif end == "kill":
        kill(ref)
    else:
        ref.tell(lambda actor: 1 / 0)
    with pytest.raises(pykka.ActorDeadError, match="stopped before it answered"):
        future.get(timeout=10)
    assert not reply.set("too late")


def test_a_daemon_actor_may_answer_in_on_exit() -> None:
    ref, future, _ = asked_in_a_thread()
    assert supervisors.stop(ref, supervisors.Shutdown("answer"))
    assert future.get(timeout=0) == "at the end"


def test_a_handler_in_a_thread_that_raises_has_answered() -> None:
    ref, future, reply = asked_in_a_thread(ValueError("raised"))
    with pytest.raises(ValueError, match="raised"):
        future.get(timeout=10)
    assert not reply.set("late")
    assert supervisors.stop(ref)


def test_a_killed_handler_that_replies_later_answers_nothing() -> None:
    entered, gate = threading.Event(), threading.Event()
    replies: list[Reply[Any]] = []

    def block(actor: Any) -> None:
        entered.set()
        gate.wait(30)
        replies.append(actor.reply_later())

    ref = LaterInAThread.start()
    future = ref.ask(block, block=False)
    assert entered.wait(10)
    thread = ref._lifecycle.thread  # type: ignore[attr-defined]
    kill(ref)
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=10)
    gate.set()
    thread.join(10)
    assert not replies[0].set("too late")


def test_reply_later_is_for_an_ask_in_the_actors_own_thread() -> None:
    ref = LaterInAThread.start()
    with pytest.raises(SupervisorError, match="once for each"):
        call(ref, lambda actor: (actor.reply_later(), actor.reply_later()))
    actor = call(ref, lambda actor: actor)
    with pytest.raises(RuntimeError, match="own thread"):
        actor.reply_later()
    ref.tell("question")
    assert isinstance(wait_ended(ref, 10), Crashed)


# -- a Reply that the actor forgets ----------------------------------------------------------------------------------


DROPPED = "the actor has dropped its Reply"


def drop(actor: Any) -> None:
    actor.reply_later()


def drop_and_raise(actor: Any) -> None:
    actor.reply_later()
    raise ValueError("raised")


def drop_within_a_cycle(actor: Any) -> None:
    cycle: list[Any] = [actor.reply_later()]
    cycle.append(cycle)


def test_a_dropped_reply_is_an_error(manual: ManualScheduler) -> None:
    ref = Later.start(scheduler=manual)
    futures = [ref.ask(drop, block=False) for _ in range(100)]
    manual.run_until_idle()
    for future in futures:
        with pytest.raises(SupervisorError, match=DROPPED):
            future.get(timeout=0)
    assert ref._actor is not None
    assert ref._actor._pending_replies == set()


def test_a_reply_is_dropped_when_its_last_reference_is(manual: ManualScheduler) -> None:
    asked = Asked(manual)
    asked.actor.replies.clear()
    with pytest.raises(CallTimeout):
        asked.future.get(timeout=0)
    dropping = threading.Thread(target=lambda: vars(asked).pop("reply"))
    dropping.start()
    dropping.join(10)
    with pytest.raises(SupervisorError, match=DROPPED):
        asked.future.get(timeout=0)
    assert asked.actor._pending_replies == set()


def test_a_reply_dropped_in_a_cycle_is_an_error(manual: ManualScheduler) -> None:
    ref = Later.start(scheduler=manual)
    future = ref.ask(drop_within_a_cycle, block=False)
    manual.run_until_idle()
    gc.collect()
    with pytest.raises(SupervisorError, match=DROPPED):
        future.get(timeout=0)


def test_an_answered_reply_may_be_dropped(manual: ManualScheduler) -> None:
    asked = Asked(manual)
    assert asked.reply.set("late")
    asked.actor.replies.clear()
    del asked.reply
    assert asked.future.get(timeout=0) == "late"


@pytest.mark.parametrize("keep", [True, False])
def test_the_reply_of_a_handler_that_raises_is_forgotten(manual: ManualScheduler, keep: bool) -> None:
    ref = Later.start(scheduler=manual)
    future = ref.ask(ValueError("raised") if keep else drop_and_raise, block=False)
    manual.run_until_idle()
    actor = ref._actor
    assert actor is not None
    assert actor._pending_replies == set()
    with pytest.raises(ValueError, match="raised"):
        future.get(timeout=0)
    assert len(actor.replies) == keep


def test_a_reply_dropped_by_a_hook_is_actor_dead_error(manual: ManualScheduler) -> None:
    class Tidy(Later):
        def on_exit(self, reason: Any) -> None:
            self.replies.clear()

    ref = Tidy.start(scheduler=manual)
    future = ref.ask("question", block=False)
    manual.run_until_idle()
    kill(ref)
    manual.run_until_idle()
    with pytest.raises(pykka.ActorDeadError, match="stopped before it answered"):
        future.get(timeout=0)


def test_replies_that_a_daemon_actor_drops() -> None:
    ref = LaterInAThread.start()
    for _ in range(100):
        with pytest.raises(SupervisorError, match=DROPPED):
            ref.ask(drop, timeout=10)
        with pytest.raises(ValueError, match="raised"):
            ref.ask(drop_and_raise, timeout=10)
    assert call(ref, lambda actor: (actor.replies, actor._sup_inbox.replies)) == ([], set())
    with pytest.raises(ValueError, match="raised"):
        ref.ask(ValueError("raised"), timeout=10)
    assert call(ref, lambda actor: (len(actor.replies), actor._sup_inbox.replies)) == (1, set())
    assert supervisors.stop(ref)
