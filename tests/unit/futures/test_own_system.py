"""The System of an executor's own: started once, by a thread, and ended where no lane to it can be had."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.lanes import FakeLane

from slither_actors import PoolSpec
from slither_actors.futures import InitializerFailed
from slither_actors.futures.call_future import CallFuture
from slither_actors.futures.lane import lane_to
from slither_actors.futures.own_system import OwnSystem
from slither_actors.system.system import System


def test_it_is_started_once_and_ends_behind_the_last_call() -> None:
    systems: list[System] = []
    lane = FakeLane()
    made = threading.Event()

    def lane_of(system: System) -> Any:
        systems.append(system)
        made.set()
        return lane

    own = OwnSystem(PoolSpec(size=1), lane_of)
    futures = [CallFuture("f"), CallFuture("f")]
    for future in futures:
        own.calls.submit(future, b"")
    own.begin()
    assert made.wait(20)
    (system,) = systems
    assert not system.offered
    own.calls.close(cancel=True)
    own.join()
    assert system.stopped
    assert [future.cancelled() for future in futures] == [True, True]


def test_without_a_lane_it_ends_and_fails_the_calls() -> None:
    systems: list[System] = []

    def lane_of(system: System) -> Any:
        systems.append(system)
        raise RuntimeError("no lane")

    own = OwnSystem(PoolSpec(size=1), lane_of)
    future = CallFuture("f")
    own.calls.submit(future, b"")
    with pytest.raises(InitializerFailed, match="cannot be started: no lane"):
        future.result(20)
    own.join()
    assert systems[0].stopped


def test_one_that_was_never_begun_has_nothing_to_wait_for() -> None:
    own = OwnSystem(PoolSpec(size=1), lambda system: pytest.fail("was begun"))
    own.calls.close()
    own.calls.wait()


def test_its_lane_leads_to_its_workers() -> None:
    own = OwnSystem(PoolSpec(size=1), lambda system: lane_to(system, None, 20.0))
    future = CallFuture("builtins.pow")
    own.calls.submit(future, ["builtins", "pow", [[2, 8]], {}])
    assert future.result(20) == 256
    own.calls.close()
    own.calls.wait()
