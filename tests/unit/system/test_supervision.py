"""A System's supervision tree with pools that are played: its start, its drain and its end, and the errors of each."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slither_actors import PoolSpec
from slither_actors.errors import OptionError, PoolUnavailable, StartTimeout
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import WhenReady
from slither_actors.pools.processes.table import Processes
from slither_actors.pools.supervision import SHUTDOWN_MARGIN
from slither_actors.system import supervision
from slither_actors.system.patience import Patience
from slither_actors.system.supervision import SystemTree, child_at
from slither_actors.worker.boot import STARTED_AS
from supervisors import (
    IGNORE,
    ChildSpec,
    DaemonActor,
    ExitReason,
    LightActor,
    Normal,
    Scheduler,
    SchedulerStopped,
    Shutdown,
    StartFailed,
    Supervisor,
    kill,
    tree,
    wait_ended,
)
from supervisors.exits import Draining

LONG = 30.0
"""Seconds that no wait takes, unless something is wrong."""


class FakePool(LightActor):
    """A pool that answers as the test says: with None once its workers are ready, or with an error."""

    answers: dict[str, Any]
    asked: list[str]

    def __init__(self, link: PoolHandle) -> None:
        super().__init__()
        self._link = link
        link.up(self)  # type: ignore[arg-type]

    def on_receive(self, message: Any) -> None:
        assert isinstance(message, WhenReady)
        self.asked.append(self._link.name)
        answer = self.answers.get(self._link.name)
        if answer == "dies":
            self.exit(Normal())
        elif answer != "silent":
            message.answer(answer)

    def on_exit(self, reason: ExitReason) -> None:
        self._link.down(reason)

    def statistics(self) -> Any:
        """Return nothing of interest."""
        return None


class Clerk(LightActor):
    """Keeps why it ended."""

    reasons: list[ExitReason]

    def on_receive(self, message: object) -> object:
        return message

    def on_exit(self, reason: ExitReason) -> None:
        self.reasons.append(reason)


class Stubborn(DaemonActor):
    """Ends when the gate opens."""

    gate: threading.Event
    entered: threading.Event

    def on_receive(self, message: object) -> None:
        """Do nothing."""

    def on_exit(self, reason: ExitReason) -> None:
        self.entered.set()
        self.gate.wait(LONG)


class Slow(DaemonActor):
    """Starts when the gate opens."""

    gate: threading.Event
    entered: threading.Event

    def on_start(self) -> object:  # type: ignore[override]
        self.entered.set()
        self.gate.wait(LONG)
        return None

    def on_receive(self, message: object) -> None:
        """Do nothing."""


class Bench:
    """A tree with a scheduler of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scheduler = Scheduler("service")
        self.scheduler.start()
        self.started: list[str] = []
        self.fail: BaseException | None = None
        self.missing = False
        self.links: dict[str, PoolHandle] = {}
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.reasons: list[ExitReason] = []
        self.gate, self.entered = threading.Event(), threading.Event()
        monkeypatch.setattr(supervision, "pool_child", self._pool_child)
        monkeypatch.setattr(FakePool, "answers", self.answers, raising=False)
        monkeypatch.setattr(FakePool, "asked", self.asked, raising=False)
        monkeypatch.setattr(Clerk, "reasons", self.reasons, raising=False)
        for kind in (Stubborn, Slow):
            monkeypatch.setattr(kind, "gate", self.gate, raising=False)
            monkeypatch.setattr(kind, "entered", self.entered, raising=False)

    def _pool_child(self, link: PoolHandle, spec: PoolSpec, spawner: Callable[[], Any]) -> ChildSpec:
        def start() -> Any:
            assert spawner().is_alive()  # it is there before the pools
            self.started.append(link.name)
            if self.fail is not None:
                raise self.fail
            return Idle.start() if self.missing else FakePool.start(link)

        return ChildSpec(id=link.name, start=start)

    def tree(self, *children: ChildSpec, **specs: PoolSpec) -> SystemTree:
        specs = specs or {"a": PoolSpec(size=1)}
        self.links.update({name: PoolHandle(name) for name in specs})
        return SystemTree(self.scheduler, Processes(), self.links, specs, children)

    def running(self, *children: ChildSpec) -> SystemTree:
        made = self.tree(*children)
        made.start()
        made.start_children()
        return made


class Idle(LightActor):
    """Stands in the place of a pool that does not make itself known."""

    def on_receive(self, message: object) -> None:
        """Do nothing."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(monkeypatch)
    yield bench
    bench.gate.set()
    assert bench.scheduler.stop(LONG)


def clerk(name: str = "clerk", **given: Any) -> ChildSpec:
    return ChildSpec(name, Clerk.start, **given)


def below(name: str, *children: ChildSpec) -> ChildSpec:
    return ChildSpec(name, lambda: Supervisor.start(children, name=name), type="supervisor")


def states(made: SystemTree) -> list[str]:
    assert made.root is not None
    return [node.state for node in tree(made.root).children]


# --- the start


def test_spawner_pools_and_runs_start_in_this_order(bench: Bench) -> None:
    made = bench.tree(a=PoolSpec(size=1), b=PoolSpec(size=1))
    assert (made.root, made.children, made.has_ended, made.children_live) == (None, None, False, False)
    made.start()
    assert made.root is not None
    root = tree(made.root)
    assert (root.id, [node.id for node in root.children]) == ("service", ["spawner", "pools", "runs"])
    assert bench.started == ["a", "b"]
    assert bench.asked == ["a", "b"]
    assert made.runs() is child_at(made.root, ["runs"])
    budgets: list[Any] = [node.statistics for node in root.children[1:]]
    assert [budget.budget for budget in budgets] == [None, None]  # no pool or run may end the others
    assert not made.has_ended
    assert made.stop(LONG)
    assert made.has_ended


@pytest.mark.parametrize("error", [StartTimeout(3.0), RuntimeError("no")])
def test_the_first_error_of_a_worker_names_its_pool(bench: Bench, error: Exception) -> None:
    bench.answers["b"] = error
    with pytest.raises(type(error)) as raised:
        bench.tree(a=PoolSpec(size=1), b=PoolSpec(size=1)).start()
    assert raised.value is error
    assert error.__notes__ == ["while pool 'b' was started"]


def test_workers_that_are_not_ready_in_time_are_an_error(bench: Bench) -> None:
    made = bench.running()
    bench.answers["a"] = "silent"
    bench.links["a"].last_error = last = ValueError("the last one")
    with pytest.raises(StartTimeout) as raised:
        made._wait_ready(0.0)
    assert raised.value.__cause__ is last
    assert raised.value.__notes__ == ["while pool 'a' was started"]


@pytest.mark.parametrize("missing", [True, False])
def test_a_pool_that_is_not_there_cannot_be_ready(bench: Bench, missing: bool) -> None:
    bench.missing = missing
    bench.answers["a"] = "dies"
    with pytest.raises(PoolUnavailable) as raised:
        bench.tree().start()
    assert raised.value.pool == "a"
    assert raised.value.why == ("it has not started yet" if missing else "it ended by itself")


@pytest.mark.parametrize(
    ("error", "python", "told"),
    [
        (OSError(errno.ENOENT, "gone", sys.executable), None, "gone; it is this process's own, sys.executable; "),
        (OSError(errno.EACCES, "no", "py"), "py", "no; PoolSpec(python=...) must be the path of a Python with msgpack"),
        (OSError(errno.E2BIG, "big", "py"), "py", "their environment is too large for this system"),
    ],
)
def test_an_interpreter_that_does_not_start_is_told(
    bench: Bench, error: OSError, python: str | None, told: str
) -> None:
    bench.answers["a"] = error
    with pytest.raises(OSError, match=r"^.*pool 'a' cannot start its workers") as raised:
        bench.tree(a=PoolSpec(size=1, python=python)).start()
    assert told in str(raised.value)
    assert raised.value.errno == error.errno
    if error.errno != errno.E2BIG:
        assert raised.value.filename == error.filename
        assert vars(raised.value)["mentions"] == {"PoolSpec(python=...)": "python"}


def test_an_error_that_is_about_no_file_stays_itself(bench: Bench) -> None:
    bench.answers["a"] = error = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(OSError, match="Too many open files") as raised:
        bench.tree().start()
    assert raised.value is error
    assert error.__notes__ == ["while pool 'a' was started"]


def test_what_keeps_the_tree_from_starting_is_raised_itself(bench: Bench) -> None:
    bench.fail = LookupError("no such thing")
    made = bench.tree()
    with pytest.raises(LookupError) as raised:
        made.start()
    assert raised.value is bench.fail


def test_a_scheduler_that_was_stopped_starts_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "BEGIN_POLL", 0.0)
    assert bench.scheduler.stop(LONG)
    made = bench.tree()
    with pytest.raises(SchedulerStopped, match="scheduler 'service' has been stopped"):
        made.start()
    assert (made.root, bench.started) == (None, [])
    assert made.stop(0.0)


def test_what_fails_on_the_schedulers_thread_is_raised_here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(supervision.Supervisor, "start", fail)
    with pytest.raises(ZeroDivisionError):
        bench.tree().start()


def test_a_program_in_an_interpreters_place_starts_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_AS, "a worker")
    made = bench.tree()
    with pytest.raises(OptionError, match="was started as a worker of another System"):
        made.start()
    assert made.root is None


def test_all_behind_a_spawner_that_died_start_again(bench: Bench, eventually: Callable[..., None]) -> None:
    made = bench.running(clerk())
    assert made.root is not None
    before = {path: child_at(made.root, [path]) for path in ("spawner", "pools", "runs", "tree")}
    kill(before["spawner"])
    eventually(lambda: not before["tree"].is_alive() and states(made) == ["running"] * 4, LONG)
    assert made.children_live
    assert [path for path, ref in before.items() if child_at(made.root, [path]) is ref] == []
    assert made.runs() is child_at(made.root, ["runs"])
    assert (bench.started, bench.reasons[0].__class__) == (["a", "a"], Shutdown)


def test_a_pool_that_ends_leaves_the_rest_alone(bench: Bench, eventually: Callable[..., None]) -> None:
    made = bench.running(clerk())
    assert made.root is not None
    before = {path: child_at(made.root, [path]) for path in ("spawner", "pools", "runs", "tree")}
    kill(child_at(made.root, ["pools", "a"]))
    eventually(lambda: len(bench.started) == 2 and states(made) == ["running"] * 4, LONG)
    assert {path: child_at(made.root, [path]) for path in before} == before


# --- the actors beside the pools


def test_the_actors_beside_the_pools_start_behind_them(bench: Bench) -> None:
    made = bench.tree(clerk(), below("feeds", clerk("news")))
    made.start()
    assert not made.children_live
    made.start_children()
    assert made.children_live
    assert made.root is not None
    assert [node.id for node in tree(made.root).children] == ["spawner", "pools", "runs", "tree"]
    assert child_at(made.root, ["tree", "feeds", "news"]).ask("x", timeout=LONG) == "x"
    assert child_at(made.root, []) is made.root


def test_without_such_actors_there_is_no_supervisor(bench: Bench) -> None:
    made = bench.running()
    assert made.root is not None
    assert [node.id for node in tree(made.root).children] == ["spawner", "pools", "runs"]
    assert made.children is None


def test_an_actor_that_cannot_start_is_named_with_its_reason(bench: Bench) -> None:
    def fail() -> Any:
        raise LookupError("no disk")

    made = bench.tree(clerk(), ChildSpec("archive", fail))
    made.start()
    with pytest.raises(StartFailed, match="archive") as raised:
        made.start_children()
    assert "no disk" in str(raised.value)
    assert raised.value.__cause__ is None or isinstance(raised.value.__cause__, LookupError)


def test_an_actor_that_does_not_start_in_time_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    class Ended(Patience):
        def __init__(self, seconds: float) -> None:
            given.append(seconds)

        def wait(self, wait: Callable[[float], bool]) -> bool:
            assert bench.entered.wait(LONG)
            return wait(0.0)

    made = bench.tree(clerk(), below("feeds", ChildSpec("news", Slow.start)), a=PoolSpec(size=1, start_timeout=4))
    made.start()
    monkeypatch.setattr(supervision, "Patience", Ended)
    with pytest.raises(StartTimeout, match="actor 'feeds/news' has not started within 5 s"):
        made.start_children()
    assert given == [4 + SHUTDOWN_MARGIN]
    bench.gate.set()


def test_how_long_actors_may_take_is_that_of_the_slowest_pool(bench: Bench) -> None:
    made = bench.tree(a=PoolSpec(size=1, start_timeout=7), b=PoolSpec(size=1, start_timeout=70))
    assert made.children_patience == 70 + SHUTDOWN_MARGIN


def test_how_long_actors_may_take_to_end_is_their_sum(bench: Bench) -> None:
    specs = [clerk("a", shutdown=2.0), clerk("b", shutdown=3.0), clerk("c", shutdown=float("inf")), below("d")]
    assert bench.tree(*specs).children_seconds == 5.0
    assert bench.tree().children_seconds == 0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (["nothing"], "there is no child 'nothing' of .*; known: spawner, pools, runs, tree"),
        (["tree", "feeds", "x"], "there is no child 'x' of .*; known: none"),
        (["tree", "done"], "the child 'done' does not run at the moment"),
    ],
)
def test_a_child_that_is_not_there_is_a_lookup_error(bench: Bench, path: list[str], message: str) -> None:
    made = bench.running(below("feeds"), ChildSpec("done", lambda: IGNORE))
    assert made.root is not None
    with pytest.raises(LookupError, match=message):
        child_at(made.root, path)


# --- the drain


def test_a_drain_tells_the_actors_that_it_is_one(bench: Bench) -> None:
    made = bench.running(clerk("a"), below("feeds", clerk("news")))
    ended = threading.Event()
    made.drain_children(ended.set)
    assert ended.wait(LONG)
    assert bench.reasons == [Shutdown(Draining())] * 2
    assert not made.children_live
    assert not made.has_ended
    assert made.cut == ()


def test_a_drain_has_nothing_to_wait_for_without_actors(bench: Bench) -> None:
    for made in (bench.tree(), bench.tree(clerk()), bench.running()):
        ended: list[bool] = []
        made.drain_children(lambda ended=ended: ended.append(True))  # type: ignore[misc]
        assert ended == [True]


def test_once_it_drains_no_actor_is_started_again(bench: Bench) -> None:
    made = bench.running(clerk())
    ended = threading.Event()
    made.drain_children(ended.set)
    assert ended.wait(LONG)
    assert made._start_children() is IGNORE


def test_a_drain_of_a_tree_that_has_ended_is_over(bench: Bench) -> None:
    made = bench.running(clerk())
    assert made.stop(LONG)
    ended = threading.Event()
    made.drain_children(ended.set)
    assert ended.wait(LONG)


def test_what_has_not_ended_in_a_drain_is_cut_and_named(bench: Bench) -> None:
    made = bench.running(clerk("first"), below("feeds", ChildSpec("news", Stubborn.start, shutdown=float("inf"))))
    ended = threading.Event()
    made.drain_children(ended.set)
    children = made.children
    assert bench.entered.wait(LONG)  # it is asked, and the other one not yet
    made.cut_children()
    assert ended.wait(LONG)
    assert children is not None
    assert wait_ended(children, LONG)
    assert made.cut == ("first", "feeds/news")


def test_without_a_drain_nothing_is_cut(bench: Bench) -> None:
    made = bench.running(clerk())
    made.cut_children()
    done = threading.Event()
    bench.scheduler.post(done.set)
    assert done.wait(LONG)
    assert made.children_live
    assert made.cut == ()


def test_a_cut_after_the_end_names_nothing(bench: Bench) -> None:
    made = bench.running(clerk())
    ended = threading.Event()
    made.drain_children(ended.set)
    assert ended.wait(LONG)
    made.cut_children()
    assert made.stop(LONG)
    assert made.cut == ()


# --- the end


def test_a_tree_that_was_not_started_is_stopped_already(bench: Bench) -> None:
    made = bench.tree()
    made.begin_stop()
    assert made.stop(0.0)
    assert (made.guardian, made.descriptors()) == (None, [])


def test_the_actors_beside_the_pools_end_before_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(Clerk, "on_exit", lambda self, reason: order.append("clerk"))
    monkeypatch.setattr(FakePool, "on_exit", lambda self, reason: order.append("pool"))
    assert bench.running(clerk()).stop(LONG)
    assert order == ["clerk", "pool"]


def test_a_stop_that_takes_too_long_is_not_done(bench: Bench) -> None:
    made = bench.running(ChildSpec("a", Stubborn.start, shutdown=float("inf")))
    assert not made.stop(0.01)
    bench.gate.set()
    assert made.stop(LONG)


def test_a_stop_may_be_begun_without_waiting(bench: Bench) -> None:
    made = bench.running(ChildSpec("a", Stubborn.start, shutdown=float("inf")))
    made.begin_stop()
    assert not made.has_ended
    bench.gate.set()
    assert made.root is not None
    assert wait_ended(made.root, LONG)
    assert made.has_ended


def test_shared_memory_of_a_pool_counts_as_descriptors(bench: Bench) -> None:
    made = bench.running()
    assert made.descriptors() == []
    reader, writer = os.pipe()
    try:
        arena: Any = type("Arena", (), {"descriptors": lambda self: [reader, writer]})()
        bench.links["a"].arena = arena
        assert made.descriptors() == [reader, writer]
        assert made.guardian is None  # none before the first worker
    finally:
        os.close(reader)
        os.close(writer)
