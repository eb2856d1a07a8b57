"""Consumers that leave, die, or are slow: sources stop, workers are free again, the window holds."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.drivers import with_side_thread
from support.gates import SECONDS, Gates
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System
from slither_actors.runs.output.stream import Stream

pytestmark = pytest.mark.fault(20)

# None is sent ahead: a batch behind a gate is to hold up no other.
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "prefetch": 0}
THREE: dict[str, Any] = {**GATED, "batch_size": 2, "max_in_flight": 3}
"""Three batches are pulled before the first result is asked for."""
GRACE = 2.0
"""Seconds within which workers are free again once what they execute lets them."""


@pytest.fixture(scope="module")
def shared() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        yield with_side_thread(system)


@pytest.fixture
def system(shared: System) -> Iterator[System]:
    before = shared.statistics().pids
    yield shared
    assert shared.statistics().pids == before
    assert shared.statistics().pools["default"].counts.deaths == 0


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def free(system: System) -> bool:
    now = system.statistics()
    pool = now.pools["default"].pool
    assert pool is not None
    return (now.runs, pool.ready, pool.runs, pool.waiting, pool.in_pipes) == (0, 2, 0, 0, 0)


class Source:
    """Endless. With `THREE` its first batch is done at once, the second passes gate "a", the third gate "b"."""

    def __init__(self, gates: Gates) -> None:
        self.closed = threading.Event()
        self.pulled = 0
        self._gates = gates

    def _payload(self, number: int) -> Any:
        gate = {2: "a", 4: "b"}.get(number)
        return number if gate is None else (number, self._gates[gate])

    def __iter__(self) -> Iterator[Any]:
        try:
            for number in itertools.count():
                self.pulled += 1
                yield self._payload(number)
        finally:
            self.closed.set()

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            for number in itertools.count():
                self.pulled += 1
                yield self._payload(number)
        finally:
            self.closed.set()


# --- who leave. Each takes two items, waits until both workers are in the middle of a batch, and goes.


class Gone(Exception):
    pass


def breaks_out(stream: Stream, wait: Callable[[], object]) -> None:
    for item in stream:
        if item.payload == 1:
            wait()
            break


def closes(stream: Stream, wait: Callable[[], object]) -> None:
    with stream:
        next(stream), next(stream)
        wait()


def raises(stream: Stream, wait: Callable[[], object]) -> None:
    with suppress(Gone):
        for item in stream:
            if item.payload == 1:
                wait()
                raise Gone


def drops_it(stream: Stream, wait: Callable[[], object]) -> None:
    next(stream), next(stream)
    wait()


def drops_a_cycle(stream: Stream, wait: Callable[[], object]) -> None:
    next(stream), next(stream)
    cycle: list[Any] = [stream]
    cycle.append(cycle)
    wait()


def is_stopped_from_outside(stream: Stream, wait: Callable[[], object]) -> None:
    """As debuggers and timeouts do it: an exception out of nowhere, in a thread that waits."""
    next(stream), next(stream)
    wait()
    ident = threading.get_ident()
    with suppress(Gone):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Gone))
        while True:
            time.sleep(0.001)


LEAVERS = [breaks_out, closes, raises, drops_it, drops_a_cycle, is_stopped_from_outside]


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
@pytest.mark.parametrize("leaves", LEAVERS)
def test_a_consumer_that_leaves_in_mid_batch(
    system: System, gates: Gates, leaves: Callable[..., None], lazy: bool, eventually: Callable[..., None]
) -> None:
    check_leaving(system, gates, lazy, eventually, leaves)


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
def test_a_consumer_whose_thread_dies_in_mid_batch(
    system: System, gates: Gates, lazy: bool, eventually: Callable[..., None]
) -> None:
    def dies(stream: Stream, wait: Callable[[], object]) -> None:
        held = [stream]

        def consume() -> None:
            mine = held.pop()  # no other reference to it
            next(mine), next(mine)
            wait()
            raise SystemExit

        def live() -> None:
            with suppress(SystemExit):  # or the test runner would keep the exception, and with it the stream
                consume()

        del stream
        thread = threading.Thread(target=live)
        thread.start()
        thread.join(SECONDS)
        assert not thread.is_alive()

    check_leaving(system, gates, lazy, eventually, dies)


def check_leaving(
    system: System, gates: Gates, lazy: bool, eventually: Callable[..., None], leaves: Callable[..., None]
) -> None:
    source = Source(gates)
    given: Any = source if lazy else [source._payload(number) for number in range(1000)]
    late = system.statistics().pools["default"].counts.late
    streams = [system.dispatch.stream(given, **THREE)]
    run = streams[0]._consumer.run
    leaves(streams.pop(), lambda: (gates.wait_begun("a"), gates.wait_begun("b")))
    gc.collect()
    # No consumer is left: no run, nothing waits; the two batches that are executed may run out.
    eventually(lambda: system.statistics().runs == 0, GRACE)
    pool = system.statistics().pools["default"].pool
    assert pool is not None
    assert (pool.runs, pool.waiting) == (0, 0)
    if lazy:
        assert source.closed.wait(GRACE)
        assert source.pulled == run.credit.pulled
    gates.open("a", "b")
    eventually(lambda: free(system), SECONDS)
    assert system.statistics().pools["default"].counts.late == late + 2
    end = run.statistics()
    assert (end.pulled, end.emitted, end.dropped_by_close, end.dropped_by_halt) == (6, 2, 4, 0)
    assert [item.payload for item in system.dispatch.run([1, 2], module="tasks", function="double")] == [2, 4]


@pytest.mark.parametrize("how", ["aclose", "cancel", "drop", "break", "end of the loop"])
@pytest.mark.parametrize("asynchronous", [True, False], ids=["async source", "in memory"])
def test_a_task_that_leaves_in_mid_batch(
    system: System, gates: Gates, how: str, asynchronous: bool, eventually: Callable[..., None]
) -> None:
    source = Source(gates)
    given: Any = source if asynchronous else [source._payload(number) for number in range(1000)]
    late = system.statistics().pools["default"].counts.late
    runs: list[Any] = []

    async def main() -> None:
        stream = system.dispatch.astream(given, **THREE)

        async def consume() -> None:
            async for item in stream:
                if item.payload == 1:
                    runs.append(stream._pieces.consumer.run)  # type: ignore[union-attr]
                    await asyncio.to_thread(lambda: (gates.wait_begun("a"), gates.wait_begun("b")))
                    if how == "break":
                        break

        task = asyncio.create_task(consume())
        await _until(lambda: bool(runs and gates.begun("a") and gates.begun("b")))
        if how == "break":
            await task
        elif how == "cancel":
            task.cancel()
            await asyncio.wait([task])
        elif how == "aclose":
            await stream.aclose()
            await asyncio.wait([task])
            task.exception()
        elif how == "drop":
            task.cancel()
            await asyncio.wait([task])
            del task
        # Otherwise it is in the middle of things when its loop ends.

    asyncio.run(main())
    gc.collect()
    eventually(lambda: system.statistics().runs == 0, GRACE)
    if asynchronous:
        assert source.closed.wait(GRACE)
    gates.open("a", "b")
    eventually(lambda: free(system), SECONDS)
    assert system.statistics().pools["default"].counts.late == late + 2
    (run,) = runs
    end = run.statistics()
    # Where it has asked for the next one, the places of the first two were given back, and used.
    assert end.pulled in (6, 8)
    assert (end.emitted, end.dropped_by_close, end.dropped_by_halt) == (2, end.pulled - 2, 0)


# --- who are slow


class Counting:
    """Counts what is pulled, and knows what was taken; remembers the most that there was in between."""

    def __init__(self, payloads: Any) -> None:
        self.payloads = payloads
        self.pulled = self.taken = self.most = 0

    def _count(self) -> None:
        self.pulled += 1
        self.most = max(self.most, self.pulled - self.taken)

    def __iter__(self) -> Iterator[Any]:
        for payload in self.payloads:
            self._count()
            yield payload

    async def __aiter__(self) -> AsyncIterator[Any]:
        for payload in self.payloads:
            self._count()
            yield payload


WINDOWS = [(1, 0, 1), (1, 0, 8), (2, 1, 5), (2, 6, 16), (8, 24, 4)]


@pytest.mark.parametrize(("max_in_flight", "prefetch", "batch_size"), WINDOWS)
@pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_slow_consumer_stops_the_source(
    system: System, max_in_flight: int, prefetch: int, batch_size: int, ordering: str, asynchronous: bool
) -> None:
    source = Counting(itertools.count())
    window = (max_in_flight + prefetch) * batch_size
    options: dict[str, Any] = {
        "module": "tasks",
        "function": "naps",
        "max_in_flight": max_in_flight,
        "prefetch": prefetch,
        "batch_size": batch_size,
        "ordering": ordering,
    }

    def look(stream: Any) -> bool:
        """Whether nothing moves any more: all that was pulled is done, or waits for the rest of its batch."""
        now = stream.statistics()
        assert now.pulled - now.emitted <= window
        assert now.accounted <= now.pulled
        return now.emitted == source.taken and now.held + now.buffered == now.pulled - now.emitted

    if asynchronous:

        async def main() -> None:
            async with system.dispatch.astream(source, **options) as stream:
                for _ in range(3):
                    for _ in range(window // 2 + 1):
                        # Counted before: with the item, its place in the window is given back.
                        source.taken += 1
                        await anext(stream)
                    await _until(lambda: look(stream))

        asyncio.run(main())
    else:
        with system.dispatch.stream(source, **options) as stream:
            for _ in range(3):
                for _ in range(window // 2 + 1):
                    source.taken += 1
                    next(stream)
                _wait(lambda: look(stream))
    assert source.most <= window


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
def test_with_preserve_a_slow_first_batch_stops_the_source(
    system: System, gates: Gates, lazy: bool, eventually: Callable[..., None]
) -> None:
    payloads = [(0, gates["first"]), *range(1, 1000)]
    source = Counting(payloads)
    with system.dispatch.stream(source if lazy else payloads, **GATED, batch_size=1, max_in_flight=8) as stream:
        got: list[int] = []
        reader = threading.Thread(target=lambda: got.extend(item.payload for item in itertools.islice(stream, 1000)))
        reader.start()
        gates.wait_begun("first")
        # The other worker has done all that the window lets it, and is free for others.
        eventually(lambda: stream.statistics().held == 7, SECONDS)
        now = stream.statistics()
        assert (now.pulled, now.in_flight, now.buffered, now.emitted) == (8, 1, 0, 0)
        assert len(system.dispatch.run(range(100), module="tasks", function="double", batch_size=1)) == 100
        assert stream.statistics() == now
        gates.open("first")
        reader.join(SECONDS)
    assert got == list(range(1000))
    if lazy:
        assert source.pulled == 1000
