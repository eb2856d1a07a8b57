"""An AsyncStream over a run whose batches come back at once; a loop of its own for each test."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from support.echo import Echo, echoing

from slither_actors import DispatchError, StreamClosed, WorkerCrashed
from slither_actors.runs.messages import CloseRun
from slither_actors.runs.output.async_stream import AsyncStream
from slither_actors.runs.output.consumer import Consumer


def test_results_come_one_by_one_and_then_the_end() -> None:
    consumer, echo = echoing(range(5), batch_size=2, prefetch=10)

    async def main() -> list[Any]:
        stream = AsyncStream(consumer)
        payloads = [item.payload async for item in stream]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return payloads

    assert asyncio.run(main()) == list(range(5))
    assert (consumer.closed, consumer.told, consumer.run.ending.cut_short) == (True, True, None)
    assert CloseRun() not in echo.take()


def test_nothing_is_pulled_before_the_first_is_asked_for() -> None:
    consumer, _ = echoing(range(5), batch_size=5)

    async def main() -> None:
        stream = aiter(AsyncStream(consumer))
        await asyncio.sleep(0)
        assert (consumer.run.has_started, stream.statistics().pulled) == (False, 0)
        assert (await anext(stream)).payload == 0
        now = stream.statistics()
        assert (now.pulled, now.emitted, now.held) == (5, 1, 4)
        await anext(stream)
        assert stream.statistics().emitted == 2
        await stream.aclose()

    asyncio.run(main())


def test_the_error_of_a_run_comes_behind_its_results() -> None:
    consumer, _ = echoing([7], batch_size=1, error=(error := WorkerCrashed(1)))

    async def main() -> None:
        stream = AsyncStream(consumer)
        assert (await anext(stream)).payload == 7
        with pytest.raises(DispatchError) as caught:
            await anext(stream)
        assert caught.value.reason is error
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(main())


# --- closing


def assert_closed(consumer: Consumer, echo: Echo) -> None:
    assert CloseRun() in echo.take()
    assert (consumer.run.ending.closed, consumer.run.ending.cut_short) == (True, "close")


@pytest.mark.parametrize("how", ["aclose", "async with"])
def test_a_close_drops_what_was_not_handed_out(how: str) -> None:
    consumer, echo = echoing(range(5), batch_size=5)

    async def main() -> None:
        stream = AsyncStream(consumer)
        if how == "aclose":
            await anext(stream)
            await stream.aclose()
        else:
            async with stream as same:
                assert same is stream
                await anext(stream)
        with pytest.raises(StreamClosed):
            await anext(stream)
        now = stream.statistics()
        assert (now.emitted, now.held, now.dropped_by_close) == (1, 0, 4)
        await stream.aclose()

    asyncio.run(main())
    assert_closed(consumer, echo)


def test_leaving_the_block_by_an_error_closes_and_lets_it_out() -> None:
    consumer, echo = echoing(range(5), batch_size=1)

    async def main() -> None:
        async with AsyncStream(consumer) as stream:
            await anext(stream)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(main())
    assert_closed(consumer, echo)


def test_one_that_is_closed_unread_never_starts() -> None:
    consumer, _ = echoing(range(5))

    async def main() -> None:
        stream = AsyncStream(consumer)
        await stream.aclose()
        with pytest.raises(StreamClosed):
            await anext(stream)

    asyncio.run(main())
    assert not consumer.run.has_started


def test_one_that_is_dropped_closes_the_run() -> None:
    consumer, echo = echoing(range(5), batch_size=1)

    async def main() -> None:
        stream = AsyncStream(consumer)
        await anext(stream)
        del stream
        assert_closed(consumer, echo)

    asyncio.run(main())


def test_the_end_of_the_loop_closes_the_run() -> None:
    consumer, echo = echoing(range(5), batch_size=1)
    stream = AsyncStream(consumer)

    async def main() -> None:
        await anext(stream)

    asyncio.run(main())
    assert_closed(consumer, echo)


@pytest.mark.parametrize("how", ["end", "close", "drop"])
def test_nothing_is_left_for_the_loop_to_close(how: str) -> None:
    consumer, _ = echoing(range(3), batch_size=1)
    begun: list[AsyncGenerator[Any, Any]] = []

    async def main() -> None:
        sys.set_asyncgen_hooks(firstiter=begun.append, finalizer=None)  # this loop's own, until it stops
        stream = AsyncStream(consumer)
        await anext(stream)
        (guard,) = begun
        assert guard.ag_frame is not None
        if how == "end":
            assert [item.payload async for item in stream] == [1, 2]
        elif how == "close":
            await stream.aclose()
        else:
            del stream
        assert guard.ag_frame is None

    asyncio.run(main())


async def waiting_for(stream: AsyncStream) -> asyncio.Task[Any]:
    """Return a task that waits for the next result, which does not come."""
    task = asyncio.ensure_future(anext(stream))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


def test_cancelling_the_task_that_waits_closes_the_run() -> None:
    consumer, echo = echoing(range(5), answers=False)

    async def main() -> None:
        task = await waiting_for(AsyncStream(consumer))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_closed(consumer, echo)

    asyncio.run(main())


def test_a_task_that_waits_learns_of_a_close_elsewhere() -> None:
    consumer, echo = echoing(range(5), answers=False)

    async def main() -> None:
        stream = AsyncStream(consumer)
        task = await waiting_for(stream)
        await stream.aclose()
        with pytest.raises(StreamClosed):
            await task

    asyncio.run(main())
    assert_closed(consumer, echo)


def test_a_second_task_and_a_second_loop_are_refused() -> None:
    consumer, _ = echoing(range(5), answers=False)
    other, _ = echoing(range(5), batch_size=1)
    kept = AsyncStream(other)

    async def main() -> None:
        stream = AsyncStream(consumer)
        task = await waiting_for(stream)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        assert not consumer.closed
        await stream.aclose()
        await asyncio.wait([task])
        assert isinstance(task.exception(), StreamClosed)

    async def begin() -> None:
        await anext(kept)

    asyncio.run(main())
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(begin())
        with pytest.raises(RuntimeError, match="another event loop"):
            asyncio.run(begin())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


# --- where a System has to be started first


class Opener:
    """Opens the consumer when the test lets it."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.calls = 0
        self.errors: list[BaseException] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self) -> Consumer:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop()
        return self.consumer


def with_opener(test: Callable[[AsyncStream, Opener], Awaitable[None]], **options: Any) -> Opener:
    """Run a test with a stream that has to be opened first."""
    opener = Opener(echoing(range(2), **options)[0])

    async def main() -> None:
        await test(AsyncStream(opener), opener)

    asyncio.run(main())
    return opener


def test_it_is_opened_once_when_the_first_is_asked_for() -> None:
    async def test(stream: AsyncStream, opener: Opener) -> None:
        assert set(stream.statistics().__reduce__()[1]) == {0}
        assert opener.calls == 0
        assert [item.payload async for item in stream] == [0, 1]
        assert (opener.calls, stream.statistics().emitted) == (1, 2)

    with_opener(test)


def test_what_fails_to_open_may_be_tried_again() -> None:
    async def test(stream: AsyncStream, opener: Opener) -> None:
        opener.errors = [OSError("no process")]
        with pytest.raises(OSError, match="no process"):
            await anext(stream)
        assert (await anext(stream)).payload == 0
        assert opener.calls == 2
        await stream.aclose()

    with_opener(test)


def test_one_that_is_closed_is_not_opened() -> None:
    async def test(stream: AsyncStream, opener: Opener) -> None:
        await stream.aclose()
        with pytest.raises(StreamClosed, match="before it was read"):
            await anext(stream)

    assert with_opener(test).calls == 0


def test_one_that_is_closed_while_it_opens_does_not_start() -> None:
    async def test(stream: AsyncStream, opener: Opener) -> None:
        opener.gate = asyncio.Event()
        task = await waiting_for(stream)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        await stream.aclose()
        opener.gate.set()
        with pytest.raises(StreamClosed):
            await task

    opener = with_opener(test)
    assert (opener.calls, opener.consumer.run.has_started) == (1, False)
