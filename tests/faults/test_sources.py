"""Sources that raise midway, block without end, or never end."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support import scripts
from support.drivers import outcome, with_side_thread
from support.gates import SECONDS, Gates
from support.loops import until
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolSpec, StreamClosed, System
from slither_actors.runs.run import Run

pytestmark = pytest.mark.fault(18)

orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}


@pytest.fixture(scope="module")
def shared() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        yield with_side_thread(system)


@pytest.fixture
def system(shared: System, eventually: Callable[..., None]) -> Iterator[System]:
    """One that has nothing more to do with any run when the test is over, and whose workers have not even noticed."""
    before = shared.statistics()
    yield shared
    eventually(lambda: idle(shared), SECONDS)
    after = shared.statistics()
    assert after.pids == before.pids
    assert after.pools["default"].counts.deaths == 0
    assert [item.payload for item in shared.dispatch.run([1, 2], **DOUBLE)] == [2, 4]


def idle(system: System) -> bool:
    now = system.statistics()
    pool = now.pools["default"].pool
    assert pool is not None
    return (now.runs, pool.ready, pool.runs, pool.waiting, pool.in_pipes) == (0, 2, 0, 0, 0)


# --- that raise


class Broken(Exception):
    pass


def breaks(count: int, cause: type[BaseException] = Broken) -> Iterator[int]:
    yield from range(count)
    raise cause


@orderings
@pytest.mark.parametrize("way", ["lazy", "async source"])
@pytest.mark.parametrize("count", [0, 1, 30, 1000])
def test_what_was_pulled_is_delivered_and_then_comes_the_error(
    system: System, ordering: str, way: str, count: int
) -> None:
    came = outcome(system, breaks(count), way, **DOUBLE, batch_size=7, ordering=ordering)
    assert sorted(item.payload for item in came.items) == list(range(0, 2 * count, 2))
    assert came.error is not None
    assert isinstance(came.error.reason, Broken)
    assert came.error.__cause__ is came.error.reason
    assert (came.error.unfinished, came.error.partial_results) == ([], [])
    assert came.numbers == (count, count, 0, 0)
    assert came.ledger.failed == 0


@orderings
def test_the_error_waits_for_a_batch_that_is_still_executed(system: System, tmp_path: Path, ordering: str) -> None:
    gates = Gates(tmp_path)
    with ThreadPoolExecutor(1) as threads:

        def source() -> Iterator[Any]:
            yield (0, gates["slow"])
            yield from range(1, 10)
            gates.wait_begun("slow")
            raise Broken

        stream = system.dispatch.stream(
            source(), module="tasks", function="through_gates", batch_size=1, ordering=ordering
        )
        got: list[int] = []
        reading = threads.submit(got.extend, (item.payload for item in stream))
        gates.wait_begun("slow")
        gates.open("slow")
        error = reading.exception(SECONDS)
    assert sorted(got) == list(range(10))
    assert isinstance(getattr(error, "reason", None), Broken)
    assert (stream.statistics().pulled, stream.statistics().emitted) == (10, 10)


def test_a_program_that_is_killed_while_its_output_is_read(system: System) -> None:
    script = "import time\nfor n in range(500): print(n, flush=True)\ntime.sleep(3600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as program:

        def source() -> Iterator[int]:
            assert program.stdout is not None
            for line in program.stdout:
                yield int(line)
                if line == "499\n":
                    program.kill()
            if program.wait():
                raise Broken(f"the program ended with {program.returncode}")

        came = outcome(system, source(), "lazy", **DOUBLE)
    assert [item.payload for item in came.items] == list(range(0, 1000, 2))
    assert came.error is not None
    assert str(came.error.reason) == "the program ended with -9"
    assert came.numbers == (500, 500, 0, 0)


# --- that block without end


@contextmanager
def silent_pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(writer)
        # A thread that still reads finds the end there, and not what has this number next.
        while [thread for thread in threading.enumerate() if "Producer" in thread.name]:
            time.sleep(0.005)
        os.close(reader)


def test_a_stream_with_a_blocked_source_closes_at_once(
    system: System, eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    before = system.statistics().stuck_threads
    with silent_pipe() as (reader, writer):

        def source() -> Iterator[int]:
            yield from range(3)
            yield os.read(reader, 1)[0]

        stream = system.dispatch.stream(source(), **DOUBLE, batch_size=1)
        got = [next(stream).payload for _ in range(3)]
        stream.close()
        assert got == [0, 2, 4]
        end = stream.statistics()
        assert (end.pulled, end.emitted, end.dropped) == (3, 3, 0)
        eventually(lambda: idle(system))
        # Counted and named once the grace is over.
        eventually(lambda: system.statistics().stuck_threads == before + 1, SECONDS)
        eventually(lambda: any("os.read(reader, 1)" in record.getMessage() for record in caplog.records))
        os.write(writer, b"x")
        eventually(lambda: not [thread for thread in threading.enumerate() if "Producer" in thread.name])
    # What it gave in the end is not delivered any more.
    assert stream.statistics() == replace(end, pulled=4, dropped_by_close=1)


def test_consumer_waits_for_such_a_source_and_is_woken_by_close(system: System) -> None:
    with silent_pipe() as (reader, writer), ThreadPoolExecutor(1) as threads:
        stream = system.dispatch.stream((os.read(reader, 1)[0] for _ in range(3)), **DOUBLE, batch_size=1)
        waiting = threads.submit(next, stream)
        os.write(writer, b"a")
        assert waiting.result(SECONDS).payload == 2 * ord("a")
        waiting = threads.submit(next, stream)
        stream.close()
        assert isinstance(waiting.exception(SECONDS), StreamClosed)


def test_an_asynchronous_source_that_waits_is_cancelled(system: System) -> None:
    cancelled: list[bool] = []

    async def source() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        stream = system.dispatch.astream(source(), **DOUBLE, batch_size=1)
        assert (await anext(stream)).payload == 2
        await stream.aclose()
        end = stream.statistics()
        assert (end.pulled, end.emitted, end.dropped) == (1, 1, 0)
        await until(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(main())
    assert cancelled == [True]


def test_a_system_stops_in_time_though_sources_block(tmp_path: Path, eventually: Callable[..., None]) -> None:
    with silent_pipe() as (reader, _):
        system = System({"default": PoolSpec(size=1, path=[FUNCTIONS])}).start()
        with ThreadPoolExecutor(2) as threads:
            streams = [
                system.dispatch.stream((os.read(reader, 1)[0] for _ in range(3)), **DOUBLE, batch_size=1)
                for _ in range(2)
            ]
            waiting = [threads.submit(next, stream) for stream in streams]
            eventually(lambda: len([t for t in threading.enumerate() if "Producer" in t.name]) == 2)
            assert system.stop()
            for run in waiting:
                error: Any = run.exception(SECONDS)
                assert (type(error.reason).__name__, error.unfinished) == ("SystemStopped", [])


# --- that never end


FLAT = """
import asyncio, itertools, resource

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def payloads():
    # Half a kilobyte each, so that a few thousand that are kept are seen.
    return ({"n": n, "text": "x" * 500} for n in itertools.count())

async def apayloads():
    for payload in payloads():
        yield payload

SKIP, MEASURE = 10_000, 40_000

def check(numbers):
    before = None
    for count, _ in enumerate(numbers, 1):
        if count == SKIP:
            before = resident()
        if count == SKIP + MEASURE:
            return resident() - before

async def acheck(numbers):
    before, count = None, 0
    async for _ in numbers:
        count += 1
        if count == SKIP:
            before = resident()
        if count == SKIP + MEASURE:
            return resident() - before
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_stays_flat_however_long_the_input(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        FLAT
        + """
with System({"default": PoolSpec(size=2)}) as system:
    options = {"module": "tasks", "function": "naps", "batch_size": 200}
    for ordering in ("preserve", "as_completed"):
        with system.dispatch.stream(payloads(), **options, ordering=ordering) as stream:
            print("lazy", check(stream))
    with system.dispatch.stream(itertools.repeat({"text": "x" * 500}), **options) as stream:
        print("in memory", check(stream))
    async def main():
        async with system.dispatch.astream(apayloads(), **options) as stream:
            print("async source", await acheck(stream))
    asyncio.run(main())
    policy = {"on_error": Retry(2, backoff=0.001, then="skip")}
    with system.dispatch.stream((-n for n in itertools.count()), module="tasks", function="negative_fails", each=True,
                                batch_size=50, **policy) as stream:
        SKIP, MEASURE = 2_000, 5_000
        print("failing", check(stream))
    print("runs", system.statistics().pools["default"].pool.runs <= 1)
""",
        seconds=100,
    )
    assert done.returncode == 0, done.stderr
    grown = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert set(grown) == {"lazy", "in memory", "async source", "failing", "runs"}
    # Kept, the items would take 40,000 times 700 bytes.
    assert {way: int(growth) < 4_000_000 for way, growth in grown.items() if way != "runs"} == dict.fromkeys(
        ["lazy", "in memory", "async source", "failing"], True
    ), grown


def test_an_endless_source_is_pulled_only_as_far_as_the_window(system: System, eventually: Callable[..., None]) -> None:
    for endless in (itertools.count(), iter(itertools.count().__next__, None)):
        with system.dispatch.stream(endless, **DOUBLE, batch_size=5, max_in_flight=2, prefetch=3) as stream:
            assert next(stream).payload == 0
            eventually(lambda: stream.statistics().held == stream.statistics().pulled - 1)
            assert stream.statistics().pulled in (25, 26)


def test_a_sources_error_arrives_if_its_producer_is_woken_too(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Run.room

    def woken(run: Run) -> int:
        """As if another thread had come between the Producer's word that it waits and its second look."""
        producer = run.producer
        if producer is not None and producer.waiting and threading.get_ident() == producer.stuck_in():
            producer.wake()
            return 1
        return original(run)

    monkeypatch.setattr(Run, "room", woken)

    def source() -> Iterator[int]:
        yield from range(500)
        raise KeyError("no more")

    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(source(), module="tasks", function="double", batch_size=4)
    assert isinstance(caught.value.reason, KeyError)
    assert len(caught.value.partial_results) == 500
