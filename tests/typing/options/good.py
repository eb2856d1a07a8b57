"""A user's program with every option of runs and pools: `mypy --strict` has nothing against it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from slither_actors import Context, Dispatch, Item, PoolSpec, Retry, Route, System
from slither_actors.executors import Call, Command, RunSettings, SnakeBridge, Snakepit
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch


def predict(batch: list[int]) -> list[int]:
    return batch


def mark(item: Item, reason: Exception) -> Item:
    return item.put_meta(failed=str(reason))


class Mine:
    def __init__(self, speed: int = 1) -> None:
        self.speed = speed

    def request(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Call | Command:
        return Command("each", {"items": [item.payload for item in batch], "most": options.batch_size})

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        return [item.update_payload(value) for item, value in zip(batch, reply, strict=True)]


class Here:
    def execute_batch(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Iterable[Item]:
        return batch


class Pairs(Strategy):
    def add(self, item: Item) -> Iterable[Sequence[Item]]:
        return ()

    def flush(self) -> Iterable[Sequence[Item]]:
        return ()


results: list[Item] = Dispatch.run([1, 2], function=predict)
results = Dispatch.run([1, 2], module="m", function="f", each=True, pool="p", affinity="strict", batch_size=3)
results = Dispatch.run([1, 2], command="c", context=Context.new(session_id="s"), max_in_flight=2, prefetch=0)
results = Dispatch.run([1, 2], function=predict, max_in_flight_bytes=10**9, ordering="as_completed", linger=0.5)
results = Dispatch.run([1, 2], function=predict, timeout=None, batch_timeout=60, on_error="skip")
results = Dispatch.run([1, 2], function=predict, on_error=Retry(3, split=True, then=Route(mark)))
results = Dispatch.run([1, 2], function=predict, on_error=Route(mark), strategy=FixedBatch)
results = Dispatch.run([1, 2], function=predict, strategy=KeyPartition, key_fn=lambda item: item.id)
results = Dispatch.run([1, 2], function=predict, strategy=WeightedBatch, weight_fn=lambda item: 2, max_weight=9)
results = Dispatch.run([1, 2], executor=SnakeBridge, module="m", function="f", strategy=WeightedBatch(max_weight=5))
results = Dispatch.run([1, 2], executor=Snakepit(command="c"), strategy=Pairs)
results = Dispatch.run([1, 2], executor=Here)
results = Dispatch.run([1, 2], executor=Mine(3), strategy=Pairs())
own: dict[str, Any] = {"speed": 3}
results = Dispatch.run([1, 2], executor=Mine, **own)
results = Dispatch.call_batch([1, 2], function=predict, on_error="halt")
for one in Dispatch.stream([1, 2], function=predict, batch_size=None):
    results.append(one)


async def numbers() -> AsyncIterator[int]:
    yield 1


async def main() -> None:
    several: list[Item] = await Dispatch.arun(numbers(), function=predict, batch_size=3)
    several += await Dispatch.acall_batch([1], function=predict, timeout=3)
    async with Dispatch.astream(numbers(), function=predict, ordering="preserve") as stream:
        async for item in stream:
            several.append(item)


asyncio.run(main())
with System(
    {"a": PoolSpec(size=2, affinity="hint", max_restarts="auto"), "b": {"size": 2, "timeout": None, "preload": ["m"]}},
    dispatch={"batch_size": 100, "on_error": "skip", "timeout": None, "pool": "a"},
) as system:
    results = system.dispatch.run([1], function=predict, pool="a")
