"""Runs that are cancelled or abandoned in an event loop: workers are free, sources stop, nothing stays."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.gates import Gates
from support.loops import AsyncSource, until

from slither_actors import Retry, StreamClosed, System

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}

ENDLESS: dict[str, Callable[[], Any]] = {
    "count": itertools.count,
    "generator": lambda: (i for i in itertools.count()),
    "async iterable": lambda: AsyncSource(itertools.count()),
    "async generator": lambda: aiter(AsyncSource(itertools.count(), waits=True)),
}
sources = pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)


@pytest.fixture(autouse=True)
def all_is_free_again(system: System, eventually: Callable[..., None]) -> Iterator[None]:
    """After each of these tests no run is left, nothing waits, nothing is in a pipe, and the workers are the same."""
    before = {executor.pid for executor in system.statistics().pools["default"].executors}
    yield

    eventually(lambda: is_free(system), 10)
    assert {executor.pid for executor in system.statistics().pools["default"].executors} == before
    assert [item.payload for item in system.dispatch.run(range(10), **DOUBLE, batch_size=1)] == list(range(0, 20, 2))


def is_free(system: System) -> bool:
    now = system.statistics()
    pool = now.pools["default"].pool
    assert pool is not None
    return (now.runs, pool.runs, pool.waiting, pool.in_pipes, pool.ready) == (0, 0, 0, 0, 2)


GATED_SOURCES: dict[str, Callable[[list[Any]], Any]] = {
    "list": lambda items: items,
    "generator": lambda items: (item for item in items),
    "async": AsyncSource,
}


@pytest.mark.parametrize("source", GATED_SOURCES.values(), ids=GATED_SOURCES)
def test_cancelling_drops_what_waits_and_lets_the_rest_run_out(system: System, gates: Gates, source: Any) -> None:
    async def main() -> None:
        given = source([(0, gates["a"]), (1, gates["b"]), *((i, gates[i]) for i in range(2, 20))])
        task = asyncio.create_task(system.dispatch.arun(given, **GATED))
        await asyncio.to_thread(gates.wait_begun, "a")
        await asyncio.to_thread(gates.wait_begun, "b")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: system.statistics().runs == 0)
        pool = system.statistics().pools["default"].pool
        assert pool is not None
        assert (pool.runs, pool.waiting) == (0, 0)
        assert not is_free(system)  # the two that are executed
        gates.open("a", "b", *range(2, 20))
        await until(lambda: is_free(system))
        assert [i for i in range(2, 20) if gates.begun(i)] == []

    asyncio.run(main())


def test_a_timeout_of_asyncio_ends_the_run(system: System, gates: Gates) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await system.dispatch.arun([(0, gates["shut"])], **GATED)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(system.dispatch.arun(AsyncSource([(0, gates["shut"])]), **GATED), 0.05)
        gates.open("shut")

    asyncio.run(main())


def test_a_task_group_ends_its_runs_when_one_of_its_tasks_fails(system: System, gates: Gates) -> None:
    async def fails() -> None:
        await asyncio.to_thread(gates.wait_begun, "shut")
        raise LookupError("no")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(system.dispatch.arun([(0, gates["shut"]), 1], **GATED))
            group.create_task(fails())

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert caught.group_contains(LookupError)
    gates.open("shut")


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5, 8, 13, 40, 100])
@sources
def test_a_task_that_is_cancelled_at_any_moment(system: System, source: Any, moment: int) -> None:
    async def main() -> None:
        async def read() -> None:
            async for _ in system.dispatch.astream(source(), **DOUBLE, batch_size=2):
                await asyncio.sleep(0)

        task = asyncio.create_task(read())
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: is_free(system))

    asyncio.run(main())


@sources
def test_breaking_out_of_the_loop(system: System, source: Any) -> None:
    async def main() -> None:
        async for item in system.dispatch.astream(source(), **DOUBLE, batch_size=3):
            if item.id == 100:
                break
        await until(lambda: is_free(system))

    asyncio.run(main())


@sources
def test_leaving_the_async_with_block(system: System, source: Any) -> None:
    async def main() -> None:
        async with system.dispatch.astream(source(), **DOUBLE, batch_size=1) as stream:
            await anext(stream)
        with pytest.raises(StreamClosed):
            [item async for item in stream]
        await until(lambda: is_free(system))

    asyncio.run(main())


@sources
def test_aclose_in_a_finally_that_a_cancellation_leads_to(system: System, source: Any) -> None:
    async def read(begun: asyncio.Event) -> None:
        stream = system.dispatch.astream(source(), **DOUBLE)
        try:
            async for _ in stream:
                begun.set()
        finally:
            await stream.aclose()

    async def main() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(read(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: is_free(system))

    asyncio.run(main())


@sources
def test_an_exception_in_the_consumer(system: System, source: Any) -> None:
    async def main() -> None:
        async for item in system.dispatch.astream(source(), **DOUBLE, batch_size=2):
            1 // (item.id - 10)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


@sources
def test_dropping_a_stream_in_a_reference_cycle(system: System, source: Any) -> None:
    async def main() -> None:
        cycle: list[Any] = []
        cycle += [cycle, system.dispatch.astream(source(), **DOUBLE)]
        await anext(cycle[1])
        del cycle
        gc.collect()
        await until(lambda: is_free(system))

    asyncio.run(main())


def test_a_stream_that_is_dropped_by_another_thread(system: System) -> None:
    async def main() -> None:
        streams = [system.dispatch.astream(source(), **DOUBLE) for source in ENDLESS.values()]
        for stream in streams:
            await anext(stream)
        del stream
        await asyncio.to_thread(streams.clear)
        await until(lambda: is_free(system))

    asyncio.run(main())


@sources
def test_a_loop_that_shuts_down_closes_its_open_streams(
    system: System, source: Any, eventually: Callable[..., None]
) -> None:
    kept = []

    async def main() -> None:
        kept.append(system.dispatch.astream(source(), **DOUBLE))
        await anext(kept[0])

    asyncio.run(main())
    eventually(lambda: is_free(system))
    assert kept[0].statistics().in_flight == 0


@pytest.mark.parametrize("call", ["arun", "astream"])
def test_a_closed_loop_ends_a_run_with_nothing_in_flight(
    system: System, call: str, eventually: Callable[..., None]
) -> None:
    """The source stands still with the loop: no message comes that would find the loop closed."""

    async def source() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async def read() -> None:
        if call == "arun":
            await system.dispatch.arun(source(), **DOUBLE)
        else:
            async for _ in system.dispatch.astream(source(), **DOUBLE):
                pass

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    task = loop.create_task(read())
    for _ in range(20):
        loop.run_until_complete(asyncio.sleep(0))
    assert system.statistics().runs == 1
    loop.close()
    eventually(lambda: system.statistics().runs == 0)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as it is the point that it is destroyed


@pytest.mark.parametrize("call", ["arun", "astream"])
@pytest.mark.parametrize("source", GATED_SOURCES.values(), ids=GATED_SOURCES)
def test_a_loop_that_is_closed_with_a_task_in_middle_of_a_run(
    system: System, gates: Gates, source: Any, call: str, eventually: Callable[..., None]
) -> None:
    """Not shut down, its tasks not cancelled: the next message for the run finds out that it will not be read."""

    async def main() -> asyncio.Task[Any]:
        given = source([1, (2, gates["shut"]), 3])
        if call == "arun":
            task: asyncio.Task[Any] = asyncio.create_task(system.dispatch.arun(given, **GATED, max_in_flight=1))
        else:
            task = asyncio.create_task(read(system.dispatch.astream(given, **GATED, max_in_flight=1)))
        await asyncio.to_thread(gates.wait_begun, "shut")
        return task

    async def read(stream: Any) -> None:
        async with stream:
            async for _ in stream:
                pass

    loop = asyncio.new_event_loop()
    told: list[Any] = []
    loop.set_exception_handler(lambda loop, what: told.append(what["message"]))
    task = loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    gates.open("shut")
    eventually(lambda: is_free(system))
    assert not task.done()
    del task
    gc.collect()
    # asyncio's own complaint about the caller's task, and about the one that pulls an asynchronous source.
    assert set(told) <= {"Task was destroyed but it is pending!"}


@sources
def test_a_stream_that_is_dropped_when_its_loop_is_closed(
    system: System, source: Any, eventually: Callable[..., None]
) -> None:
    streams = []

    async def main() -> None:
        streams.append(system.dispatch.astream(source(), **DOUBLE))
        await anext(streams[0])

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, what: None)  # asyncio complains of the task that pulls
    loop.run_until_complete(main())
    loop.close()
    streams.clear()
    gc.collect()
    eventually(lambda: is_free(system))


def test_closing_is_repeatable_before_and_after_the_run(system: System) -> None:
    async def main() -> None:
        stream = system.dispatch.astream([1, 2], **DOUBLE)
        assert [item.payload async for item in stream] == [2, 4]
        await stream.aclose()
        await stream.aclose()
        assert [item async for item in stream] == []
        never_read = system.dispatch.astream(AsyncSource([1]), **DOUBLE)
        await never_read.aclose()
        with pytest.raises(StreamClosed):
            await anext(never_read)

    asyncio.run(main())


@pytest.mark.parametrize("source", GATED_SOURCES.values(), ids=GATED_SOURCES)
def test_closing_by_another_task_wakes_the_one_that_waits(system: System, gates: Gates, source: Any) -> None:
    async def main() -> None:
        stream = system.dispatch.astream(source([(0, gates["shut"]), *range(1, 10)]), **GATED, max_in_flight=1)
        waiting = asyncio.ensure_future(stream.__anext__())
        await asyncio.to_thread(gates.wait_begun, "shut")
        await stream.aclose()
        with pytest.raises(StreamClosed):
            await waiting
        gates.open("shut")

    asyncio.run(main())


def test_closing_while_batches_wait_for_their_back_off(system: System) -> None:
    async def main() -> None:
        stream = system.dispatch.astream(
            [-1, -2, 3],
            module="tasks",
            function="negative_ones_fail",
            batch_size=1,
            on_error=Retry(5, backoff=20, max_backoff=20),
        )
        waiting = asyncio.ensure_future(stream.__anext__())
        await until(lambda: stream.statistics().awaiting_retry == 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: is_free(system))

    asyncio.run(main())


def test_many_streams_closed_at_random_moments(system: System) -> None:
    kinds = list(ENDLESS.values())

    async def one(number: int) -> None:
        count = 0
        async with system.dispatch.astream(
            kinds[number % 4](),
            module="tasks",
            function="naps",
            batch_size=1 + number % 5,
            max_in_flight=1 + number % 3,
            ordering=("preserve", "as_completed")[number % 2],
        ) as stream:
            while count < number * 3 % 17:
                await anext(stream)
                count += 1

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(80):
                group.create_task(one(number))

    asyncio.run(main())


def test_a_dropped_stream_says_nothing_to_the_loop(system: System) -> None:
    """No task is made to close it, nothing is left to be awaited: the suite turns such warnings into errors."""

    async def main() -> list[Any]:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: told.append(what))
        for source in ENDLESS.values():
            stream = system.dispatch.astream(source(), **DOUBLE)
            await anext(stream)
            del stream
        threads = threading.active_count()
        await asyncio.sleep(0.05)
        assert threading.active_count() <= threads
        return told

    assert asyncio.run(main()) == []
