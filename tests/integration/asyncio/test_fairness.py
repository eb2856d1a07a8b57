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


def test_a_burst_of_one_item_runs_ends_in_its_order(one_worker: System) -> None:
    order: list[int] = []

    async def one(number: int) -> None:
        await one_worker.dispatch.arun([number], **GATED)
        order.append(number)

    async def main() -> None:
        await asyncio.gather(*map(one, range(512)))

    asyncio.run(main())
    assert order == list(range(512))


def test_clients_overtake_each_other_hardly_ever(one_worker: System) -> None:
    """With one worker a request that came later ends later; each client has one at a time."""
    came = itertools.count().__next__
    ended: list[int] = []

    async def client() -> None:
        for _ in range(40):
            number = came()
            await one_worker.dispatch.arun([number], **GATED)
            ended.append(number)

    async def main() -> None:
        await asyncio.gather(*(client() for _ in range(16)))

    asyncio.run(main())
    overtaken = [sum(later > number for later in ended[:place]) for place, number in enumerate(ended)]
    assert max(overtaken) == 0


def test_a_one_item_run_waits_for_one_batch_of_each_long_run(one_worker: System, gates: Gates) -> None:
    """All have come before the first batch is done, so that the order of the rest is the pool's alone."""
    order: list[Any] = []

    async def long(name: str) -> None:
        payloads: list[Any] = [name] * 50
        async with one_worker.dispatch.astream(payloads, **GATED, max_in_flight=4) as stream:
            async for item in stream:
                order.append(item.payload)

    async def short() -> None:
        (item,) = await one_worker.dispatch.arun(["short"], **GATED)
        order.append(item.payload)

    async def main() -> None:
        first = asyncio.create_task(one_worker.dispatch.arun([("first", gates["first"])], **GATED))
        await asyncio.to_thread(gates.wait_begun, "first")
        runs = [asyncio.create_task(long(f"long {number}")) for number in range(12)]
        while one_worker.statistics().pools["default"].pool.runs < 13:
            await asyncio.sleep(0)
        runs.append(asyncio.create_task(short()))
        while one_worker.statistics().pools["default"].pool.runs < 14:
            await asyncio.sleep(0)
        gates.open("first")
        await asyncio.gather(first, *runs)

    asyncio.run(main())
    assert len(order) == 601
    assert order.index("short") <= 12 + 12  # and at most one more of each that has come out meanwhile
