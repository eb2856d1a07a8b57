"""More than the workers can do, while these are killed: each caller gets its answer or an error, and in time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.victims import counts, pids, works

from slither_actors import DeadlineExceeded, DispatchError, Overloaded, QueueTimeout, Retry, System

pytestmark = pytest.mark.fault(30)

Start = Callable[..., System]
CALLERS, EACH = 60, 12


def test_each_caller_is_answered_or_refused_while_workers_die(start: Start) -> None:
    """Sixty callers at once for two workers, of which fewer than twenty may wait."""
    system = start(size=2, max_waiting=16, queue_timeout=5.0, max_restarts=None)
    score = system.dispatch.bind(
        module="tasks", function="naps_for", on_error=Retry(20, backoff=0.0), deadline=20.0, timeout=10.0
    )
    seen: Counter[str] = Counter()

    async def caller(number: int) -> None:
        for turn in range(EACH):
            value = number * EACH + turn
            try:
                (item,) = await score.acall_batch([(value, 0.002)])
                assert item.payload == value
                seen["answered"] += 1
            except DispatchError as error:
                seen[type(error.reason).__name__] += 1
                await asyncio.sleep(0.01)

    async def killer(over: asyncio.Event) -> None:
        while not over.is_set():
            for pid in pids(system)[:1]:
                os.kill(pid, signal.SIGKILL)
            try:
                await asyncio.wait_for(over.wait(), 0.2)
            except TimeoutError:
                continue

    async def main() -> None:
        over = asyncio.Event()
        kills = asyncio.create_task(killer(over))
        await asyncio.gather(*map(caller, range(CALLERS)))
        over.set()
        await kills

    asyncio.run(main())
    assert sum(seen.values()) == CALLERS * EACH
    assert set(seen) <= {"answered", "Overloaded"}
    assert seen["answered"]
    assert seen["Overloaded"]
    assert counts(system).overloaded == seen["Overloaded"]
    assert works(system)
    snapshot: Any = system.statistics().pools["default"].pool
    assert (snapshot.unserved, snapshot.waiting, snapshot.in_pipes) == (0, 0, 0)


def test_behind_a_worker_that_hangs_all_hear_of_it_in_time(start: Start) -> None:
    """The one worker hangs: one caller is at it, four may wait, and none of the eight waits for longer than it said."""
    system = start(max_waiting=4, queue_timeout=0.3)
    score = system.dispatch.bind(module="hangs", function="in_python", timeout=None, deadline=1.5)

    async def main() -> list[Any]:
        return await asyncio.gather(*(score.acall_batch(["/dev/null"]) for _ in range(8)), return_exceptions=True)

    answers = asyncio.run(main())
    reasons = Counter(type(answer.reason) for answer in answers if isinstance(answer, DispatchError))
    assert reasons == {DeadlineExceeded: 1, QueueTimeout: 4, Overloaded: 3}
    seen = counts(system)
    assert (seen.overdue, seen.queue_timeouts, seen.overloaded) == (1, 4, 3)
    assert system.stop(timeout=20)
