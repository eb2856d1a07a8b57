"""Requests of many callers: while workers are killed, cancelled at random, and more than can be served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support import request_storm
from support.killer import Killer

from slither_actors import System
from slither_actors.dynamic_batcher.batcher import DynamicBatcher

Start = Callable[..., System]
ways = pytest.mark.parametrize(
    "way", [request_storm.plain, request_storm.bound, request_storm.batched], ids=lambda way: way.__name__
)


@ways
def test_each_is_answered_while_workers_are_killed(start: Start, way: Any, eventually: Callable[..., None]) -> None:
    system = start(size=2, max_restarts=None)
    call = way(system)
    with Killer(system, 7, 0.3) as killer:
        assert asyncio.run(request_storm.answers(call, 1000)) == 1000
        while not killer.kills:  # a quick machine is done before the first one
            assert asyncio.run(request_storm.answers(call, 500)) == 500
    batcher = call if isinstance(call, DynamicBatcher) else None
    eventually(lambda: request_storm.nothing_is_left(system, batcher))


@ways
def test_callers_cancelled_at_random_leave_nothing(start: Start, way: Any, eventually: Callable[..., None]) -> None:
    system = start(size=2)
    call = way(system)
    seen = asyncio.run(request_storm.cancelled(call, 1000, 11))
    assert seen.total() == 1000
    assert seen["of another"] == 0
    assert min(seen["own"], seen["cancelled"]) > 10
    batcher = call if isinstance(call, DynamicBatcher) else None
    eventually(lambda: request_storm.nothing_is_left(system, batcher))


def test_what_is_more_than_can_be_served_is_refused(start: Start) -> None:
    told = asyncio.run(request_storm.overload(start(size=2), 1.0, deadline=10.0))
    assert told["seen"].total() == told["calls"]
    assert min(told["seen"]["Overloaded"], told["seen"]["answered"]) > 0
    taken = told["statistics"]
    assert taken.overloaded == told["seen"]["Overloaded"]
    assert taken.calls == taken.done == told["seen"]["answered"]
