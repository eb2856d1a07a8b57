"""Many runs at a time on real workers: in the order in which they came, and none overtaken by many."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System

GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}


@pytest.fixture(scope="module")
def one_worker() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, name="one") as system:
        system.dispatch.run([1], **GATED)
        yield system


def executed(system: System, number: int) -> Any:
    """Have the worker say as the how manieth call it executed this one."""
    return system.dispatch.arun([number], module="counted", function="calls")


def test_a_burst_of_one_item_runs_is_executed_in_its_order(one_worker: System) -> None:
    async def main() -> list[int]:
        runs = await asyncio.gather(*(executed(one_worker, number) for number in range(512)))
        return [item.payload for (item,) in runs]

    places = asyncio.run(main())
    assert places == list(range(places[0], places[0] + 512))


def test_clients_that_come_back_are_served_as_they_come(one_worker: System) -> None:
    """Each client has one run at a time: that of a request that came later is executed later."""
    came = itertools.count().__next__
    places: dict[int, int] = {}

    async def client() -> None:
        for _ in range(40):
            number = came()
            (item,) = await executed(one_worker, number)
            places[number] = item.payload

    async def main() -> None:
        await asyncio.gather(*(client() for _ in range(16)))

    asyncio.run(main())
    assert [places[number] - places[0] for number in range(640)] == list(range(640))


def test_a_one_item_run_waits_for_one_batch_of_each_long_run(one_worker: System, gates: Gates) -> None:
    """All have come before the first batch is done, so that the order of the rest is the pool's alone."""
    counted: dict[str, Any] = {"module": "counted", "function": "calls"}

    async def long() -> list[int]:
        results = await one_worker.dispatch.arun(range(200), **counted, max_in_flight=4, batch_size=1)
        return [item.payload for item in results]

    async def come(runs: int) -> None:
        while (pool := one_worker.statistics().pools["default"].pool) is None or pool.runs < runs:  # noqa: ASYNC110
            await asyncio.sleep(0)  # what is waited for happens on another thread

    async def main() -> tuple[list[list[int]], int]:
        (start,) = await executed(one_worker, 0)
        first = asyncio.create_task(one_worker.dispatch.arun([("first", gates["first"])], **GATED))
        await asyncio.to_thread(gates.wait_begun, "first")
        runs = [asyncio.create_task(long()) for _ in range(12)]
        await come(13)
        short = asyncio.create_task(executed(one_worker, 1))
        await come(14)
        gates.open("first")
        (item,) = await short
        await first
        return [await run for run in runs], item.payload - start.payload

    long_runs, place = asyncio.run(main())
    assert len(long_runs) == 12
    assert all(len(places) == 200 for places in long_runs)
    assert place <= 12 + 1
