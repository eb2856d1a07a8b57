"""How a dynamic batcher ends, and goes on, where callers, event loops and functions do what they may at any moment."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from support.gates import SECONDS, Gates
from support.loops import until
from support.worker import FUNCTIONS

from slither_actors import (
    BatcherClosed,
    DeadlineExceeded,
    OptionError,
    Overloaded,
    PoolSpec,
    StrategyError,
    System,
    WorkerError,
)
from slither_actors.dynamic_batcher.loop_home import LoopHome

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates"}


@pytest.fixture
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system:
        yield system


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def idle(system: System) -> bool:
    """Nothing is under way, as far as a drain is concerned."""
    return not system._opener.live.count


# -- its end


def test_a_deadline_in_execution_lets_it_close(system: System, gates: Gates) -> None:
    async def main() -> None:
        async with system.batcher(**GATED) as call:
            late = call((0, gates["a"]), deadline=0.2)
            await asyncio.to_thread(gates.wait_begun, "a")
        assert isinstance(late.exception(), DeadlineExceeded)

    asyncio.run(asyncio.wait_for(main(), SECONDS))
    gates.open("a")


def test_a_deadline_in_execution_lets_threads_close_it(system: System, gates: Gates) -> None:
    with system.batcher(**GATED) as call:
        late = call.submit((0, gates["a"]), deadline=0.2)
        gates.wait_begun("a")
    assert isinstance(late.exception(0), DeadlineExceeded)
    gates.open("a")


def test_a_drain_does_not_wait_for_callers_that_are_gone(system: System, gates: Gates) -> None:
    async def main() -> None:
        call = system.batcher(**GATED, max_batch_size=1)
        first, *others = [call((0, gates["a"])), *map(call, range(1, 9))]
        await asyncio.to_thread(gates.wait_begun, "a")
        draining = asyncio.create_task(asyncio.to_thread(system.drain, 3600.0))
        for other in others:
            other.cancel()
        gates.open("a")
        assert await first == 0
        assert (await asyncio.wait_for(draining, SECONDS)).stopped

    asyncio.run(main())


def test_one_that_was_closed_refuses_what_comes_at_that_moment(system: System) -> None:
    call = system.batcher(**DOUBLE)
    home = call._make_threads()
    assert home.call(1, 0, None).result(SECONDS) == 2
    home.drain_from_thread()
    with pytest.raises(BatcherClosed):
        home.call(2, 0, None)
    call.close()
    taken = call.statistics()
    assert (taken.calls, taken.done) == (1, 1)


def test_what_comes_after_the_last_answer_is_refused(system: System) -> None:
    call = system.batcher(**DOUBLE)
    home = call._make_threads()
    held, came, go_on = threading.Event(), [], threading.Event()

    def last(future: Future[Any]) -> None:  # on the home's thread
        held.set()
        go_on.wait(SECONDS)

    home.call(1, 0, None).add_done_callback(last)
    assert held.wait(SECONDS)
    closing = threading.Thread(target=call.close)
    closing.start()
    while not call._closed:
        time.sleep(0.001)
    came = [home.call(number, 0, None) for number in range(3)]  # they looked before it was closed
    go_on.set()
    closing.join(SECONDS)
    assert not closing.is_alive()
    for future in came:
        assert isinstance(future.exception(SECONDS), BatcherClosed) or future.result() in (0, 2, 4)


def test_a_loop_that_ends_meanwhile_does_not_delay_a_close(system: System, gates: Gates) -> None:
    call = system.batcher(**GATED)
    begun, leave = threading.Event(), threading.Event()

    async def main() -> None:
        call((0, gates["a"]))
        await asyncio.to_thread(gates.wait_begun, "a")
        begun.set()
        await until(leave.is_set)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert begun.wait(SECONDS)
    closing = threading.Thread(target=call.close)
    closing.start()
    (home,) = call._homes()
    assert isinstance(home, LoopHome)
    while not home._drained:
        time.sleep(0.001)
    leave.set()
    for each in (thread, closing):
        each.join(SECONDS)
        assert not each.is_alive()
    gates.open("a")


# -- event loops that are closed in the middle of things


@pytest.mark.parametrize("value", [1, -1], ids=["a result", "an error"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_a_loop_closed_with_a_call_in_execution_leaves_nothing(
    system: System, gates: Gates, value: int, eventually: Any
) -> None:
    call = system.batcher(module="tasks", function="negative_ones_fail")
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        call((value, gates["a"]))
        call((value, gates["a"]))
        await asyncio.to_thread(gates.wait_begun, "a")

    loop.run_until_complete(begin())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    gates.open("a")
    eventually(lambda: idle(system), SECONDS)
    assert call.submit(5).result(SECONDS) == 5
    call.close()
    (lane,) = system.requests._lanes._all()
    eventually(lambda: not lane.pending)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_a_loop_closed_while_a_batch_is_split_leaves_nothing(system: System, eventually: Any) -> None:
    call = system.batcher(module="tasks", function="negative_ones_fail")
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        call(-1)
        call(-1)
        (home,) = call._homes()
        settle, began = home.settle, asyncio.Event()
        home.settle = lambda *arguments: (settle(*arguments), began.set())  # type: ignore[method-assign]
        await began.wait()

    loop.run_until_complete(begin())
    loop.close()
    gc.collect()
    eventually(lambda: idle(system), SECONDS)
    call.close()
    (lane,) = system.requests._lanes._all()
    eventually(lambda: not lane.pending)


# -- what users give it


@pytest.mark.parametrize("weight", ["3", None, -1, float("nan"), True])
def test_a_weight_that_is_none_is_refused(system: System, weight: Any) -> None:
    async def main(call: Any) -> None:
        with pytest.raises(StrategyError, match="weight_fn"):
            call(1)
        assert await call(2) == 4

    with system.batcher(**DOUBLE, weight_fn=lambda value: weight if value == 1 else 1, max_weight=5) as call:
        with pytest.raises(StrategyError, match="weight_fn"):
            call.submit(1)
        assert call.submit(2).result(SECONDS) == 4
        asyncio.run(main(call))


@pytest.mark.parametrize("priority", ["", None, "1"])
def test_a_wrong_priority_costs_no_call_of_others(system: System, priority: Any) -> None:
    with system.batcher(**DOUBLE) as call:
        with pytest.raises(OptionError, match="priority"):
            call.submit(1, priority=priority)
        assert call.submit(2, priority=3).result(SECONDS) == 4


def test_a_maximum_weight_counts_calls_where_none_weighs_them(system: System, gates: Gates) -> None:
    async def main() -> Any:
        async with system.batcher(**GATED, max_weight=3) as call:
            first = call((0, gates["a"]))
            await asyncio.to_thread(gates.wait_begun, "a")
            rest = [call(number) for number in range(9)]
            await asyncio.sleep(0)
            gates.open("a")
            await asyncio.gather(first, *rest)
            return call.statistics()

    taken = asyncio.run(main())
    assert max(taken.sizes) == 3
    assert taken.closed_by["full"] > 0


def test_a_callback_that_exits_costs_no_answer_of_others(system: System, gates: Gates) -> None:
    def exits(future: Future[Any]) -> None:
        raise SystemExit

    with system.batcher(**GATED) as call:
        first = call.submit((0, gates["a"]))
        gates.wait_begun("a")
        futures = [call.submit(number) for number in range(20)]
        for future in futures[:5]:
            future.add_done_callback(exits)
        gates.open("a")
        assert [future.result(SECONDS) for future in (first, *futures)] == [0, *range(20)]


def test_a_callback_that_exits_costs_no_future_of_a_bound_call(system: System, gates: Gates) -> None:
    def exits(future: Future[Any]) -> None:
        raise SystemExit

    bound = system.dispatch.bind(**GATED)
    first = bound.submit([(0, gates["a"])])
    futures = [bound.submit([number]) for number in range(20)]
    for future in futures[:5]:
        future.add_done_callback(exits)
    gates.open("a")
    assert [future.result(SECONDS)[0].payload for future in (first, *futures)] == [0, *range(20)]


def test_a_callback_may_call_the_batcher_again(system: System) -> None:
    chained: list[Future[Any]] = []
    enough = threading.Event()

    with system.batcher(**DOUBLE) as call:

        def again(future: Future[Any]) -> None:
            if len(chained) < 50:
                chained.append(call.submit(future.result()))
                chained[-1].add_done_callback(again)
            else:
                enough.set()

        call.submit(1).add_done_callback(again)
        assert enough.wait(SECONDS)
    assert chained[-1].result(SECONDS) == 2 << 50


def test_map_waits_where_the_queue_is_full(system: System) -> None:
    with system.batcher(**DOUBLE, max_queue=3) as call:
        assert list(call.map(range(500))) == list(range(0, 1000, 2))


def test_cancelled_calls_make_room_in_the_queue(system: System, gates: Gates, eventually: Any) -> None:
    with system.batcher(**GATED, max_queue=2, max_wait=3600.0) as call:
        first = call.submit((0, gates["a"]))
        gates.wait_begun("a")
        waiting = [call.submit(1), call.submit(2)]
        assert all(future.cancel() for future in waiting)
        taken: list[Future[Any]] = []

        def has_room() -> bool:
            try:
                taken.append(call.submit(3))
            except Overloaded:
                return False
            return True

        eventually(has_room, SECONDS)
        gates.open("a")
        assert (first.result(SECONDS), taken[0].result(SECONDS)) == (0, 3)


def test_statistics_may_be_asked_for_while_calls_come(system: System) -> None:
    over = threading.Event()
    wrong: list[BaseException] = []

    def look() -> None:
        while not over.is_set():
            try:
                call.statistics()
            except BaseException as error:
                wrong.append(error)
                return

    async def main() -> None:
        for start in range(0, 20_000, 1000):
            calls = [call(number, priority=number % 5) for number in range(start, start + 1000)]
            await asyncio.gather(*calls)

    with system.batcher(**DOUBLE) as call:
        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            asyncio.run(main())
        finally:
            over.set()
            for thread in threads:
                thread.join(SECONDS)
    assert wrong == []


def test_what_cannot_be_sent_or_read_fails_its_own_caller(system: System) -> None:
    async def main() -> list[Any]:
        async with system.batcher(**DOUBLE) as call:
            return await asyncio.gather(*map(call, [1, object(), 2, "x", 3, {1, 2}]), return_exceptions=True)

    first, bad, second, text, third, pair = asyncio.run(main())
    assert (first, second, text, third) == (2, 4, "xx", 6)
    assert isinstance(bad, Exception)
    assert isinstance(pair, WorkerError)


@pytest.mark.parametrize("kind", ["loop", "threads"])
def test_alarms_are_as_few_as_there_are_spans(
    system: System, gates: Gates, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_at: list[float] = []

    async def in_loop(call: Any) -> None:
        first = call((0, gates["a"]), deadline=3600.0)
        await asyncio.to_thread(gates.wait_begun, "a")
        loop = asyncio.get_running_loop()
        call_at = loop.call_at
        monkeypatch.setattr(loop, "call_at", lambda when, *rest: (set_at.append(when), call_at(when, *rest))[1])
        for _ in range(100):
            late = call(1, deadline=0.001)
            with pytest.raises(DeadlineExceeded):
                await late
        gates.open("a")
        await first

    def in_threads(call: Any) -> None:
        first = call.submit((0, gates["a"]), deadline=3600.0)
        gates.wait_begun("a")
        home = call._threads
        call_at = home.call_at
        monkeypatch.setattr(home, "call_at", lambda when, function: (set_at.append(when), call_at(when, function))[1])
        for _ in range(100):
            assert isinstance(call.submit(1, deadline=0.001).exception(SECONDS), DeadlineExceeded)
        gates.open("a")
        first.result(SECONDS)

    with system.batcher(**GATED, max_wait=1800.0) as call:
        if kind == "loop":
            asyncio.run(in_loop(call))
        else:
            in_threads(call)
    now = time.monotonic()
    assert len([when for when in set_at if when > now + 600]) < 10


def test_one_that_is_dropped_leaves_no_thread(system: System, eventually: Any) -> None:
    before = set(threading.enumerate())
    call = system.batcher(**DOUBLE)
    assert call.submit(1).result(SECONDS) == 2
    assert len(set(threading.enumerate()) - before) == 1
    del call
    gc.collect()
    eventually(lambda: set(threading.enumerate()) <= before, SECONDS)
