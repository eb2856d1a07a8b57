"""What many crashes cost, what is kept of a child, what is logged of it, and siblings that wait for one."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest

import supervisors
from supervisors import (
    Backoff,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    LightActor,
    Normal,
    StartChild,
    Supervisor,
    TerminateChild,
)
from supervisors.testing import ManualScheduler

KINDS = pytest.mark.parametrize("kind", [DynamicSupervisor, Supervisor])
STRATEGIES = pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
BAD = ValueError("bad")


class Kid(LightActor):
    """Tells the log of its starts and ends; a start with an error in its plan fails."""

    def __init__(self, log: list[str], name: str, plan: list[Any] | None = None) -> None:
        super().__init__()
        self.log, self.name, self.plan = log, name, plan

    def on_start(self) -> None:
        outcome = self.plan.pop(0) if self.plan else None
        if isinstance(outcome, BaseException):
            raise outcome
        self.log.append(f"+{self.name}")

    def on_receive(self, message: Any) -> None:
        if isinstance(message, BaseException):
            raise message
        self.exit(message)

    def on_exit(self, reason: Any) -> None:
        self.log.append(f"-{self.name}")


class World:
    """A static supervisor of children by name."""

    def __init__(self, manual: ManualScheduler, plans: dict[str, list[Any]], **options: Any) -> None:
        self.manual = manual
        self.log: list[str] = []
        self.plans = plans
        restart = options.pop("restart", "permanent")
        specs = [ChildSpec(name, self.starter(name), restart=restart) for name in plans]
        self.ref = Supervisor.start(specs, scheduler=manual, **options)
        manual.run_until_idle()

    def starter(self, name: str) -> Any:
        return lambda: Kid.start(self.log, name, self.plans[name])

    def ask(self, make: Any, *args: Any) -> Any:
        got: list[Any] = []
        self.ref.tell(make(*args, got.append))
        self.manual.run_until_idle()
        return got[0]

    def child(self, name: str) -> Any:
        return next(info.child for info in self.ask(supervisors.WhichChildren) if info.id == name)

    def states(self) -> str:
        """+ for those that run, ? for those that are restarting, - for the rest."""
        infos = self.ask(supervisors.WhichChildren)
        return " ".join(f"{'?' if i.state == 'restarting' else '+' if i.child else '-'}{i.id}" for i in infos)

    def tell(self, name: str, message: Any) -> None:
        self.child(name).tell(message)
        self.manual.run_until_idle()


# -- many at once


CASES = [
    ("one_for_one", "permanent", "never", False),
    ("one_for_one", "transient", "never", True),
    ("one_for_one", "temporary", "never", False),
    ("one_for_all", "permanent", "never", False),
    ("rest_for_one", "permanent", "never", False),
    ("one_for_one", "transient", "any_significant", False),
    ("rest_for_one", "transient", "all_significant", False),
]


def test_the_last_significant_child_is_still_found(manual: ManualScheduler) -> None:
    """Of those that end, are restarted by hand, and end again."""
    log: list[str] = []
    specs = [
        ChildSpec(name, lambda name=name: Kid.start(log, name), restart="transient", significant=True)  # type: ignore[misc]
        for name in "abc"
    ]
    ref = Supervisor.start(specs, auto_shutdown="all_significant", scheduler=manual)
    manual.run_until_idle()

    def end(name: str) -> None:
        got: list[Any] = []
        ref.tell(supervisors.WhichChildren(got.append))
        manual.run_until_idle()
        next(info.child for info in got[0] if info.id == name).tell(Normal())
        manual.run_until_idle()

    for name in "ab":
        end(name)
    ref.tell(supervisors.RestartChild("a"))
    manual.run_until_idle()
    for name in "ca":
        assert ref.is_alive()
        end(name)
    assert not ref.is_alive()


# -- what is kept


class Model:
    """Something large."""


@KINDS
def test_a_temporary_childs_arguments_go_once_it_has_started(manual: ManualScheduler, kind: Any) -> None:
    ref = kind.start(scheduler=manual)
    model = Model()
    kept = weakref.ref(model)
    got: list[Any] = []

    def start(model: Model = model) -> Any:
        assert isinstance(model, Model)
        return Kid.start([], "x")

    ref.tell(StartChild(ChildSpec("x", start, restart="temporary"), got.append))
    del model, start
    manual.run_until_idle()
    gc.collect()
    assert got[0].is_alive()
    assert kept() is None


def test_a_static_temporary_childs_arguments_go_too(manual: ManualScheduler) -> None:
    model = Model()
    kept = weakref.ref(model)

    def start(model: Model = model) -> Any:
        assert isinstance(model, Model)
        return Kid.start([], "x")

    ref = Supervisor.start([ChildSpec("x", start, restart="temporary")], scheduler=manual)
    del model, start
    manual.run_until_idle()
    gc.collect()
    assert ref.is_alive()
    assert kept() is None


def test_other_childrens_start_functions_are_kept() -> None:
    def start() -> Any:
        return supervisors.IGNORE

    spec = ChildSpec("x", start, "transient", 3.0, "supervisor", True, "name")
    without = spec.without_start()
    assert spec.start is start
    assert without.start is not start
    for name in ("id", "restart", "shutdown", "type", "significant", "register"):
        assert getattr(without, name) == getattr(spec, name)


# -- what is logged


def records(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    return [record for record in caplog.records if record.__dict__["event"] == event]


@KINDS
def test_a_start_function_that_raises_at_restarts_is_an_error(
    manual: ManualScheduler, caplog: pytest.LogCaptureFixture, kind: Any
) -> None:
    caplog.set_level(logging.INFO, "supervisors")
    plan: list[Any] = [None, OSError("disk gone"), None]

    def start() -> Any:
        outcome = plan.pop(0)
        if outcome is not None:
            raise outcome
        return Kid.start([], "x")

    ref = kind.start(name="sup", scheduler=manual)
    got: list[Any] = []
    ref.tell(StartChild(ChildSpec("kid", start), got.append))
    manual.run_until_idle()
    got[0].tell(BAD)
    manual.run_until_idle()
    (record,) = records(caplog, "start_failed")
    assert record.levelno == logging.ERROR
    assert record.__dict__["data"]["supervisor"] == "sup"
    assert record.__dict__["data"]["child"] == "kid"
    assert isinstance(record.exc_info[1], OSError)
    assert len(records(caplog, "restart")) == 2


@KINDS
@pytest.mark.parametrize(("message", "told"), [(BAD, 1), (Normal(), 0), (supervisors.Killed(), 1)])
def test_a_temporary_childs_crash_names_supervisor_and_child(
    manual: ManualScheduler, caplog: pytest.LogCaptureFixture, kind: Any, message: Any, told: int
) -> None:
    ref = kind.start(name="sup", scheduler=manual)
    got: list[Any] = []
    ref.tell(StartChild(ChildSpec("kid", lambda: Kid.start([], "x"), restart="temporary"), got.append))
    manual.run_until_idle()
    got[0].tell(message)
    manual.run_until_idle()
    found = [record.__dict__["data"] for record in records(caplog, "child_crashed")]
    assert [(data["supervisor"], data["child"]) for data in found] == [("sup", "kid")] * told


# -- siblings that wait for one


@STRATEGIES
def test_siblings_start_when_the_restarting_child_is_terminated(manual: ManualScheduler, strategy: Any) -> None:
    world = World(manual, {"a": [], "b": [None, BAD, BAD, BAD], "c": [], "d": []}, strategy=strategy)
    world.tell("b", BAD)
    manual.run_until_idle()
    world = World(
        manual,
        {"a": [], "b": [None, BAD, BAD], "c": [], "d": []},
        strategy=strategy,
        restart_backoff=Backoff(base=1.0),
    )
    world.tell("b", BAD)
    down = {"one_for_one": "+a ?b +c +d", "one_for_all": "-a ?b -c -d", "rest_for_one": "+a ?b -c -d"}[strategy]
    assert world.states() == down
    assert world.ask(TerminateChild, "b") is None
    assert world.states() == "+a -b +c +d"
    started = world.log[-3:]
    if strategy == "one_for_all":
        assert started == ["+a", "+c", "+d"]
    manual.advance(100.0)
    assert world.states() == "+a -b +c +d"
    assert manual.pending_timers == 0


def test_siblings_that_were_down_before_stay_down(manual: ManualScheduler) -> None:
    plans: dict[str, list[Any]] = {"a": [], "b": [None, BAD, BAD], "c": [], "d": [], "e": []}
    world = World(manual, plans, strategy="one_for_all", restart="transient", restart_backoff=Backoff(base=1.0))
    world.ask(TerminateChild, "a")
    world.tell("c", Normal())
    world.tell("b", BAD)  # the first restart is at once and starts all: that is OTP's rule
    world.ask(TerminateChild, "d")  # it waits for b; now it does not
    assert world.states() == "-a ?b -c -d -e"
    world.ask(TerminateChild, "b")
    assert world.states() == "+a -b -c -d +e"


def test_healthy_siblings_stay_down_for_the_whole_back_off(manual: ManualScheduler) -> None:
    """By the strategy none runs without the others: so says the page, and so it is."""
    world = World(
        manual, {"a": [], "b": [None, BAD, BAD], "c": []}, strategy="one_for_all", restart_backoff=Backoff(base=1.0)
    )
    world.tell("b", BAD)
    assert world.states() == "-a ?b -c"
    manual.advance(0.9)
    assert world.states() == "-a ?b -c"
    manual.advance(10.0)
    assert world.states() == "+a +b +c"


def test_without_back_off_nothing_waits(manual: ManualScheduler) -> None:
    world = World(manual, {"a": [], "b": [None, BAD, None], "c": []}, strategy="one_for_all")
    world.tell("b", Crashed(BAD))
    assert world.states() == "+a +b +c"
