"""Streams of chunks that are read, left and cancelled at random while their workers are killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from support.chunks import stream_one
from support.killer import Killer
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, Retry, StreamBroken, System

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

STREAMS = 1500
TASKS = 150


async def read(system: System, rnd: random.Random) -> str:
    """Read a stream to its end, or leave it at random; how it ended. No chunk is missing or another stream's."""
    first, count = rnd.randrange(10**6), rnd.choice([0, 1, 5, 100, 1000])
    leave_at = rnd.choice([None, None, 0, 3, 50])
    got: list[int] = []
    ended = "read"
    stream = stream_one(
        system,
        (first, count),
        function="counts_from",
        max_ahead=rnd.choice([1, 2, 16]),
        on_error=Retry(100, backoff=0.01, max_backoff=0.1),
    )
    try:
        async for chunk in stream:
            got.append(chunk)
            if rnd.random() < 0.01:
                await asyncio.sleep(0.001)  # a reader that is slow now and then
            if len(got) - 1 == leave_at:
                ended = "left"
                break
    except StreamBroken as error:  # what fails before its first chunk is attempted again
        delivered, ended = error.delivered, "broken"
    else:
        delivered = len(got)
    assert delivered == len(got)
    assert got == list(range(first, first + len(got)))
    assert ended != "read" or len(got) == count
    return ended


@pytest.mark.fault(1)
@pytest.mark.fault(28)
def test_streams_while_workers_are_killed(eventually: Callable[..., None]) -> None:
    seed = random.randrange(1 << 32)
    rnd = random.Random(seed)
    seen: Counter[str] = Counter()

    async def main(system: System) -> None:
        limit = asyncio.Semaphore(TASKS)

        async def one() -> None:
            async with limit:
                task = asyncio.create_task(read(system, rnd))
                if rnd.random() < 0.2:
                    asyncio.get_running_loop().call_later(rnd.random() * 0.2, task.cancel)
                try:
                    seen[await task] += 1
                except asyncio.CancelledError:
                    seen["cancelled"] += 1

        await asyncio.gather(*(one() for _ in range(STREAMS)))

    with (
        System({"default": PoolSpec(size=3, path=[FUNCTIONS], max_restarts=None)}) as system,
        Killer(system, seed, 0.3) as killer,
    ):
        asyncio.run(main(system))
        eventually(lambda: system.statistics().runs == 0)
        pool = system.statistics().pools["default"].counts
    print(f"\nseed {seed}: {dict(seen)}, {killer.kills} kills, {pool.deaths} deaths")
    assert seen.total() == STREAMS
    assert min(seen["read"], seen["left"], killer.kills) > 0
    assert (pool.kills, pool.protocol_errors) == ({}, {})
