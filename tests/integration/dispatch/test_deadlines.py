"""The deadline of a run, whatever it waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import DeadlineExceeded, DispatchError, OptionError, PoolSpec, Retry, StreamBroken, System
from slither_actors.executors import InlineExecutor
from slither_actors.item import Item

SECONDS = 0.8
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "deadline": SECONDS}
LONG = 600.0


def overdue(error: DispatchError) -> DeadlineExceeded:
    reason = error.reason
    assert isinstance(reason, DeadlineExceeded)
    assert isinstance(reason, TimeoutError)
    assert reason.seconds == SECONDS
    return reason


@pytest.fixture
def hanging() -> Iterator[Any]:
    """A source that hangs after two items, until the test is over."""
    released = threading.Event()

    def source(*items: Any) -> Iterator[Any]:
        yield from items
        released.wait()

    yield source
    released.set()


@pytest.fixture
def own() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        yield system


def counted(system: System) -> int:
    return system.statistics().pools["default"].counts.overdue


def test_a_run_whose_source_hangs_ends_in_time(system: System, hanging: Any) -> None:
    before = counted(system)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(hanging(1, 2), **GATED, batch_size=1)
    assert "source" in overdue(caught.value).where
    assert [item.payload for item in caught.value.partial_results] == [1, 2]
    assert caught.value.unfinished == []
    assert (caught.value.batch_ref, counted(system)) == (None, before + 1)


def test_a_stream_hands_out_what_it_has_first(system: System, hanging: Any) -> None:
    stream = system.dispatch.stream(hanging(1, 2), **GATED, batch_size=1)
    assert [next(stream).payload, next(stream).payload] == [1, 2]
    with pytest.raises(DispatchError) as caught:
        next(stream)
    overdue(caught.value)
    assert caught.value.partial_results == []


def test_the_time_of_a_stream_begins_with_the_call(system: System) -> None:
    stream = system.dispatch.stream(iter([1, 2]), module="tasks", function="double", deadline=SECONDS)
    threading.Event().wait(SECONDS + 0.05)
    with pytest.raises(DispatchError) as caught:
        list(stream)
    overdue(caught.value)


def test_what_is_not_done_is_named(system: System, gates: Gates) -> None:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1, (2, gates["a"]), 3], **GATED, batch_size=1, max_in_flight=1, prefetch=2)
    assert [item.payload for item in caught.value.partial_results] == [1]
    assert caught.value.unfinished == [1, 2]
    assert overdue(caught.value).where == "at its workers"
    gates.open("a")


def test_in_asyncio_it_ends_in_time_too(system: System, hanging: Any, gates: Gates) -> None:
    async def endless() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(LONG)

    async def main() -> None:
        for source in (hanging(1), endless()):
            with pytest.raises(DispatchError) as caught:
                await system.dispatch.arun(source, **GATED, batch_size=1)
            overdue(caught.value)
            assert [item.payload for item in caught.value.partial_results] == [1]
        stream = system.dispatch.astream(endless(), **GATED, batch_size=1)
        assert (await anext(stream)).payload == 1
        with pytest.raises(DispatchError) as caught:
            await anext(stream)
        overdue(caught.value)
        with pytest.raises(DispatchError) as caught:
            await system.dispatch.arun([(1, gates["a"]), (2, gates["a"])], **GATED, batch_size=1)
        assert caught.value.unfinished == [0, 1]
        gates.open("a")

    asyncio.run(main())


def test_calls_end_in_time(own: System, gates: Gates) -> None:
    system = own
    score = system.dispatch.bind(**GATED)
    call = [(1, gates["a"])]
    before = counted(system)
    future = score.submit(call)
    with pytest.raises(DispatchError) as caught:
        score.call_batch(call)
    assert overdue(caught.value).where == "at its worker"
    assert caught.value.unfinished == [0]
    error = future.exception(20)
    assert isinstance(error, DispatchError)
    overdue(error)
    with pytest.raises(DispatchError) as caught:  # both workers are still at what is not waited for
        score.run(call)
    assert overdue(caught.value).where == "waiting for a worker"
    with pytest.raises(DispatchError) as caught:
        asyncio.run(score.acall_batch(call))
    overdue(caught.value)
    assert len(gates.begun("a")) == 2
    assert counted(system) == before + 4
    gates.open("a")
    assert score.call_batch([7]) == [Item(0, 7)]
    assert len(gates.begun("a")) == 2  # those that waited were never sent


def test_other_attempts_are_within_it(system: System) -> None:
    policy = Retry(1000, backoff=0.02, max_backoff=0.02, then="skip")
    for items in ([-1], iter([-1])):
        with pytest.raises(DispatchError) as caught:
            system.dispatch.run(items, module="tasks", function="negative_ones_fail", deadline=SECONDS, on_error=policy)
        overdue(caught.value)
        assert caught.value.unfinished == [0]


def test_what_is_done_in_time_is_as_ever(system: System) -> None:
    options: dict[str, Any] = {"module": "tasks", "function": "double", "deadline": LONG}
    assert [item.payload for item in system.dispatch.run(range(100), **options, batch_size=7)] == [
        2 * n for n in range(100)
    ]
    score = system.dispatch.bind(**options)
    assert [score.call_batch([n]) for n in range(20)] == [[Item(0, 2 * n)] for n in range(20)]
    assert [item.payload for item in asyncio.run(score.arun(range(9)))] == [2 * n for n in range(9)]


def test_a_stream_of_chunks_ends_at_it(system: System) -> None:
    talk = system.dispatch.bind(module="chunked", function="naps", deadline=SECONDS)
    with pytest.raises(DispatchError) as caught:
        list(talk.stream_one((0.01, 1000)))
    overdue(caught.value)
    assert isinstance(caught.value, StreamBroken)
    assert caught.value.delivered > 0


def test_an_inline_executor_has_one_as_well(system: System) -> None:
    released = threading.Event()

    class Waits(InlineExecutor):
        """Waits until the test is over."""

        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            released.wait()
            return batch

    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], executor=Waits, deadline=SECONDS)
    overdue(caught.value)
    released.set()
    with pytest.raises(OptionError, match="on_abandon"):
        system.dispatch.run([1], executor=Waits, on_abandon="kill")
