"""Requests by the thousand: answered while workers are killed, cancelled at random, and more than can be served."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import request_storm
from support.killer import Killer
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System
from slither_actors.dynamic_batcher.batcher import DynamicBatcher

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
WAYS = [request_storm.plain, request_storm.bound, request_storm.batched]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@pytest.fixture
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS], max_restarts=None)}) as system:
        yield system


@ways
def test_each_is_answered_while_workers_are_killed(system: System, way: Any, eventually: Callable[..., None]) -> None:
    seed = random.randrange(1 << 32)
    call = way(system)
    with Killer(system, seed, 0.5) as killer:
        assert asyncio.run(request_storm.answers(call, 5000)) == 5000
    print(f"\nseed {seed}: 5000 of 5000 answered, {killer.kills} kills")
    batcher = call if isinstance(call, DynamicBatcher) else None
    eventually(lambda: request_storm.nothing_is_left(system, batcher))


@ways
def test_callers_cancelled_at_random_leave_nothing(system: System, way: Any, eventually: Callable[..., None]) -> None:
    seed = random.randrange(1 << 32)
    call = way(system)
    seen = asyncio.run(request_storm.cancelled(call, 10_000, seed))
    print(f"\nseed {seed}: {dict(seen)}")
    assert seen.total() == 10_000
    assert seen["of another"] == 0
    assert min(seen["own"], seen["cancelled"]) > 500
    batcher = call if isinstance(call, DynamicBatcher) else None
    eventually(lambda: request_storm.nothing_is_left(system, batcher))


def test_a_minute_of_overload_is_refused_and_not_late(system: System) -> None:
    told = asyncio.run(request_storm.overload(system, 60.0, deadline=1.0))
    print(f"\n{told}")
    assert told["seen"].total() == told["calls"]
    assert told["seen"]["Overloaded"] > told["seen"]["answered"] > 10_000
    assert told["longest"] < 1.5  # of the deadline, and what the event loop may be late
    assert told["grown"] < 20_000  # KiB
