"""Whatever goes wrong with one start of a worker fails that start: the Spawner, and all other workers, live on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.evil import EVIL
from support.gates import wait_gone

from slither_actors import PoolSpec, Retry, System
from slither_actors.pools.processes import environment, spawner, table
from supervisors import Scheduler
from supervisors.runtime.poller import Poller

NEG: dict[str, Any] = {"module": "operator", "function": "neg", "each": True}


def pids(system: System, pool: str) -> list[int]:
    return [executor.pid for executor in system.statistics().pools[pool].executors if executor.pid is not None]


@pytest.fixture
def two_pools() -> Any:
    with System({"one": PoolSpec(size=1, path=[EVIL]), "other": PoolSpec(size=2)}, name="two") as system:
        yield system


def fails_once(error: BaseException, function: Callable[..., Any]) -> tuple[Callable[..., Any], threading.Event]:
    failed = threading.Event()

    def call(*arguments: Any, **named: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise error
        return function(*arguments, **named)

    return call, failed


PLACES = {
    "the command line": (spawner.Spawner, "_spawn"),
    "the environment": (environment, "of_host"),
    "Popen": (spawner.subprocess, "Popen"),
    "the guardian's list": (spawner.GuardianLink, "watch"),
    "the process's record": (table, "_pidfd_open"),
    "the list of processes": (table.Processes, "add"),
    "the memory": (spawner, "memory_file"),
    "the poll": (Poller, "add"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", [KeyError, MemoryError, LookupError, SystemExit])
def test_an_unexpected_exception_in_one_start(
    two_pools: System, monkeypatch: pytest.MonkeyPatch, place: str, error: type[BaseException]
) -> None:
    others, before = pids(two_pools, "other"), two_pools._tree._spawner_actor
    holder, name = PLACES[place]
    call, failed = fails_once(error("unexpected"), getattr(holder, name))
    monkeypatch.setattr(holder, name, call)
    [victim] = pids(two_pools, "one")
    os.kill(victim, 9)
    results = two_pools.dispatch.run([1, 2], **NEG, pool="one", on_error=Retry())
    assert [item.payload for item in results] == [-1, -2]
    assert failed.is_set()
    assert pids(two_pools, "other") == others
    wait_gone(victim)
    assert two_pools._tree._spawner_actor is before
    assert before.statistics().groups == 3


def test_it_is_counted_as_a_failed_start(two_pools: System, monkeypatch: pytest.MonkeyPatch) -> None:
    call, _ = fails_once(KeyError("HOME"), environment.of_host)
    monkeypatch.setattr(environment, "of_host", call)
    before = two_pools.statistics().pools["one"].counts
    os.kill(pids(two_pools, "one")[0], 9)
    two_pools.dispatch.run([1], **NEG, pool="one", on_error=Retry())
    after = two_pools.statistics().pools["one"].counts
    assert sum(after.restarts.values()) - sum(before.restarts.values()) == 2  # the crash, and the failed start


def test_at_the_first_start_it_is_what_start_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def deleted() -> Any:
        raise KeyError("HOME")

    monkeypatch.setattr(environment, "of_host", deleted)
    system = System({"default": PoolSpec(size=1)})
    with pytest.raises(KeyError, match="HOME") as failed:
        system.start()
    assert "while pool 'default' was started" in failed.value.__notes__


def test_a_guardian_that_cannot_be_told_ends_nobody(two_pools: System, monkeypatch: pytest.MonkeyPatch) -> None:
    others = pids(two_pools, "other")
    call, failed = fails_once(MemoryError(), spawner.GuardianLink.forget)
    monkeypatch.setattr(spawner.GuardianLink, "forget", call)
    os.kill(pids(two_pools, "one")[0], 9)
    two_pools.dispatch.run([1], **NEG, pool="one", on_error=Retry())
    assert failed.wait(20)
    two_pools.dispatch.run([1], **NEG, pool="other")
    assert pids(two_pools, "other") == others


def test_a_turn_of_the_scheduler_that_fails_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler("turns")
    call, failed = fails_once(MemoryError(), scheduler._poller.poll)
    monkeypatch.setattr(scheduler._poller, "poll", call)
    scheduler.start()
    try:
        assert failed.wait(20)
        went_on = threading.Event()
        scheduler.post(went_on.set)
        assert went_on.wait(20)
    finally:
        assert scheduler.stop()
