"""Streams of one payload, read by tasks of an event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chunks import Notes, stream_one
from support.gates import Gates
from support.loops import until
from support.worker import FUNCTIONS

from slither_actors import EventLoopBlocked, PoolSpec, StreamBroken, StreamClosed, System


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Two workers, for tests that leave them alive."""
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}, name="test") as system:
        yield system


@pytest.fixture(autouse=True)
def all_is_free_again(system: System, eventually: Callable[..., None]) -> Iterator[None]:
    before = {executor.pid for executor in system.statistics().pools["default"].executors}
    yield
    eventually(lambda: is_free(system), 10)
    assert {executor.pid for executor in system.statistics().pools["default"].executors} == before


def is_free(system: System) -> bool:
    now = system.statistics()
    pool = now.pools["default"].pool
    assert pool is not None
    return (now.runs, pool.runs, pool.waiting, pool.in_pipes, pool.ready) == (0, 0, 0, 0, 2)


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def endless(system: System, notes: Notes, **options: Any) -> Any:
    return stream_one(system, (str(notes.path), 10**9), function="noted", **options)


@pytest.mark.parametrize("n", [0, 1, 16, 17, 1000])
def test_all_chunks_come_in_their_order(system: System, n: int) -> None:
    async def main() -> list[int]:
        stream = stream_one(system, n, function="count")
        got = [chunk async for chunk in stream]
        assert stream.delivered == n
        assert [chunk async for chunk in stream] == []
        return got

    assert asyncio.run(main()) == list(range(n))


def test_many_tasks_have_their_own_chunks_each(system: System) -> None:
    async def read(n: int) -> list[int]:
        return [chunk async for chunk in stream_one(system, n, function="count")]

    async def main() -> None:
        got = await asyncio.gather(*map(read, range(100)))
        assert got == [list(range(n)) for n in range(100)]

    asyncio.run(main())


def test_a_slow_reader_stops_the_function(system: System, notes: Notes) -> None:
    async def main() -> None:
        async with endless(system, notes, max_ahead=4) as stream:
            for number in range(40):
                assert await anext(stream) == number
                await asyncio.sleep(0)
                assert notes.begun <= number + 1 + 4

    asyncio.run(main())


def test_the_loop_serves_others_while_chunks_are_there(system: System) -> None:
    async def main() -> int:
        turns = 0
        over = False

        async def others() -> None:
            nonlocal turns
            while not over:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        async for _ in stream_one(system, 20_000, function="count", max_ahead=20_000):
            pass
        over = True
        await task
        return turns

    assert asyncio.run(main()) > 20


async def closes(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()
    with pytest.raises(StreamClosed):
        await anext(stream)


async def breaks(stream: Any) -> None:
    async for _ in stream:
        break
    del stream


async def leaves_a_context(stream: Any) -> None:
    async with stream:
        await anext(stream)


async def leaves_a_loop_in_a_context(stream: Any) -> None:
    async with stream:
        async for _ in stream:
            break
        assert await anext(stream) == 1  # it is the block that closes it


async def raises_in_the_loop(stream: Any) -> None:
    with pytest.raises(KeyError):  # noqa: PT012  # the loop is what is left
        async for _ in stream:
            raise KeyError


async def is_cancelled_while_it_waits(stream: Any) -> None:
    async def read() -> None:
        async for _ in stream:
            pass

    task = asyncio.create_task(read())
    await until(lambda: stream.delivered >= 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(StreamClosed):
        await anext(stream)


async def drops_it(stream: Any) -> None:
    await anext(stream)
    del stream
    gc.collect()


LEAVING = [
    closes,
    breaks,
    leaves_a_context,
    leaves_a_loop_in_a_context,
    raises_in_the_loop,
    is_cancelled_while_it_waits,
    drops_it,
]


@pytest.mark.parametrize("leave", LEAVING)
def test_a_reader_that_leaves_frees_the_worker(
    system: System, notes: Notes, eventually: Callable[..., None], leave: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        await leave(endless(system, notes))
        await until(lambda: notes.ended == "closed")  # while the loop runs

    asyncio.run(main())


def test_the_end_of_the_loop_frees_the_worker(system: System, notes: Notes, eventually: Callable[..., None]) -> None:
    kept: list[Any] = []

    async def main() -> None:
        kept.append(aiter(endless(system, notes)))
        await anext(kept[0])

    asyncio.run(main())
    eventually(lambda: notes.ended == "closed")


def test_a_loop_closed_under_its_reader_frees_the_worker(
    system: System, notes: Notes, eventually: Callable[..., None]
) -> None:
    loop = asyncio.new_event_loop()
    stream = endless(system, notes, reader_timeout=None)
    loop.run_until_complete(anext(stream))
    loop.close()
    del stream
    eventually(lambda: notes.ended == "closed")


def test_timeout_of_asyncio_frees_the_worker(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)

    async def main() -> None:
        stream = stream_one(system, [gates["never"]], function="through_gates")
        task = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
        await asyncio.to_thread(gates.wait_begun, "never")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, 0.001)
        with pytest.raises(StreamClosed):
            await anext(stream)
        gates.open("never")

    asyncio.run(main())


def test_a_second_task_is_refused_and_disturbs_nothing(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)

    async def main() -> None:
        stream = stream_one(system, [gates["a"]], function="through_gates")
        task = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
        await asyncio.to_thread(gates.wait_begun, "a")
        with pytest.raises(RuntimeError, match="another thread or task is waiting"):
            await anext(stream)
        with pytest.raises(RuntimeError, match="another thread or task is waiting"):
            async for _ in stream:
                pass
        gates.open("a")
        assert await task == 0
        await stream.aclose()

    asyncio.run(main())


def test_it_is_read_in_one_way(system: System) -> None:
    async def main() -> None:
        stream = stream_one(system, 3, function="count")
        assert await anext(stream) == 0
        with pytest.raises(RuntimeError, match="being read already"), pytest.warns(EventLoopBlocked):
            next(stream)
        assert [chunk async for chunk in stream] == [1, 2]

    asyncio.run(main())


def test_another_loop_is_refused(system: System) -> None:
    stream = stream_one(system, 3, function="count")

    async def main() -> None:
        await anext(stream)

    asyncio.run(main())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(main())
    stream.close()


def test_an_exception_in_mid_stream_has_the_count(system: System) -> None:
    async def main() -> None:
        got = []
        with pytest.raises(StreamBroken, match="broke after 3 chunks") as caught:  # noqa: PT012
            async for chunk in stream_one(system, 3, function="fails_after"):
                got.append(chunk)  # noqa: PERF401  # what came before the error counts
        assert (got, caught.value.delivered) == ([0, 1, 2], 3)

    asyncio.run(main())


def test_chunks_are_read_in_a_thread_beside_the_loop(system: System) -> None:
    async def main() -> None:
        stream = stream_one(system, 100, function="count")
        assert await asyncio.to_thread(list, stream) == list(range(100))

    asyncio.run(main())
    assert threading.active_count() < 20
