"""Workers killed for work whose callers are gone: no other run pays for it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates, pids_in, wait_gone
from support.victims import counts, works

from slither_actors import DeadlineExceeded, DispatchError, Item, System

pytestmark = pytest.mark.fault(31)

Start = Callable[..., System]
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "timeout": None}
KILL: dict[str, Any] = {**GATED, "on_abandon": "kill"}


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def nothing_is_charged(system: System) -> None:
    """The kill counts for nothing but itself."""
    seen = counts(system)
    assert (seen.kills, seen.exits) == ({"unwanted": 1}, {"SIGKILL": 1})
    assert (seen.deaths, seen.restarts) == (0, {})


def cancel_a_run(system: System, gates: Gates) -> None:
    cancel(lambda: system.dispatch.arun(iter([0, (1, gates["a"])]), **KILL, batch_size=1), gates)


def cancel_a_call(system: System, gates: Gates) -> None:
    cancel(lambda: system.dispatch.bind(**KILL).acall_batch([(1, gates["a"])]), gates)


def cancel(call: Callable[[], Coroutine[Any, Any, Any]], gates: Gates) -> None:
    async def main() -> None:
        task = asyncio.create_task(call())
        await asyncio.to_thread(gates.wait_begun, "a")
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())


def cancel_a_future(system: System, gates: Gates) -> None:
    future = system.dispatch.bind(**KILL).submit([(1, gates["a"])])
    gates.wait_begun("a")
    assert future.cancel()


def close_a_stream(system: System, gates: Gates) -> None:
    with system.dispatch.stream(iter([0, (1, gates["a"])]), **KILL, batch_size=1) as stream:
        assert next(stream) == Item(0, 0)
        gates.wait_begun("a")


def close_chunks(system: System, gates: Gates) -> None:
    talk = system.dispatch.bind(module="chunked", function="through_gates", timeout=None, on_abandon="kill")
    gates.open("first")
    with talk.stream_one([gates["first"], gates["a"]]) as stream:
        assert next(stream) == 0
        gates.wait_begun("a")


def miss_the_deadline(system: System, gates: Gates) -> None:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.call_batch([(1, gates["a"])], **KILL, deadline=3.0)
    assert isinstance(caught.value.reason, DeadlineExceeded)
    gates.wait_begun("a")


def miss_the_deadline_of_a_batcher(system: System, gates: Gates) -> None:
    async def main() -> None:
        async with system.batcher(**KILL, deadline=2.0) as score:
            with pytest.raises(DeadlineExceeded):
                await score((1, gates["a"]))

    asyncio.run(main())
    gates.wait_begun("a")


def fail_elsewhere(system: System, gates: Gates) -> None:
    def source() -> Iterator[object]:
        yield 1, gates["a"]
        gates.wait_begun("a")
        raise KeyError("source")

    with pytest.raises(DispatchError):
        system.dispatch.run(source(), **KILL, batch_size=1, deadline=3.0)


WAYS = [
    cancel_a_run,
    cancel_a_call,
    cancel_a_future,
    close_a_stream,
    close_chunks,
    miss_the_deadline,
    miss_the_deadline_of_a_batcher,
    fail_elsewhere,
]


@pytest.mark.parametrize("leave", WAYS, ids=lambda way: way.__name__)
def test_however_it_is_left_its_worker_is_killed(
    start: Start, gates: Gates, leave: Callable[[System, Gates], None]
) -> None:
    system = start(max_restarts=0)
    leave(system, gates)
    wait_gone(*gates.begun("a"))
    assert works(system)
    nothing_is_charged(system)


def test_by_default_it_finishes(start: Start, gates: Gates) -> None:
    system = start()
    future = system.dispatch.bind(**GATED).submit([(1, gates["a"])])
    gates.wait_begun("a")
    assert future.cancel()
    gates.open("a")
    assert works(system)
    assert (counts(system).kills, counts(system).late) == ({}, 1)


def test_what_waits_behind_it_is_answered_at_the_first_attempt(start: Start, gates: Gates, sent_ahead: int) -> None:
    system = start(max_restarts=0)
    score = system.dispatch.bind(**KILL)
    score.call_batch([0])  # what it takes is known, so that more are sent ahead
    futures = [score.submit([(n, gates["a"])]) for n in range(4)]
    gates.wait_begun("a")
    assert futures[0].cancel()
    gates.wait_begun("a", 2)
    gates.open("a")
    assert [future.result(20) for future in futures[1:]] == [[Item(0, n)] for n in range(1, 4)]
    assert len(gates.begun("a")) == 4  # each was begun once
    nothing_is_charged(system)


def test_so_soon_after_another_it_finishes(start: Start, gates: Gates) -> None:
    system = start()
    score = system.dispatch.bind(**KILL)
    for name in ("a", "b"):
        future = score.submit([(1, gates[name])])
        gates.wait_begun(name)
        assert future.cancel()
    # The start of the second worker has just taken as long as it takes.
    gates.open("b")
    assert works(system)
    assert counts(system).kills == {"unwanted": 1}


def test_children_of_unwanted_work_are_killed_with_it(start: Start, tmp_path: Path) -> None:
    system = start()
    score = system.dispatch.bind(module="hangs", function="with_children", timeout=None, on_abandon="kill")
    future = score.submit([str(tmp_path / "pids")])
    pids = pids_in(tmp_path / "pids", 3)
    assert future.cancel()
    wait_gone(*pids, seconds=5)
    assert works(system)


def test_of_several_at_a_time_all_must_be_unwanted(start: Start, gates: Gates) -> None:
    system = start(concurrency=2, max_restarts=0)
    score, plain = system.dispatch.bind(**KILL), system.dispatch.bind(**GATED)
    unwanted = score.submit([(1, gates["a"])])
    wanted = plain.submit([(2, gates["b"])])
    gates.wait_begun("a")
    gates.wait_begun("b")
    assert unwanted.cancel()
    gates.open("b")
    assert wanted.result(20) == [Item(0, 2)]
    wait_gone(*gates.begun("a"))
    assert works(system)
    nothing_is_charged(system)


def test_callers_that_come_and_go_get_their_own_answers(start: Start) -> None:
    """Of a thousand calls by fifty callers a third is cancelled at some moment, and some workers are killed for it."""
    system = start(size=2, max_restarts=0, max_waiting=40, queue_timeout=10.0)
    score = system.dispatch.bind(module="tasks", function="naps_for", on_abandon="kill", deadline=20.0)
    chance = random.Random(11)
    seen: Counter[str] = Counter()

    async def caller(number: int) -> None:
        for turn in range(20):
            value = 20 * number + turn
            task = asyncio.create_task(score.acall_batch([(value, 0.002)]))
            if chance.random() < 0.33:
                await asyncio.sleep(chance.random() * 0.1)
                task.cancel()
            (answer,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(answer, DispatchError):
                seen[type(answer.reason).__name__] += 1
                await asyncio.sleep(0.005)
            elif isinstance(answer, asyncio.CancelledError):
                seen["cancelled"] += 1
            else:
                assert answer == [Item(0, value)]
                seen["answered"] += 1

    async def main() -> None:
        await asyncio.gather(*map(caller, range(50)))

    asyncio.run(main())
    assert sum(seen.values()) == 1000
    assert set(seen) <= {"answered", "cancelled", "Overloaded"}
    assert works(system)
    after = counts(system)
    assert set(after.kills) == {"unwanted"}
    assert (after.deaths, after.restarts) == (0, {})
    # One that is cancelled when its refusal is on the way counts as cancelled there.
    assert seen["Overloaded"] <= after.overloaded <= seen["Overloaded"] + seen["cancelled"]
