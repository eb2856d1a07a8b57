"""Names of child specs: they lead to whichever actor runs as that child, and to nothing in between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from support.interrupts import Bytecodes, Interrupt, forget_handled

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
    AlreadyRegistered,
    Backoff,
    ChildSpec,
    DaemonActor,
    DynamicSupervisor,
    LightActor,
    Normal,
    NotRegistered,
    Registry,
    Scheduler,
    StartChild,
    StartFailed,
    Supervisor,
    TerminateChild,
)
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.errors import SpecError
from supervisors.testing import ManualScheduler

KINDS = pytest.mark.parametrize("kind", [DynamicSupervisor, Supervisor])


class Kid(LightActor):
    def __init__(self, plan: list[Any] | None = None) -> None:
        super().__init__()
        self.plan = plan

    def on_start(self) -> Any:
        outcome = self.plan.pop(0) if self.plan else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def on_receive(self, message: Any) -> None:
        if isinstance(message, BaseException):
            raise message
        message(self)


class OnItsOwn(LightActor):
    """Registers itself, as it starts."""

    def on_start(self) -> None:
        self.scheduler.registry.register("name", self.actor_ref)


Ask = Callable[..., Any]


@pytest.fixture
def ask(manual: ManualScheduler) -> Ask:
    def ask(ref: Any, make: Any, *args: Any) -> Any:
        got: list[Any] = []
        ref.tell(make(*args, got.append))
        manual.run_until_idle()
        return got[0]

    return ask


def named(plan: list[Any] | None = None, child_id: str = "kid", **options: Any) -> ChildSpec:
    return ChildSpec(child_id, lambda: Kid.start(plan), register="name", **options)


@KINDS
def test_a_name_leads_to_the_child_before_and_after_a_restart(manual: ManualScheduler, ask: Ask, kind: Any) -> None:
    ref = kind.start(scheduler=manual)
    first = ask(ref, StartChild, named())
    assert manual.registry.whereis("name") is first
    first.tell(ValueError("crash"))
    manual.run_until_idle()
    second = manual.registry.lookup("name")
    assert second is not first
    assert second.is_alive()
    assert manual.registry.names() == ["name"]


@KINDS
def test_while_the_child_restarts_the_error_names_it(manual: ManualScheduler, ask: Ask, kind: Any) -> None:
    ref = kind.start(name="sup", restart_backoff=Backoff(base=1.0), scheduler=manual)
    first = ask(ref, StartChild, named([None, ValueError("not yet"), DEFERRED]))
    other = Kid.start(scheduler=manual)
    first.tell(ValueError("crash"))
    manual.run_until_idle()
    registry = manual.registry
    assert registry.whereis("name") is None
    assert registry.names() == []
    with pytest.raises(NotRegistered, match="belongs to child 'kid' of sup, which does not run now"):
        registry.lookup("name")
    with pytest.raises(AlreadyRegistered, match="belongs to child 'kid' of sup"):
        registry.register("name", other)
    with pytest.raises(SpecError, match="child 'kid' of sup"):
        registry.unregister("name")
    manual.advance(1.0)
    assert registry.whereis("name") is None  # it is starting, and has not started
    (info,) = ask(ref, supervisors.WhichChildren)
    info.ref.tell(lambda actor: actor.started())
    manual.run_until_idle()
    assert registry.lookup("name") is info.ref


@KINDS
def test_two_children_of_one_name_are_told_apart(manual: ManualScheduler, ask: Ask, kind: Any) -> None:
    ref, other = kind.start(name="sup", scheduler=manual), DynamicSupervisor.start(name="other", scheduler=manual)
    first = ask(ref, StartChild, named(child_id="first"))
    for again in (ref, other):
        answer = ask(again, StartChild, named(child_id="second"))
        assert isinstance(answer, StartFailed)
        assert isinstance(answer.cause, AlreadyRegistered)
        assert answer.cause.ref is first
        assert "child 'first' of sup" in str(answer)
        assert f"child 'second' of {'sup' if again is ref else 'other'}" in str(answer)
    assert first.is_alive()
    assert ask(other, supervisors.CountChildren).specs == 0
    assert manual.registry.lookup("name") is first


def test_two_specs_of_one_name_are_refused_where_they_are_made(manual: ManualScheduler) -> None:
    with pytest.raises(SpecError, match="children 'a' and 'b' both register the name 'name'"):
        Supervisor.start([named(child_id="a"), named(child_id="b")], scheduler=manual)


def test_the_name_of_a_live_actor_is_not_taken(manual: ManualScheduler, ask: Ask) -> None:
    other, ref = Kid.start(scheduler=manual), DynamicSupervisor.start(scheduler=manual)
    manual.registry.register("name", other)
    answer = ask(ref, StartChild, named())
    assert isinstance(answer.cause, AlreadyRegistered)
    assert manual.registry.lookup("name") is other
    other.tell(lambda actor: actor.exit(Normal()))
    manual.run_until_idle()
    child = ask(ref, StartChild, named())
    assert manual.registry.lookup("name") is child


@KINDS
def test_a_name_is_free_once_the_child_is_gone(manual: ManualScheduler, ask: Ask, kind: Any) -> None:
    ref = kind.start(scheduler=manual)

    def free() -> bool:
        try:
            manual.registry.claim("name", "a test").release()
        except AlreadyRegistered:
            return False
        return True

    first = ask(ref, StartChild, named(restart="temporary"))
    assert not free()
    first.tell(ValueError("crash"))
    manual.run_until_idle()
    assert free()
    for plan in ([ValueError("does not start")], [IGNORE]):
        ask(ref, StartChild, named(list(plan), restart="temporary"))
        assert free()
    first = ask(ref, StartChild, named(restart="transient"))
    ask(ref, TerminateChild, first if kind is DynamicSupervisor else "kid")
    assert free() is (kind is DynamicSupervisor)  # a static one keeps the spec, and the spec its name
    if kind is Supervisor:
        assert manual.registry.whereis("name") is None
        assert ask(ref, supervisors.RestartChild, "kid") is manual.registry.lookup("name")
        ask(ref, TerminateChild, "kid")
        ask(ref, supervisors.DeleteChild, "kid")
        assert free()


@KINDS
@pytest.mark.parametrize("end", ["shutdown", "kill", "crash"])
def test_a_supervisors_end_frees_the_names(manual: ManualScheduler, ask: Ask, kind: Any, end: str) -> None:
    ref = kind.start(scheduler=manual)
    ask(ref, StartChild, named())
    lifecycle = lifecycle_of(ref)
    assert lifecycle is not None
    if end == "shutdown":
        lifecycle.ask_shutdown(supervisors.Shutdown())
    elif end == "kill":
        lifecycle.kill()
    else:
        manual.post(ref._actor.exit, supervisors.Crashed(ValueError("bug")))
    manual.run_until_idle()
    manual.registry.claim("name", "a test").release()


def test_a_restarted_supervisor_gets_its_childrens_names_back(manual: ManualScheduler) -> None:
    inner = ChildSpec("inner", lambda: Supervisor.start([named()], max_restarts=0), type="supervisor")
    ref = Supervisor.start([inner], scheduler=manual)
    manual.run_until_idle()
    first = manual.registry.lookup("name")
    first.tell(ValueError("crash"))
    manual.run_until_idle()
    assert ref.is_alive()
    assert manual.registry.lookup("name") is not first


def test_siblings_that_wait_for_one_keep_their_names(manual: ManualScheduler, ask: Ask) -> None:
    plan: list[Any] = [None, ValueError("not yet")]
    specs = [named(), ChildSpec("loops", lambda: Kid.start(plan))]
    ref = Supervisor.start(specs, "one_for_all", restart_backoff=Backoff(base=1.0), name="sup", scheduler=manual)
    manual.run_until_idle()
    ask(ref, supervisors.WhichChildren)[1].ref.tell(ValueError("crash"))
    manual.run_until_idle()
    with pytest.raises(NotRegistered, match="child 'kid' of sup"):
        manual.registry.lookup("name")
    manual.advance(1.0)
    assert manual.registry.lookup("name").is_alive()


def test_an_actor_cannot_register_the_name_of_its_own_spec(manual: ManualScheduler, ask: Ask) -> None:
    """One of the two does it: the spec, so that it survives restarts, or the actor, which does it at each start."""
    ref = DynamicSupervisor.start(scheduler=manual)
    answer = ask(ref, StartChild, ChildSpec("kid", OnItsOwn.start, register="name"))
    assert isinstance(answer, StartFailed)
    assert "belongs to child 'kid'" in str(answer)
    ref2 = ask(ref, StartChild, ChildSpec("kid", OnItsOwn.start))
    assert manual.registry.lookup("name") is ref2
    ref2.tell(None)
    manual.run_until_idle()
    manual.post(ref2._actor.exit, supervisors.Crashed(ValueError("crash")))
    manual.run_until_idle()
    assert manual.registry.lookup("name") is not ref2


def test_the_name_it_has_already_is_no_error(manual: ManualScheduler, ask: Ask) -> None:
    first = ask(DynamicSupervisor.start(scheduler=manual), StartChild, named())
    manual.registry.register("name", first)
    manual.registry.register("another", first)
    assert manual.registry.names() == ["another", "name"]


def test_an_unknown_name_is_an_error_of_lookup() -> None:
    assert Registry().whereis("typo") is None
    with pytest.raises(NotRegistered, match="no actor has the name 'typo'"):
        Registry().lookup("typo")
    with pytest.raises(LookupError):
        Registry().lookup("typo")


@pytest.mark.parametrize("name", [[], {}, ["x"]])
def test_a_name_must_be_hashable(name: Any) -> None:
    with pytest.raises(TypeError, match="register must be hashable"):
        ChildSpec("x", Kid.start, register=name)


class Thread(DaemonActor):
    def on_receive(self, message: Any) -> None:
        raise message


@KINDS
def test_names_of_actors_with_threads_survive_too(
    scheduler: Scheduler, kind: Any, eventually: Callable[..., None]
) -> None:
    ref = kind.start(scheduler=scheduler)
    first = supervisors.start_child(ref, ChildSpec("x", Thread.start, register="x"), 10)
    assert first is not None
    assert scheduler.registry.lookup("x") is first
    first.tell(ValueError("crash"))
    eventually(lambda: scheduler.registry.whereis("x") not in (None, first))
    assert supervisors.stop(ref, timeout=10)
    assert scheduler.registry.names() == []


# -- interrupts ----------------------------------------------------------------------------------------------------


def register_dying(registry: Registry, dead: Any) -> None:
    """As if it died between the look and the monitor, which reports its end at once."""
    answers = [True]
    dead.is_alive = lambda: bool(answers) and answers.pop()
    registry.register("dying", dead)


def operations(ref: Any, dead: Any) -> dict[str, Callable[[Registry], object]]:
    return {
        "register": lambda registry: registry.register("new", ref),
        "register another": lambda registry: registry.register("old", ref),
        "register dying": lambda registry: register_dying(registry, dead),
        "unregister": lambda registry: registry.unregister("old"),
        "names": lambda registry: registry.names(),
        "claim": lambda registry: registry.claim("new", "a child"),
        "claim and release": lambda registry: registry.claim("new", "a child").release(),
    }


@pytest.mark.parametrize("name", operations(None, None))
def test_an_interrupt_leaves_the_registry_free(name: str) -> None:
    ref, other, dead = DaemonActor.start(), DaemonActor.start(), DaemonActor.start()
    assert supervisors.stop(dead)
    operation = operations(ref, dead)[name]
    at, interrupted = 0, True
    while interrupted:
        registry = Registry()
        registry.register("old", other)
        codes = Bytecodes(at)
        with contextlib.suppress(Interrupt, AlreadyRegistered), codes:
            operation(registry)
        forget_handled()
        interrupted, codes.raised = codes.raised is not None, None
        assert not registry._lock._is_owned(), codes.where  # type: ignore[attr-defined]
        at += 1
    assert at > 20
    for each in (ref, other):
        assert supervisors.stop(each)
