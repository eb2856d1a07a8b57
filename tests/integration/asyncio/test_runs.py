"""Runs from an event loop: the results, the order and the errors are those of the sync calls."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from support.gates import Gates
from support.loops import AsyncSource

from slither_actors import (
    Dispatch,
    DispatchError,
    Item,
    OptionError,
    OptionTypeError,
    Retry,
    Route,
    StreamClosed,
    System,
    UnknownOption,
    UnknownPool,
    WorkerError,
)
from slither_actors.executors import InlineExecutor, SnakeBridge, Snakepit
from slither_actors.strategies import KeyPartition, WeightedBatch

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}
NEGATIVE: dict[str, Any] = {"module": "tasks", "function": "negative_ones_fail", "batch_size": 1}

SOURCES: dict[str, Callable[[list[Any]], Any]] = {
    "list": lambda items: items,
    "iterator": iter,
    "generator": lambda items: (item for item in items),
    "async generator": lambda items: aiter(AsyncSource(items)),
    "async iterable that waits": lambda items: AsyncSource(items, waits=True),
}
sources = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@sources
@pytest.mark.parametrize("count", [0, 1, 7, 300, 10_000])
def test_every_item_comes_out_once_and_in_order(system: System, source: Any, count: int) -> None:
    async def main() -> tuple[list[Item], list[Item]]:
        data = list(range(count))
        ran = await system.dispatch.arun(source(data), **DOUBLE, batch_size=16)
        streamed = [item async for item in system.dispatch.astream(source(data), **DOUBLE, batch_size=16)]
        return ran, streamed

    ran, streamed = asyncio.run(main())
    assert [(item.id, item.payload) for item in ran] == [(i, 2 * i) for i in range(count)]
    assert streamed == ran


@sources
def test_items_keep_their_ids_and_meta(system: System, source: Any) -> None:
    items = [Item(f"id-{i}", i, {"n": i}) for i in range(50)]
    results = asyncio.run(system.dispatch.arun(source(items), **DOUBLE, batch_size=7))
    assert [(item.id, item.payload, item.meta["n"]) for item in results] == [(f"id-{i}", 2 * i, i) for i in range(50)]


@sources
def test_as_completed_hands_out_what_is_done_first(system: System, gates: Gates, source: Any) -> None:
    async def main() -> list[int]:
        got = []
        async with system.dispatch.astream(
            source([(0, gates["slow"]), 1, 2]), **GATED, max_in_flight=2, prefetch=1, ordering="as_completed"
        ) as stream:
            async for item in stream:
                got.append(item.payload)
                if len(got) == 2:
                    gates.open("slow")
        return got

    assert asyncio.run(main()) == [1, 2, 0]


@sources
def test_preserve_waits_for_the_first(system: System, gates: Gates, source: Any) -> None:
    async def main() -> list[int]:
        run = asyncio.create_task(
            system.dispatch.arun(source([(0, gates["slow"]), 1, (2, gates["last"])]), **GATED, max_in_flight=2)
        )
        await asyncio.to_thread(gates.wait_begun, "last")
        gates.open("slow", "last")
        return [item.payload for item in await run]

    assert asyncio.run(main()) == [0, 1, 2]


@sources
@pytest.mark.parametrize("strategy", [WeightedBatch, KeyPartition(lambda item: item.payload % 3)])
def test_other_strategies(system: System, source: Any, strategy: Any) -> None:
    strategy = strategy if isinstance(strategy, type) else KeyPartition(lambda item: item.payload % 3)
    results = asyncio.run(
        system.dispatch.arun(source(list(range(100))), **DOUBLE, strategy=strategy, ordering="as_completed")
    )
    assert sorted(item.payload for item in results) == list(range(0, 200, 2))


def test_linger_sends_part_filled_batch_of_asynchronous_source(system: System) -> None:
    async def main() -> Item:
        go_on = asyncio.Event()

        async def source() -> Any:
            yield 1
            await go_on.wait()

        async with system.dispatch.astream(source(), **DOUBLE, linger=0.01) as stream:
            return await anext(stream)

    assert asyncio.run(main()).payload == 2


def test_a_command_of_an_adapter_and_one_ready_batch(system: System) -> None:
    async def main() -> tuple[list[Item], list[Item], list[Item]]:
        dispatch = system.dispatch
        return (
            await dispatch.arun([1, 2], executor=Snakepit, command="score"),
            await dispatch.acall_batch([1, 2, 3], module="tasks", function="sizes"),
            await dispatch.acall_batch([], **DOUBLE),
        )

    scored, sizes, none = asyncio.run(main())
    assert [item.payload for item in scored] == [10, 20]
    assert [item.payload for item in sizes] == [3, 3, 3]
    assert none == []


def test_a_large_ready_batch_is_one_batch(system: System) -> None:
    results = asyncio.run(system.dispatch.acall_batch(list(range(20_000)), module="tasks", function="sizes"))
    assert {item.payload for item in results} == {20_000}


def test_an_inline_executor(system: System) -> None:
    class Upper(InlineExecutor):
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            return [item.update_payload(item.payload.upper()) for item in batch]

    results = asyncio.run(system.dispatch.arun(list("abc"), executor=Upper, batch_size=2))
    assert [item.payload for item in results] == ["A", "B", "C"]


def test_dispatch_uses_the_system_that_was_started_last(system: System) -> None:
    async def main() -> list[Any]:
        streamed = [item.payload async for item in Dispatch.astream([1], **DOUBLE)]
        return [
            *streamed,
            *(item.payload for item in await Dispatch.arun(AsyncSource([2]), **DOUBLE)),
            *(item.payload for item in await Dispatch.acall_batch([3], **DOUBLE)),
        ]

    assert asyncio.run(main()) == [2, 4, 6]


# --- errors


@sources
def test_a_failure_has_the_results_so_far_and_names_the_rest(system: System, source: Any) -> None:
    data = [*range(40), -1, *range(41, 60)]
    with pytest.raises(DispatchError) as caught:
        asyncio.run(system.dispatch.arun(source(data), **NEGATIVE, max_in_flight=2, prefetch=2))
    error = caught.value
    assert isinstance(error.reason, WorkerError)
    assert error.__cause__ is error.reason
    assert [item.id for item in error.partial_results] == list(range(40))
    assert error.unfinished == list(range(40, max(error.unfinished) + 1))


@sources
def test_in_a_stream_what_was_yielded_is_not_in_the_error(system: System, source: Any) -> None:
    async def main() -> tuple[list[Any], DispatchError]:
        got = []
        stream = system.dispatch.astream(source([*range(10), -1, *range(20)]), **NEGATIVE)
        with pytest.raises(DispatchError) as caught:  # noqa: PT012
            async for item in stream:
                got.append(item.id)  # noqa: PERF401  # what came before the error is kept
        assert [item async for item in stream] == []
        return got, caught.value

    got, error = asyncio.run(main())
    assert got == list(range(10))
    assert error.partial_results == []
    assert error.unfinished[0] == 10


@sources
def test_the_error_policies(system: System, source: Any) -> None:
    async def main() -> tuple[list[Item], list[Item], list[Item]]:
        data = [1, -2, 3]
        dispatch = system.dispatch
        options = {**NEGATIVE, "batch_size": 3}
        return (
            await dispatch.arun(source(data), **NEGATIVE, on_error="skip"),
            await dispatch.arun(source(data), **NEGATIVE, on_error=Route(lambda item, why: item.update_payload("no"))),
            await dispatch.arun(source(data), **options, on_error=Retry(2, backoff=0.01, split=True, then="skip")),
        )

    skipped, routed, split = asyncio.run(main())
    assert [item.meta.get("skipped", False) for item in skipped] == [False, True, False]
    assert [item.payload for item in routed] == [1, "no", 3]
    assert [item.meta.get("skipped", False) for item in split] == [False, True, False]


@pytest.mark.parametrize("source", [[1, 2, -3, 4], range(-3, 5000)], ids=["small", "large"])
def test_a_route_function_that_raises_ends_the_run_with_cause(system: System, source: Any) -> None:
    def route(item: Item, why: Exception) -> Item:
        raise SystemExit(3)

    with pytest.raises(DispatchError) as caught:
        asyncio.run(system.dispatch.arun(source, **NEGATIVE, on_error=Route(route)))
    assert isinstance(caught.value.reason, SystemExit)


def test_results_that_cannot_be_unpacked_end_the_run_with_cause(system: System) -> None:
    class Odd(SnakeBridge):
        def results(self, batch: Any, reply: Any) -> Any:
            raise LookupError("odd")

    with pytest.raises(DispatchError) as caught:
        asyncio.run(system.dispatch.arun([1, 2], executor=Odd, **DOUBLE))
    assert isinstance(caught.value.reason, LookupError)
    assert caught.value.unfinished == [0, 1]


def test_wrong_options_are_told_at_call_and_nothing_is_pulled(system: System) -> None:
    source = AsyncSource([1])
    with pytest.raises(UnknownOption, match="batch_size"):
        system.dispatch.astream(source, **DOUBLE, batchsize=3)
    with pytest.raises(UnknownPool):
        system.dispatch.astream(source, **DOUBLE, pool="nowhere")
    with pytest.raises(OptionTypeError, match="int is not"):
        system.dispatch.astream(7, **DOUBLE)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"^acall_batch .* no meaning here; use arun or astream"):
        asyncio.run(system.dispatch.acall_batch([1], **DOUBLE, batch_size=3))
    with pytest.raises(OptionTypeError, match=r"^acall_batch takes a list or tuple .*; arun takes it"):
        asyncio.run(system.dispatch.acall_batch(source, **DOUBLE))  # type: ignore[arg-type]
    with pytest.raises(OptionError):
        asyncio.run(Dispatch.arun(source, **DOUBLE, timeout=-1))
    assert source.pulled == 0


def test_the_sync_calls_say_what_takes_an_asynchronous_source(system: System) -> None:
    for call in (system.dispatch.run, system.dispatch.stream):
        with pytest.raises(OptionTypeError, match="use arun or astream"):
            call(AsyncSource([1]), **DOUBLE)  # type: ignore[arg-type]


def test_nothing_is_pulled_before_the_stream_is_iterated(system: System) -> None:
    async def main() -> None:
        source = AsyncSource(range(100))
        stream = system.dispatch.astream(source, **DOUBLE, batch_size=10)
        await asyncio.sleep(0.02)  # proves an absence
        assert source.pulled == 0
        assert stream.statistics().pulled == 0
        taken = [item async for item in _first(stream, 15)]
        now = stream.statistics()
        assert now.emitted == len(taken) == 15
        assert now.pulled >= now.buffered + now.in_flight + now.held + now.emitted + now.dropped
        rest = [item async for item in stream]
        end = stream.statistics()
        assert (end.pulled, end.emitted, end.dropped, len(rest)) == (100, 100, 0, 85)

    asyncio.run(main())


async def _first(stream: Any, count: int) -> Any:
    for _ in range(count):
        yield await anext(stream)


def test_two_tasks_cannot_wait_for_the_same_result(system: System, gates: Gates) -> None:
    async def main() -> None:
        async with system.dispatch.astream([(0, gates["shut"])], **GATED) as stream:
            first = asyncio.ensure_future(stream.__anext__())
            await asyncio.to_thread(gates.wait_begun, "shut")
            with pytest.raises(RuntimeError, match="another task"):
                await anext(stream)
            gates.open("shut")
            assert (await first).payload == 0

    asyncio.run(main())


def test_a_stream_belongs_to_the_loop_that_read_it_first(system: System) -> None:
    stream = system.dispatch.astream(itertools.count(), **DOUBLE, batch_size=1)

    async def one() -> Item:
        return await anext(stream)

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(one()).payload == 0

    def all_that_is_there() -> None:
        while True:  # what has been handed to the stream already is anybody's
            asyncio.run(one())

    with pytest.raises(RuntimeError, match="another event loop"):
        all_that_is_there()
    loop.run_until_complete(stream.aclose())
    with pytest.raises(StreamClosed):
        loop.run_until_complete(one())
    loop.close()
