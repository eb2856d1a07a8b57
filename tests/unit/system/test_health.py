"""What a probe learns of a System, by its state and its pools."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.pools.counters import PoolCounters
from slither_actors.pools.statistics import PoolSnapshot, PoolStatistics
from slither_actors.system.health import OVER, judge


def a_pool(ready: int | None) -> PoolSnapshot:
    """A pool with so many ready workers of two; None: it is not available."""
    pool = None if ready is None else PoolStatistics(size=2, ready=ready, runs=0, waiting=0, in_pipes=0, sessions=0)
    return PoolSnapshot(available=pool is not None, pool=pool, executors=(), counts=PoolCounters().snapshot())


@pytest.mark.parametrize("state", ["new", "starting"])
def test_before_it_runs_it_lives_and_is_not_ready(state: str) -> None:
    health = judge(state, None)
    assert (health.live, health.ready, health.reasons) == (True, False, (f"the System is {state}",))


@pytest.mark.parametrize("state", OVER)
def test_after_its_end_it_does_not_live(state: str) -> None:
    health = judge(state, {})
    assert (health.live, health.ready, health.reasons) == (False, False, (OVER[state],))


def test_without_an_answer_of_the_scheduler_it_does_not_live() -> None:
    assert judge("running", None).reasons == ("the scheduler does not answer",)


def test_running_with_a_worker_in_each_pool_it_is_ready() -> None:
    detached: Any = ("handler",)
    health = judge("running", {"a": a_pool(1), "b": a_pool(2)}, detached)
    assert (health.live, health.ready, health.reasons) == (True, True, ())
    assert health.detached_handlers == detached


def test_each_reason_why_it_is_not_ready_is_named() -> None:
    health = judge("draining", {"a": a_pool(None), "b": a_pool(0)})
    assert (health.live, health.ready) == (True, False)
    assert health.reasons == (
        "the System is draining",
        "pool 'a' is not available",
        "none of the 2 workers of pool 'b' is ready",
    )
