"""The event loop is never blocked, and many runs at a time cost no threads."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.gates import Gates
from support.loops import AsyncSource, Heart, until

from slither_actors import DispatchError, Item, System
from slither_actors.runs.input import async_producer
from slither_actors.runs.output import asyncio_driver
from slither_actors.strategies import Strategy

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}


@pytest.mark.parametrize("size", [1, 100, 2048])
def test_a_thousand_short_runs_at_a_time_cost_no_thread(system: System, size: int) -> None:
    runs = 1000 if size < 2048 else 100

    async def main() -> int:
        before = most = threading.active_count()

        async def one(number: int) -> None:
            nonlocal most
            results = await system.dispatch.arun(range(number, number + size), **DOUBLE)
            most = max(most, threading.active_count())
            assert [item.payload for item in results] == list(range(2 * number, 2 * (number + size), 2))

        await asyncio.gather(*map(one, range(runs)))
        return most - before

    assert asyncio.run(main()) == 0


def test_a_thousand_ready_batches_that_all_wait_cost_no_thread(system: System, gates: Gates) -> None:
    async def main() -> int:
        before = threading.active_count()
        gated = {"module": "tasks", "function": "through_gates"}
        calls = [
            asyncio.create_task(system.dispatch.acall_batch([(n, gates["shut"]), -n], **gated)) for n in range(1000)
        ]
        await until(lambda: system.statistics().runs == 1000)
        most = threading.active_count()
        gates.open("shut")
        for n, batch in enumerate(await asyncio.gather(*calls)):
            assert [item.payload for item in batch] == [n, -n]
        return most - before

    assert asyncio.run(main()) == 0


SOURCES = {
    "small list": lambda: list(range(4000)),
    "large range": lambda: range(200_000),
    "count": lambda: itertools.islice(itertools.count(), 200_000),
    "async, never waits": lambda: AsyncSource(range(100_000)),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_other_tasks_have_their_turn_while_results_are_there(
    system: System, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 5  # at the clock, until a turn is over
    ticks = itertools.count(0.0, asyncio_driver.LOOP_SECONDS / looks)
    monkeypatch.setattr(asyncio_driver, "monotonic", lambda: next(ticks))
    pieces: Counter[int] = Counter()
    pulled: Counter[int] = Counter()
    original = asyncio_driver.AsyncioDriver.next
    heart = Heart()

    async def counted(self: asyncio_driver.AsyncioDriver) -> Any:
        piece = await original(self)
        pieces[heart.beats] += 1
        return piece

    monkeypatch.setattr(asyncio_driver.AsyncioDriver, "next", counted)

    async def counting(items: AsyncSource) -> AsyncIterator[Any]:
        async for item in items:
            pulled[heart.beats] += 1
            yield item

    async def main() -> None:
        items = source()
        if isinstance(items, AsyncSource):
            items = counting(items)
        async with heart:
            async for _ in system.dispatch.astream(items, **DOUBLE):
                pass

    asyncio.run(main())
    assert 0 < max(pieces.values()) <= looks + 2
    assert max(pulled.values(), default=0) <= async_producer.SOURCE_ITEMS


def test_a_sync_source_that_blocks_holds_up_its_own_run_only(system: System) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def source() -> Iterator[bool]:
            for _ in range(3):
                went_on = threading.Event()
                loop.call_soon_threadsafe(went_on.set)
                yield went_on.wait(20)

        results = await system.dispatch.arun(source(), module="tasks", function="square", each=True)
        assert [item.payload for item in results] == [True] * 3

    asyncio.run(main())


def test_a_stuck_source_is_waited_for_without_blocking(system: System) -> None:
    let_go = threading.Event()

    def source() -> Iterator[int]:
        yield -1
        let_go.wait(60)

    async def main() -> tuple[Heart, float, DispatchError]:
        began = time.monotonic()
        async with Heart() as heart:
            with pytest.raises(DispatchError) as caught:
                await system.dispatch.arun(source(), module="tasks", function="negative_ones_fail", batch_size=1)
        return heart, time.monotonic() - began, caught.value

    heart, took, error = asyncio.run(main())
    let_go.set()
    assert error.unfinished == [0]
    assert took < 10
    assert heart.beats > 50  # in two seconds of grace


def test_a_run_that_waits_for_a_worker_holds_up_nobody(system: System, gates: Gates) -> None:
    async def main() -> None:
        async with Heart() as heart:
            run = asyncio.create_task(
                system.dispatch.arun([(0, gates["shut"])], module="tasks", function="through_gates")
            )
            await asyncio.to_thread(gates.wait_begun, "shut")
            beats = heart.beats
            await until(lambda: heart.beats > beats + 20)
            gates.open("shut")
            assert (await run)[0].payload == 0

    asyncio.run(main())


def test_a_strategy_for_large_source_is_called_in_thread_of_run(system: System) -> None:
    class Noting(Strategy):
        """One by one."""

        def __init__(self) -> None:
            self.seen: set[threading.Thread] = set()

        def add(self, item: Item) -> list[list[Item]]:
            self.seen.add(threading.current_thread())
            return [[item]]

        def flush(self) -> list[list[Item]]:
            return []

    async def main() -> None:
        for count, here in ((100, True), (5_000, False)):
            strategy = Noting()
            await system.dispatch.arun(range(count), **DOUBLE, strategy=strategy)
            assert (strategy.seen == {threading.current_thread()}) is here
            assert len(strategy.seen) == 1

    asyncio.run(main())
