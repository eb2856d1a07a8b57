from __future__ import annotations

from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    AlreadyRegistered,
    ChildSpec,
    DynamicSupervisor,
    LightActor,
    Normal,
    Registry,
    Scheduler,
    StartChild,
    Supervisor,
    tree,
    wait_started,
)
from supervisors.supervision.snapshot import draw, snapshot
from supervisors.testing import ManualScheduler


class Kid(LightActor):
    def on_receive(self, message: Any) -> None:
        message(self)

    def statistics(self) -> object:
        return {"seen": 3}


class Broken(Kid):
    def statistics(self) -> object:
        raise ValueError("broken")


def leave(actor: Any) -> None:
    actor.exit(Normal())


def test_a_name_leads_to_its_actor_until_that_ends(manual: ManualScheduler) -> None:
    registry = Registry()
    first, second = Kid.start(scheduler=manual), Kid.start(scheduler=manual)
    registry.register("kid", first)
    registry.register("kid", first)
    registry.register("other name", first)
    assert registry.whereis("kid") is first
    assert registry.names() == ["kid", "other name"]
    with pytest.raises(AlreadyRegistered) as caught:
        registry.register("kid", second)
    assert caught.value.ref is first
    first.tell(leave)
    manual.run_until_idle()
    assert registry.whereis("kid") is None
    assert registry.names() == []
    registry.register("kid", second)
    assert registry.whereis("kid") is second
    assert registry.unregister("kid")
    assert not registry.unregister("kid")


def test_a_dead_actors_name_is_free_before_its_down_comes(manual: ManualScheduler) -> None:
    registry = Registry()
    first, second = Kid.start(scheduler=manual), Kid.start(scheduler=manual)
    registry.register("kid", first)
    manual.run_until_idle()
    assert first._actor is not None
    first._actor.exit(Normal())
    registry.register("kid", second)
    manual.run_until_idle()
    assert registry.whereis("kid") is second
    registry.register("late", first)
    assert registry.whereis("late") is None


def test_plain_actors_cannot_be_registered() -> None:
    ref = pykka.ThreadingActor.start()
    with pytest.raises(TypeError):
        Registry().register("plain", ref)
    ref.stop()


def test_a_drawing_has_states_restarts_ages_and_statistics(manual: ManualScheduler) -> None:
    specs = [
        ChildSpec("a", Kid.start),
        ChildSpec("pool", lambda: DynamicSupervisor.start(name="pool"), type="supervisor"),
        ChildSpec("b", Broken.start, restart="transient"),
    ]
    ref = Supervisor.start(specs, name="root", scheduler=manual)
    manual.run_until_idle()
    root: Any = ref._actor
    root._children["pool"].ref.tell(StartChild(ChildSpec(1, Kid.start)))
    root._children["a"].ref.tell(leave)
    root._children["b"].ref.tell(leave)
    manual.run_until_idle()
    manual.advance(1.5)
    assert str(snapshot(root)).splitlines() == [
        "root (Supervisor) running recent=1 of 3",
        "├─ a (Kid) running restarts=1 age=1.5s {'seen': 3}",
        "├─ pool (DynamicSupervisor) running age=1.5s",
        "│  └─ 1 (Kid) running age=1.5s {'seen': 3}",
        "└─ b (-) stopped",
    ]
    assert draw(snapshot(root).children[2]) == "b (-) stopped"


def test_statistics_that_raise_are_shown_as_such(manual: ManualScheduler) -> None:
    ref = Supervisor.start([ChildSpec("b", Broken.start)], scheduler=manual)
    manual.run_until_idle()
    assert ref._actor is not None
    assert snapshot(ref._actor).children[0].statistics == "statistics() raised ValueError"


def test_a_tree_is_taken_from_another_thread(scheduler: Scheduler) -> None:
    ref = Supervisor.start([ChildSpec("a", Kid.start)], scheduler=scheduler)
    wait_started(ref, 10)
    assert [node.id for node in tree(ref).children] == ["a"]
    supervisors.stop(ref)
    with pytest.raises(pykka.ActorDeadError):
        tree(ref)


def test_every_public_name_is_there_and_sorted() -> None:
    assert all(hasattr(supervisors, name) for name in supervisors.__all__)
    assert len(set(supervisors.__all__)) == len(supervisors.__all__)
