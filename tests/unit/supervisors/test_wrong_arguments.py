"""What is given in the wrong place is refused where it is given, in words that name the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from supervisors import (
    ChildSpec,
    DaemonActor,
    DynamicSupervisor,
    LightActor,
    PartitionSupervisor,
    Scheduler,
    Supervisor,
    SupervisorError,
    Tasks,
    TaskSupervisor,
    call,
    kill,
    wait_started,
    which_children,
    with_deferred_init,
)


class Light(LightActor):
    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else message


class Daemon(DaemonActor):
    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else message


class LightWithoutInit(LightActor):
    def __init__(self) -> None:
        pass


class DaemonWithoutInit(DaemonActor):
    def __init__(self) -> None:
        pass


SPEC = ChildSpec("one", Light.start)

BACKOFFS: dict[str, Callable[[Scheduler], object]] = {
    "Supervisor": lambda scheduler: Supervisor.start([], restart_backoff=1.5, scheduler=scheduler),
    "DynamicSupervisor": lambda scheduler: DynamicSupervisor.start(restart_backoff=1.5, scheduler=scheduler),
    "PartitionSupervisor": lambda scheduler: PartitionSupervisor.start(
        SPEC, 1, restart_backoff=1.5, scheduler=scheduler
    ),
}


@pytest.mark.parametrize("start", BACKOFFS.values(), ids=BACKOFFS)
def test_a_back_off_is_no_number_of_seconds(scheduler: Scheduler, start: Callable[[Scheduler], object]) -> None:
    with pytest.raises(TypeError, match=r"restart_backoff must be .* Backoff\(base=1.5\)"):
        start(scheduler)


@pytest.mark.parametrize("given", [True, "slow"])
def test_another_back_off_is_refused_without_that_remedy(scheduler: Scheduler, given: object) -> None:
    with pytest.raises(TypeError, match=r"must be a Backoff or None, not \S+$"):
        Supervisor.start([], restart_backoff=given, scheduler=scheduler)


def test_one_spec_is_no_list_of_children(scheduler: Scheduler) -> None:
    with pytest.raises(TypeError, match=r"\[ChildSpec\(...\)\], not"):
        Supervisor.start(SPEC, scheduler=scheduler)


@pytest.mark.parametrize("cls", [Light, Daemon])
def test_a_spec_takes_the_start_of_a_class_not_the_class(cls: Any) -> None:
    with pytest.raises(TypeError, match=f"{cls.__name__}.start, not the class"):
        ChildSpec("one", cls)


def test_a_call_goes_to_a_reference() -> None:
    with pytest.raises(TypeError, match="takes an actor's reference or a Via, not 'a'"):
        call("a", 1)  # type: ignore[arg-type]


def test_a_call_takes_a_handle_by_name(scheduler: Scheduler) -> None:
    via = scheduler.registry.via("light")
    supervisor = Supervisor.start([ChildSpec("one", Light.start, register="light")], scheduler=scheduler)
    wait_started(supervisor, timeout=5.0)
    assert call(via, 3) == 3
    assert via.ask(4, block=False).get(timeout=5.0) == 4


@pytest.mark.parametrize("request_of", [kill, which_children])
def test_a_handle_by_name_is_refused_with_its_remedy(scheduler: Scheduler, request_of: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match=r"not Via\('a'\); its ref\(\) is that of the actor"):
        request_of(scheduler.registry.via("a"))


@pytest.mark.parametrize("cls", [Light, Daemon])
def test_a_delay_that_no_float_holds_is_named(scheduler: Scheduler, cls: Any) -> None:
    ref = cls.start(scheduler=scheduler) if cls is Light else cls.start()
    try:
        with pytest.raises(ValueError, match="delay must be seconds that fit in a float, not 1000"):
            call(ref, lambda actor: actor.call_later(10**400, print))
    finally:
        kill(ref)


@pytest.mark.parametrize(
    ("delay", "fn", "text"),
    [("x", print, "delay must be seconds, not 'x'"), (0.1, 5, "a timer calls a function, not 5")],
)
@pytest.mark.parametrize("cls", [Light, Daemon])
def test_a_wrong_timer_is_refused_where_it_is_set(
    scheduler: Scheduler, cls: Any, delay: object, fn: object, text: str
) -> None:
    ref = cls.start(scheduler=scheduler) if cls is Light else cls.start()
    try:
        with pytest.raises(TypeError, match=text):
            call(ref, lambda actor: actor.call_later(delay, fn))
    finally:
        kill(ref)


def test_a_task_runs_a_function(scheduler: Scheduler) -> None:
    tasks = Tasks(TaskSupervisor.start(scheduler=scheduler))
    with pytest.raises(TypeError, match="a task runs a function, not 5"):
        tasks.async_(5)  # type: ignore[arg-type]


def test_a_reply_fails_with_an_exception(scheduler: Scheduler) -> None:
    def fail(actor: Any) -> None:
        actor.reply_later().fail("no")

    with pytest.raises(TypeError, match="takes an exception, not 'no'"):
        call(Light.start(scheduler=scheduler), fail)


def test_an_init_is_deferred_of_actors_with_a_thread() -> None:
    with pytest.raises(TypeError, match="with_deferred_init takes an actor with a thread of its own"):
        with_deferred_init(Light)  # type: ignore[type-var]


@pytest.mark.parametrize("cls", [LightWithoutInit, DaemonWithoutInit])
def test_a_forgotten_init_of_the_base_is_named(scheduler: Scheduler, cls: Any) -> None:
    options = {"scheduler": scheduler} if issubclass(cls, LightActor) else {}
    with pytest.raises(SupervisorError, match=rf"{cls.__name__}.__init__ must call super\(\).__init__\(\)"):
        cls.start(**options)
