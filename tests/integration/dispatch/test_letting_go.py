"""What a run held is let go of when it ends, without the garbage collector: services switch that off, or it comes late.

A source is the user's code to its end, and that comes on a thread of its run.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from slither_actors import DispatchError, Item, Route, System
from slither_actors.runs.run import Run

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
Eventually = Callable[..., None]


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def the_books_balance() -> None:
    """Not here: that fixture of the whole suite keeps every run."""


class Source:
    """Makes generators, and knows what became of them."""

    def __init__(self, length: int | None = None) -> None:
        self.numbers = range(length) if length is not None else itertools.count()
        self.ended_on: list[str] = []

    def items(self) -> Iterator[list[int]]:
        try:
            for number in self.numbers:
                yield [number]
        finally:
            self.ended_on.append(threading.current_thread().name)

    async def items_later(self) -> AsyncIterator[list[int]]:
        try:
            for number in self.numbers:
                yield [number]
        finally:
            self.ended_on.append(threading.current_thread().name)


def to_the_end(system: System, source: Source, **options: Any) -> weakref.ref[Run]:
    source.numbers = range(1000)
    stream = system.dispatch.stream(source.items(), **DOUBLE, **options)
    assert len(list(stream)) == 1000
    return weakref.ref(stream._consumer.run)


def closed(system: System, source: Source, **options: Any) -> weakref.ref[Run]:
    with system.dispatch.stream(source.items(), **DOUBLE, **options) as stream:
        next(stream)
    return weakref.ref(stream._consumer.run)


def dropped(system: System, source: Source, **options: Any) -> weakref.ref[Run]:
    stream = system.dispatch.stream(source.items(), **DOUBLE, **options)
    next(stream)
    return weakref.ref(stream._consumer.run)


def failed(system: System, source: Source, **options: Any) -> weakref.ref[Run]:
    stream = system.dispatch.stream(source.items(), module="operator", function="neg", each=True, **options)
    with pytest.raises(DispatchError):
        list(stream)
    return weakref.ref(stream._consumer.run)


@pytest.mark.parametrize("options", [{}, {"max_in_flight_bytes": 1000}, {"ordering": "as_completed"}], ids=str)
@pytest.mark.parametrize("use", [to_the_end, closed, dropped, failed])
def test_a_run_and_its_source(
    system: System, eventually: Eventually, use: Callable[..., weakref.ref[Run]], options: dict[str, Any]
) -> None:
    source = Source()
    run = use(system, source, **options)
    eventually(lambda: source.ended_on)
    assert source.ended_on[0].startswith("ProducerActor")
    eventually(lambda: run() is None)


def test_a_source_that_raises(system: System, eventually: Eventually) -> None:
    source = Source(10)

    def items() -> Iterator[Any]:
        yield from source.items()
        raise KeyError("no more")

    def use() -> weakref.ref[Run]:
        stream = system.dispatch.stream(items(), **DOUBLE)
        with pytest.raises(DispatchError):
            list(stream)
        return weakref.ref(stream._consumer.run)

    run = use()
    eventually(lambda: run() is None)


def test_a_source_in_memory(system: System, eventually: Eventually) -> None:
    def use() -> weakref.ref[Run]:
        with system.dispatch.stream(list(range(100_000)), **DOUBLE) as stream:
            next(stream)
        return weakref.ref(stream._consumer.run)

    run = use()
    eventually(lambda: run() is None)


def lost(item: Item, reason: Exception) -> Item:
    raise KeyError(item.id)


@pytest.mark.parametrize("policy", ["skip", "halt", Route(lost)], ids=["skip", "halt", "a route that raises"])
def test_a_run_whose_reply_cannot_be_decoded(system: System, policy: Any, eventually: Eventually) -> None:
    kept: list[Any] = []

    def use() -> weakref.ref[Run]:
        stream = system.dispatch.stream(
            range(64), module="undecodable", function="batch", batch_size=8, on_error=policy
        )
        with suppress(DispatchError):
            kept.extend(stream)
        return weakref.ref(stream._consumer.run)

    run = use()
    eventually(lambda: run() is None)
    assert [item.id for item in kept if item.meta.get("skipped")] in ([], [37, 38])


@pytest.mark.parametrize("lazy", [True, False])
def test_runs_leave_no_garbage_of_ours_at_all(system: System, lazy: bool, eventually: Eventually) -> None:
    before = system.statistics().runs

    def run() -> None:
        given = list(range(100))
        assert len(system.dispatch.run((x for x in given) if lazy else given, **DOUBLE)) == 100

    run()  # what is made once is there
    gc.collect()
    for _ in range(5):
        run()
    eventually(lambda: system.statistics().runs == before)
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        left = [type(each) for each in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    ours = [kind for kind in left if kind.__module__.partition(".")[0] in ("slither_actors", "supervisors", "msgpack")]
    assert ours == []


@pytest.mark.parametrize("end", ["closed", "to its end", "cancelled"])
def test_an_asynchronous_source(system: System, end: str) -> None:
    async def use(source: Source) -> weakref.ref[Run]:
        stream = system.dispatch.astream(source.items_later(), **DOUBLE)
        async with stream:
            async for item in stream:
                if end == "closed" and item.id == 100:
                    break
                if end == "cancelled" and item.id == 100:
                    asyncio.current_task().cancel()  # type: ignore[union-attr]
                    with pytest.raises(asyncio.CancelledError):
                        await asyncio.sleep(1)
                    asyncio.current_task().uncancel()  # type: ignore[union-attr]
                    break
        assert stream._pieces is not None
        return weakref.ref(stream._pieces.consumer.run)

    async def main() -> None:
        source = Source(1000 if end == "to its end" else None)
        run = await use(source)
        for _ in range(500):
            if run() is None and source.ended_on:
                break
            await asyncio.sleep(0.01)
        assert source.ended_on == [threading.current_thread().name]
        assert run() is None

    asyncio.run(main())
