"""Strategy by restart type by kind of exit, with a thread for each child: those restart that the model names."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.gates import SECONDS
from support.tree_model import Branch, Leaf, begin, named, predict

from supervisors import (
    Crashed,
    DaemonActor,
    DaemonRef,
    ExitReason,
    Killed,
    Normal,
    Scheduler,
    Shutdown,
    abandoned_threads,
    stop,
    wait_started,
)
from supervisors.actors.lifecycle import lifecycle_of

pytestmark = pytest.mark.fault(25)

STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]
RESTARTS = ["permanent", "transient", "temporary"]
BUDGETS = [None, 0]


class Town:
    """Who lives, and how often each was started."""

    def __init__(self) -> None:
        self.refs: dict[str, DaemonRef[Any]] = {}
        self.starts: Counter[str] = Counter()
        self.blocked = threading.Event()
        self.let_go = threading.Event()


class Citizen(DaemonActor):
    def __init__(self, town: Town, name: str) -> None:
        super().__init__()
        self.town, self.name = town, name

    def on_start(self) -> None:
        self.town.starts[self.name] += 1
        self.town.refs[self.name] = self.actor_ref

    def on_receive(self, message: Callable[[Citizen], object]) -> None:
        message(self)

    def on_exit(self, reason: ExitReason) -> None:
        if self.town.refs.get(self.name) is self.actor_ref:
            del self.town.refs[self.name]


def _raises(cause: BaseException) -> Callable[[Town, DaemonRef[Any]], None]:
    def leave(citizen: Citizen) -> None:
        raise cause

    return lambda town, ref: ref.tell(leave)


def _kill_a_blocked_one(town: Town, ref: DaemonRef[Any]) -> None:
    """It counts as dead at once, though its thread is inside its code."""

    def block(citizen: Citizen) -> None:
        del town.refs[citizen.name]
        town.blocked.set()
        town.let_go.wait(60)

    ref.tell(block)
    assert town.blocked.wait(SECONDS)
    lifecycle = lifecycle_of(ref)
    assert lifecycle is not None
    lifecycle.kill()


EXITS: dict[str, tuple[Callable[[Town, DaemonRef[Any]], None], ExitReason]] = {
    "an exception": (_raises(ValueError("boom")), Crashed(ValueError())),
    "SystemExit": (_raises(SystemExit(0)), Crashed(SystemExit())),
    "killed": (_kill_a_blocked_one, Killed()),
    "stopped as in Pykka": (lambda town, ref: ref.stop(block=False), Normal()),  # type: ignore[dict-item]
    "done": (lambda town, ref: ref.tell(lambda citizen: citizen.exit(Normal())), Normal()),
    "in good order": (lambda town, ref: ref.tell(lambda citizen: citizen.exit(Shutdown("why"))), Shutdown("why")),
}


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler("matrix")
    scheduler.start()
    yield scheduler
    assert scheduler.stop(SECONDS)
    deadline = time.monotonic() + SECONDS
    while abandoned_threads():
        assert time.monotonic() < deadline


@pytest.mark.parametrize("how", EXITS)
@pytest.mark.parametrize(("strategy", "restart", "budget"), list(itertools.product(STRATEGIES, RESTARTS, BUDGETS)))
def test_who_starts_anew(scheduler: Scheduler, strategy: str, restart: str, budget: int | None, how: str) -> None:
    leave, reason = EXITS[how]
    town = Town()
    # One before it, and a temporary and a permanent one after it; beside their supervisor one that has nothing to do
    # with all that.
    inner = Branch(
        strategy, "permanent", budget, [Leaf("permanent"), Leaf(restart), Leaf("temporary"), Leaf("permanent")]
    )
    root = named(Branch("one_for_one", "permanent", None, [inner, Leaf("permanent")]))
    victim = "root.0.1"
    ref = begin(root, lambda name: Citizen.start(town, name), scheduler=scheduler)
    wait_started(ref, SECONDS)
    before = dict(town.refs)
    assert len(before) == 5
    anew, gone = predict(root, victim, reason)
    try:
        leave(town, before[victim])
        deadline = time.monotonic() + SECONDS
        expected = before.keys() - gone | anew
        while town.refs.keys() != expected or any(town.refs[name] is before.get(name) for name in anew):
            assert time.monotonic() < deadline, (town.refs.keys(), expected)
            time.sleep(0.001)
        assert town.starts == Counter({name: 1 + (name in anew) for name in before})
        assert {name for name in before if town.refs.get(name) is before[name]} == before.keys() - anew - gone
    finally:
        town.let_go.set()
        assert stop(ref, timeout=SECONDS)
