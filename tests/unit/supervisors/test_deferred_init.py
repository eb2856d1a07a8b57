"""`with_deferred_init` of classes that it made itself, and of their subclasses: `__init__` runs once, in the thread."""

from __future__ import annotations

import sys
import threading
import types
from pathlib import Path
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    ChildSpec,
    DaemonActor,
    Scheduler,
    StartFailed,
    Supervisor,
    stop,
    wait_started,
    with_deferred_init,
)


class Notes(pykka.ThreadingActor):
    """Notes what it runs, and where."""

    def __init__(self, notes: list[Any], value: int = 1) -> None:
        super().__init__()
        self.notes = notes
        self.value = value
        notes.append(("init", threading.current_thread() is self.actor_ref._lifecycle.thread))  # type: ignore[attr-defined]

    def on_start(self) -> Any:
        self.notes.append(("on_start", self.value))

    def on_receive(self, message: Any) -> Any:
        return self.value


class Plain(Notes):
    def on_stop(self) -> None:
        self.notes.append("the end")


class Base(Notes, DaemonActor):
    def on_exit(self, reason: Any) -> None:
        self.notes.append("the end")


Late = with_deferred_init(Base)


class Sub(Late):  # type: ignore[valid-type, misc]
    """Uses in its `__init__` what that of its base has set, and does not call the `on_start` of its base."""

    def __init__(self, notes: list[Any], value: int = 5) -> None:
        super().__init__(notes, value)
        self.double = self.value * 2

    def on_start(self) -> Any:
        self.notes.append(("on_start of Sub", self.double))

    def on_receive(self, message: Any) -> Any:
        return self.value, self.double


class SubSub(with_deferred_init(Sub)):  # type: ignore[misc]
    pass


class Failing(Late):  # type: ignore[valid-type, misc]
    def __init__(self, notes: list[Any]) -> None:
        super().__init__(notes)
        raise ValueError("no model")


def started_child(cls: Any, scheduler: Scheduler, notes: list[Any]) -> Any:
    root = Supervisor.start(
        [ChildSpec("child", lambda: with_deferred_init(cls).start(notes), register="child")], scheduler=scheduler
    )
    assert wait_started(root, 10)
    return root


@pytest.mark.parametrize("cls", [Base, Plain])
def test_a_class_it_made_comes_back_as_it_is(scheduler: Scheduler, cls: Any) -> None:
    class Given(cls):
        pass

    made = with_deferred_init(Given)
    assert with_deferred_init(made) is made
    assert with_deferred_init(Given) is made
    notes: list[Any] = []
    root = started_child(made, scheduler, notes)
    assert scheduler.registry.via("child").ask("value", timeout=10) == 1
    assert stop(root)
    assert notes == [("init", True), ("on_start", 1), "the end"]


@pytest.mark.parametrize("cls", [Sub, SubSub])
def test_the_init_of_a_subclass_runs_once_and_in_its_thread(scheduler: Scheduler, cls: Any) -> None:
    notes: list[Any] = []
    root = started_child(cls, scheduler, notes)
    assert scheduler.registry.via("child").ask("value", timeout=10) == (5, 10)
    assert stop(root)
    assert notes == [("init", True), ("on_start of Sub", 10), "the end"]


def test_a_failing_init_of_a_subclass_fails_the_start(scheduler: Scheduler) -> None:
    notes: list[Any] = []
    with pytest.raises(StartFailed) as caught:
        started_child(Failing, scheduler, notes)
    assert isinstance(caught.value.cause, ValueError)
    assert notes == [("init", True)]


def test_a_subclass_started_as_it_is() -> None:
    # Without an `on_start` that calls that of its base.
    class OwnStart(Late):  # type: ignore[valid-type, misc]
        def on_start(self) -> Any:
            self.notes.append(("own on_start", self.value))

    notes: list[Any] = []
    ref = OwnStart.start(notes, 3)
    assert ref.ask("value", timeout=10) == 3
    assert stop(ref)
    assert notes == [("init", True), ("own on_start", 3), "the end"]


def test_a_file_may_name_a_class_it_made(scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("late_actors")
    notes: list[Any] = []

    class Early(Base):
        def __init__(self) -> None:
            super().__init__(notes, 7)

    module.Made = with_deferred_init(Early)

    class OfMade(module.Made):  # type: ignore[misc]
        pass

    module.OfMade = OfMade
    monkeypatch.setitem(sys.modules, "late_actors", module)
    file = tmp_path / "tree.yaml"
    file.write_text(
        "children:\n"
        "- {kind: actor, id: a, class: 'late_actors:Made', register: a}\n"
        "- {kind: actor, id: b, class: 'late_actors:OfMade', register: b}\n"
    )
    root = supervisors.load(file).start(scheduler)
    assert wait_started(root, 10)
    assert [scheduler.registry.via(name).ask("value", timeout=10) for name in "ab"] == [7, 7]
    assert stop(root)
    assert notes.count(("init", True)) == 2
