"""The statistics of a System: what is counted, by which thread, and callers whose scheduler does not answer."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from slither_actors.errors import SystemStopped
from slither_actors.pools.counters import PoolCounters
from slither_actors.pools.statistics import ExecutorStatistics, PoolSnapshot
from slither_actors.system import statistics
from slither_actors.system.statistics import Snapshots, SystemStatistics
from supervisors.testing import ManualScheduler


class FakeScheduler:
    """Takes statistics when the test lets it."""

    name = "service"
    descriptors = 3

    def __init__(self, at_once: bool = True) -> None:
        self.background = types.SimpleNamespace(dropped=4)
        self.posted: list[Callable[[], object]] = []
        self.at_once = at_once
        self.looks: list[bool] = []
        """Whether it has stopped, at each look."""

    def post(self, call: Callable[[], object]) -> None:
        """Call it, or keep it."""
        if self.at_once:
            call()
        else:
            self.posted.append(call)

    @property
    def stopped(self) -> bool:
        """The next of the looks; after the last one, what was kept is done."""
        if self.looks:
            return self.looks.pop(0)
        self.posted.pop()()
        return False


def a_pool(*pids: int | None) -> Any:
    executors = tuple(ExecutorStatistics("ready", pid, 0, 0, 0, 1) for pid in pids)
    snapshot = PoolSnapshot(available=True, pool=None, executors=executors, counts=PoolCounters().snapshot())
    return types.SimpleNamespace(snapshot=lambda: snapshot)


def snapshots(scheduler: Any, guardian: int | None = 99, **pools: Any) -> Snapshots:
    tree: Any = types.SimpleNamespace(guardian=guardian, descriptors=lambda: [10, 11])
    opener: Any = types.SimpleNamespace(live=types.SimpleNamespace(count=5), stuck=6)
    return Snapshots(scheduler, tree, pools, opener)


def test_everything_is_counted_where_it_is() -> None:
    pools = {"a": a_pool(1, None, 2), "b": a_pool(), "c": a_pool(3)}
    taken = snapshots(FakeScheduler(), **pools).take()
    assert taken == SystemStatistics(
        pools={name: pool.snapshot() for name, pool in pools.items()},
        runs=5,
        stuck_threads=6,
        dropped_events=4,
        pids=(1, 2, 3, 99),
        descriptors=5,
    )
    assert list(taken.pools) == ["a", "b", "c"]


def test_without_a_guardian_there_are_workers_only() -> None:
    assert snapshots(FakeScheduler(), None, a=a_pool(1, 2)).take().pids == (1, 2)


def test_descriptors_are_those_of_scheduler_and_tree(manual: ManualScheduler) -> None:
    taken = snapshots(manual).take()
    assert taken.descriptors == manual.descriptors + 2
    assert taken.dropped_events == 0


def test_a_caller_gets_what_the_scheduler_takes() -> None:
    made = snapshots(FakeScheduler(), a=a_pool(1))
    assert made.ask(0.0) == made.take()


def test_a_caller_waits_on_while_the_scheduler_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "POLL", 0.0)
    scheduler = FakeScheduler(at_once=False)
    scheduler.looks = [False, False]
    assert snapshots(scheduler).ask(3600.0).runs == 5
    assert scheduler.looks == []


def test_a_scheduler_that_has_stopped_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "POLL", 0.0)
    scheduler = FakeScheduler(at_once=False)
    scheduler.looks = [False, True]
    with pytest.raises(SystemStopped, match="system 'service' was stopped"):
        snapshots(scheduler).ask(3600.0)


def test_a_scheduler_that_does_not_answer_is_given_up() -> None:
    scheduler = FakeScheduler(at_once=False)
    scheduler.looks = [False]
    with pytest.raises(TimeoutError):
        snapshots(scheduler).ask(0.0)
    assert scheduler.looks == []


def test_nothing_is_taken_before_the_schedulers_turn(manual: ManualScheduler) -> None:
    looked: list[str] = []
    pool = types.SimpleNamespace(snapshot=lambda: looked.append("pool"))
    with pytest.raises(TimeoutError):
        snapshots(manual, a=pool).ask(0.0)
    assert looked == []
    with pytest.raises(AttributeError, match="executors"):
        snapshots(manual, a=pool).take()
    assert looked == ["pool"]
