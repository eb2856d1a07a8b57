"""Many callers of requests and of a batcher: answered under kills, cancelled at random, more than can be served."""

from __future__ import annotations

import asyncio
import random
import resource
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from slither_actors import DeadlineExceeded, Overloaded, Retry, System
from slither_actors.dynamic_batcher.batcher import DynamicBatcher

NAPS: dict[str, Any] = {"module": "tasks", "function": "naps_for"}
AGAIN = Retry(max_attempts=50, backoff=0.01, max_backoff=0.1)
CALLERS = 100
Call = Callable[[Any], Awaitable[Any]]


def plain(system: System) -> Call:
    """Return a call by `arun`."""

    async def call(value: Any) -> Any:
        (item,) = await system.dispatch.arun([value], **NAPS, on_error=AGAIN)
        return item.payload

    return call


def bound(system: System) -> Call:
    """Return a bound call."""
    score = system.dispatch.bind(**NAPS, on_error=AGAIN)

    async def call(value: Any) -> Any:
        (item,) = await score.acall_batch([value])
        return item.payload

    return call


def batched(system: System) -> DynamicBatcher:
    """Return a batcher of small batches."""
    return system.batcher(**NAPS, on_error=AGAIN, max_batch_size=8)


async def answers(call: Call, count: int) -> int:
    """Make so many calls, and return how many got their own answer."""
    seconds = 0.01 if isinstance(call, DynamicBatcher) else 0.001  # of a batch
    numbers = iter(range(count))
    right = 0

    async def caller() -> None:
        nonlocal right
        for number in numbers:
            own = await call((number, seconds)) == number
            right += own  # not in one statement, which would add to what it was before the call

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return right


async def cancelled(call: Call, count: int, seed: int) -> Counter[str]:
    """Make so many calls at once, and cancel half of them at random moments; what came of them, by name."""
    rnd = random.Random(seed)
    seen: Counter[str] = Counter()

    async def one(number: int) -> None:
        await asyncio.sleep(rnd.random() * 0.1)
        task = asyncio.ensure_future(call((number, 0.0)))
        if rnd.random() < 0.5:
            asyncio.get_running_loop().call_later(rnd.random() ** 3 * 0.05, task.cancel)
        try:
            seen["own" if await task == number else "of another"] += 1
        except asyncio.CancelledError:
            seen["cancelled"] += 1

    await asyncio.gather(*(one(number) for number in range(count)))
    return seen


async def overload(system: System, seconds: float, deadline: float) -> dict[str, Any]:
    """Call three times as much as two workers can do; what came of the calls, the longest wait, the memory's growth."""
    loop = asyncio.get_running_loop()
    seen: Counter[str] = Counter()
    waits: list[float] = []
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with system.batcher(**NAPS, max_batch_size=4, max_queue=64, deadline=deadline) as score:

        async def one(number: int) -> None:
            began = loop.time()
            try:
                assert await score((number, 0.01)) == number
                waits.append(loop.time() - began)
                seen["answered"] += 1
            except (Overloaded, DeadlineExceeded) as error:
                seen[type(error).__name__] += 1

        # Two workers with batches of four that take 10 ms: 800 calls a second.
        async with asyncio.TaskGroup() as group:
            end, number = loop.time() + seconds, 0
            while loop.time() < end:
                for _ in range(24):
                    group.create_task(one(number))
                    number += 1
                await asyncio.sleep(0.01)
        taken = score.statistics()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun
    return {"seen": seen, "calls": number, "longest": max(waits), "grown": grown, "statistics": taken}


def nothing_is_left(system: System, batcher: DynamicBatcher | None = None) -> bool:
    """Return whether no request is under way, and the books balance."""
    if system._opener.live.count or any(lane.pending or lane.cancelling for lane in system.requests._lanes._all()):
        return False
    if batcher is None:
        return True
    now = batcher.statistics()
    return not (now.queue or now.executing) and now.calls == now.done + now.failed + now.overdue + now.gone
