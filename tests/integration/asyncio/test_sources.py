"""Asynchronous sources: how much is pulled, what is seen when, what becomes of their exceptions, and their end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.gates import Gates
from support.loops import AsyncSource, until

from slither_actors import DispatchError, Item, StrategyError, System
from slither_actors.strategies import Strategy

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}

WINDOWS = pytest.mark.parametrize(
    ("max_in_flight", "prefetch", "batch_size"), [(1, 0, 1), (1, 0, 5), (2, 1, 4), (2, 6, 1), (3, None, 2)]
)


@WINDOWS
@pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
@pytest.mark.parametrize("waits", [True, False], ids=["waits", "never waits"])
def test_a_slow_consumer_never_holds_more_than_the_window(
    system: System, max_in_flight: int, prefetch: int | None, batch_size: int, ordering: str, waits: bool
) -> None:
    window = (max_in_flight + (3 * max_in_flight if prefetch is None else prefetch)) * batch_size

    async def main() -> AsyncSource:
        source = AsyncSource(itertools.count(), waits=waits)
        async with system.dispatch.astream(
            source, **DOUBLE, batch_size=batch_size, max_in_flight=max_in_flight, prefetch=prefetch, ordering=ordering
        ) as stream:
            async for item in stream:
                if not source.delivered:  # no credit comes back before the next item is asked for
                    await until(lambda: source.pulled >= window)
                source.delivered += 1
                if source.delivered % (4 * window) == window:
                    await asyncio.sleep(0.03)  # in which too much could be pulled
                if source.delivered == 12 * window:
                    break
                del item
        return source

    source = asyncio.run(main())
    assert source.most == window  # and it is made use of


def test_a_sync_source_never_exceeds_the_window_either(system: System) -> None:
    most = delivered = pulled = 0

    def source() -> Iterator[int]:
        nonlocal most, pulled
        while True:
            pulled += 1
            most = max(most, pulled - delivered)
            yield pulled

    async def main() -> None:
        nonlocal delivered
        async with system.dispatch.astream(source(), **DOUBLE, batch_size=3, max_in_flight=2, prefetch=2) as stream:
            async for _ in stream:
                if not delivered:
                    await until(lambda: pulled >= 12)
                delivered += 1
                if delivered % 48 == 12:
                    await asyncio.sleep(0.03)
                if delivered == 200:
                    break

    asyncio.run(main())
    assert most == 12


def test_a_pulled_item_is_on_its_way_before_next_is_asked_for(system: System) -> None:
    """A source whose next item depends on the result of the last: with anything held back it would hang."""

    async def main() -> list[int]:
        results: asyncio.Queue[int] = asyncio.Queue()

        async def source() -> AsyncIterator[int]:
            value = 1
            for _ in range(10):
                yield value
                value = await results.get()

        got = []
        async for item in system.dispatch.astream(source(), **DOUBLE, batch_size=1):
            got.append(item.payload)
            results.put_nowait(item.payload)
        return got

    assert asyncio.run(asyncio.wait_for(main(), 20)) == [2**i for i in range(1, 11)]


def test_an_asynchronous_source_sees_context_of_task_that_reads(system: System) -> None:
    import contextvars

    name = contextvars.ContextVar("name", default="nobody")

    async def source() -> AsyncIterator[str]:
        yield name.get()

    async def main() -> list[Item]:
        name.set("somebody")
        return await system.dispatch.arun(source(), module="tasks", function="through_gates")

    assert [item.payload for item in asyncio.run(main())] == ["somebody"]


# --- exceptions


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), Odd(), asyncio.CancelledError(), StopIteration(1)])
def test_an_exception_of_the_source_comes_after_what_it_gave(system: System, error: BaseException) -> None:
    class Source:
        def __init__(self) -> None:
            self.count = itertools.count()

        def __aiter__(self) -> Source:
            return self

        async def __anext__(self) -> int:
            count = next(self.count)
            if count == 25:
                if isinstance(error, StopIteration):  # which a coroutine cannot raise
                    raise RuntimeError from error
                raise error
            return count

    async def main() -> DispatchError:
        with pytest.raises(DispatchError) as caught:
            await system.dispatch.arun(Source(), **DOUBLE, batch_size=10)
        return caught.value

    failure = asyncio.run(main())
    if not isinstance(error, StopIteration):
        assert failure.reason is error
    assert [item.payload for item in failure.partial_results] == list(range(0, 50, 2))
    assert failure.unfinished == []


def test_a_source_that_is_no_async_iterator_ends_the_run(system: System) -> None:
    class Source:
        def __aiter__(self) -> Any:
            return 7

    with pytest.raises(DispatchError) as caught:
        asyncio.run(system.dispatch.arun(Source(), **DOUBLE))
    assert isinstance(caught.value.reason, TypeError)


def test_keyboard_interrupt_in_source_ends_run_and_reaches_loop(system: System) -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(system.dispatch.arun(source(), **DOUBLE, batch_size=1))


def test_a_strategy_that_raises_names_what_it_was_given(system: System) -> None:
    class Picky(Strategy):
        def add(self, item: Item) -> list[list[Item]]:
            if item.payload == 3:
                raise LookupError("three")
            return [[item]]

        def flush(self) -> list[list[Item]]:
            return []

    async def main() -> tuple[DispatchError, int]:
        source = AsyncSource(range(10), waits=True)
        with pytest.raises(DispatchError) as caught:
            await system.dispatch.arun(source, **DOUBLE, strategy=Picky())
        assert source.closed
        return caught.value, source.pulled

    error, pulled = asyncio.run(main())
    assert isinstance(error.reason, LookupError | StrategyError)
    done = [item.id for item in error.partial_results]
    assert sorted([*done, *error.unfinished]) == list(range(pulled))


# --- the end of a source


def test_the_iterator_that_run_made_is_closed_whatever_ends_it(system: System) -> None:
    async def main() -> None:
        dispatch = system.dispatch
        ended = AsyncSource(range(10))
        await dispatch.arun(ended, **DOUBLE)
        assert ended.closed

        left = AsyncSource(itertools.count())
        async with dispatch.astream(left, **DOUBLE) as stream:
            await anext(stream)
        assert left.closed

        failed = AsyncSource(itertools.count(-5))
        with pytest.raises(DispatchError):
            await dispatch.arun(failed, module="tasks", function="negative_ones_fail")
        assert failed.closed

        cancelled = AsyncSource(itertools.count(), waits=True)
        task = asyncio.create_task(dispatch.arun(cancelled, **DOUBLE))
        await until(lambda: cancelled.pulled > 100)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cancelled.closed

    asyncio.run(main())


def test_source_that_waits_for_ever_is_cancelled_where_it_waits(system: System) -> None:
    async def main() -> None:
        where: list[str] = []

        async def source() -> AsyncIterator[int]:
            yield 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                where.append("waiting")
                raise

        async with system.dispatch.astream(source(), **DOUBLE, batch_size=1) as stream:
            assert (await anext(stream)).payload == 2
        assert where == ["waiting"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_callers_iterator_is_not_closed_and_can_go_on(system: System) -> None:
    class Numbers:
        """Not a generator: being cancelled does not end it."""

        def __init__(self) -> None:
            self.count = itertools.count()
            self.closed = False

        def __aiter__(self) -> Numbers:
            return self

        async def __anext__(self) -> int:
            await asyncio.sleep(0)
            return next(self.count)

        async def aclose(self) -> None:
            self.closed = True

    async def main() -> None:
        numbers = Numbers()
        async with system.dispatch.astream(numbers, **DOUBLE, batch_size=1) as stream:
            await anext(stream)
        assert not numbers.closed
        assert await anext(numbers) > 0

    asyncio.run(main())


def test_a_source_whose_closing_fails_leaves_the_results(system: System) -> None:
    class Numbers:
        def __aiter__(self) -> Any:
            class Iterator:
                def __init__(self) -> None:
                    self.left = iter(range(3))

                def __aiter__(self) -> Any:
                    return self

                async def __anext__(self) -> int:
                    for number in self.left:
                        return number
                    raise StopAsyncIteration

                async def aclose(self) -> None:
                    raise LookupError("cannot close")

            return Iterator()

    async def main() -> list[Any]:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: told.append(what["exception"]))
        results = await system.dispatch.arun(Numbers(), **DOUBLE)
        assert [item.payload for item in results] == [0, 2, 4]
        return told

    assert [str(error) for error in asyncio.run(main())] == ["cannot close"]


def test_a_source_that_ignores_cancellation_costs_the_grace(system: System) -> None:
    async def main() -> float:
        let_go = asyncio.Event()

        async def source() -> AsyncIterator[int]:
            yield 1
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    pass

        loop = asyncio.get_running_loop()
        async with system.dispatch.astream(source(), **DOUBLE, batch_size=1) as stream:
            await anext(stream)
            began = loop.time()
        took = loop.time() - began
        let_go.set()
        await until(lambda: len(asyncio.all_tasks()) == 1)
        return took

    assert 1 < asyncio.run(main()) < 10


def test_runs_with_asynchronous_sources_share_the_window_fairly(
    system: System, gates: Gates, eventually: Callable[..., None]
) -> None:
    async def main() -> list[list[Item]]:
        return await asyncio.gather(
            *(
                system.dispatch.arun(AsyncSource(range(n, n + 50), waits=True), **DOUBLE, batch_size=4)
                for n in range(40)
            )
        )

    for n, results in enumerate(asyncio.run(main())):
        assert [item.payload for item in results] == list(range(2 * n, 2 * n + 100, 2))
    eventually(lambda: system.statistics().runs == 0)
