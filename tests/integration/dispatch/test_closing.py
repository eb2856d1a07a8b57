"""Runs that are abandoned: their sources stop, workers and threads are free, others do not notice."""

from __future__ import annotations

import gc
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.gates import Gates
from support.victims import beside

from slither_actors import DispatchError, Retry, StreamClosed, System

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}
sources = pytest.mark.parametrize(
    "source", [itertools.count, lambda: (i for i in itertools.count())], ids=["count", "generator"]
)


@pytest.fixture(autouse=True)
def all_is_free_again(system: System, eventually: Callable[..., None]) -> Iterator[None]:
    """After each of these tests no run is left, nothing waits, nothing is in a pipe, and the workers are the same."""
    before = {executor.pid for executor in system.statistics().pools["default"].executors}
    yield

    def free() -> bool:
        now = system.statistics()
        pool = now.pools["default"].pool
        assert pool is not None
        return (now.runs, pool.runs, pool.waiting, pool.in_pipes, pool.ready) == (0, 0, 0, 0, 2)

    eventually(free, 10)
    assert {executor.pid for executor in system.statistics().pools["default"].executors} == before
    assert [item.payload for item in system.dispatch.run(range(10), **DOUBLE, batch_size=1)] == list(range(0, 20, 2))


@sources
def test_breaking_out_of_the_loop(system: System, source: Any) -> None:
    for item in system.dispatch.stream(source(), **DOUBLE, batch_size=3):
        if item.id == 100:
            break


@sources
def test_leaving_the_with_block(system: System, source: Any) -> None:
    with system.dispatch.stream(source(), **DOUBLE) as stream:
        next(stream)
    with pytest.raises(StreamClosed):
        list(stream)


@pytest.mark.parametrize("lazy", [True, False])
def test_results_that_were_not_taken_at_closing_are_dropped(system: System, lazy: bool) -> None:
    given = range(100)
    stream = system.dispatch.stream((x for x in given) if lazy else given, **DOUBLE)
    items = iter(stream)
    taken = [next(stream).payload, next(items).payload]
    stream.close()
    with pytest.raises(StreamClosed):
        next(items)
    assert taken == [0, 2]
    ledger = stream.statistics()
    assert (ledger.emitted, ledger.dropped_by_close) == (2, ledger.pulled - 2)


@pytest.mark.parametrize("lazy", [True, False])
def test_an_interrupted_stream_does_not_look_ended(
    system: System, gates: Gates, monkeypatch: pytest.MonkeyPatch, lazy: bool
) -> None:
    class Alarm(Exception):
        pass

    def ring(number: int, frame: Any) -> None:
        raise Alarm

    given = [0, (1, gates["shut"]), 2, 3]
    stream = system.dispatch.stream((x for x in given) if lazy else given, **GATED)
    assert next(stream).payload == 0
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Alarm):
            next(stream)
    finally:
        signal.signal(signal.SIGALRM, before)
        gates.open("shut")
    with pytest.raises(StreamClosed):
        next(stream)
    with pytest.raises(StreamClosed):
        list(stream)


def test_a_second_iterating_thread_is_refused(system: System, gates: Gates) -> None:
    given = [(0, gates["shut"]), *range(1, 10)]
    stream = system.dispatch.stream(given, **GATED)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(list, stream)
        gates.wait_begun("shut")
        with pytest.raises(RuntimeError, match="one at a time iterates"):
            next(stream)
        for _ in range(2):  # it is the stream's own error, and not the end of an iterator
            with pytest.raises(RuntimeError, match="one at a time iterates"):
                next(iter(stream))
            with pytest.raises(RuntimeError, match=r"queue\.Queue"):
                list(stream)
        gates.open("shut")
        assert [item.payload for item in waiting.result(20)] == list(range(10))
    assert stream.statistics().emitted == 10


@sources
def test_an_exception_in_the_consumer(system: System, source: Any) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        for item in system.dispatch.stream(source(), **DOUBLE, batch_size=2):
            1 // (item.id - 10)


@sources
def test_dropping_the_stream(system: System, source: Any) -> None:
    stream = system.dispatch.stream(source(), **DOUBLE)
    next(stream)
    del stream


@sources
def test_dropping_a_stream_in_a_reference_cycle(system: System, source: Any) -> None:
    cycle: list[Any] = []
    cycle += [cycle, system.dispatch.stream(source(), **DOUBLE)]
    next(cycle[1])
    del cycle
    gc.collect()


@sources
def test_the_thread_of_the_consumer_dies(system: System, source: Any) -> None:
    def consume() -> None:
        stream = system.dispatch.stream(source(), **DOUBLE)
        next(stream)

    thread = threading.Thread(target=consume)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_closing_is_repeatable_before_and_after_the_run(system: System) -> None:
    stream = system.dispatch.stream([1, 2], **DOUBLE)
    assert [item.payload for item in stream] == [2, 4]
    stream.close()
    stream.close()
    assert list(stream) == []


@pytest.mark.parametrize("lazy", [True, False])
def test_closing_from_another_thread_wakes_the_consumer(system: System, gates: Gates, lazy: bool) -> None:
    given = [(0, gates["shut"]), (1, gates["shut"]), *range(2, 10)]
    stream = system.dispatch.stream((x for x in given) if lazy else given, **GATED, max_in_flight=2)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(next, stream)
        gates.wait_begun("shut", 2)
        stream.close()
        with pytest.raises(StreamClosed):
            waiting.result(20)
    gates.open("shut")


def test_what_waits_is_cancelled_and_what_is_executed_runs_out(
    system: System, gates: Gates, eventually: Callable[..., None]
) -> None:
    # Short batches first, so that more than one is put into a pipe.
    given = [*range(60), (60, gates["shut"]), *((i, gates[i]) for i in range(61, 80))]
    with system.dispatch.stream(given, **GATED, max_in_flight=1, prefetch=19) as stream:
        while next(stream).id < 59:
            pass

        def ask() -> None:  # what has come out makes room for the next ones only when a consumer wants one
            with pytest.raises(StreamClosed):
                next(stream)

        with beside(ask):
            gates.wait_begun("shut")
            stream.close()
    # Closing waits for nothing, so: until the run is gone, and what its end made the Pool tell the Executor is written.
    eventually(lambda: system.statistics().runs == 0)
    for _ in range(3):
        system.statistics()
    gates.open("shut", *range(61, 80))
    # A run that comes later is served by the same worker; when both are done, nothing else has been begun.
    assert len(system.dispatch.run(range(50), **DOUBLE, batch_size=1)) == 50
    assert [i for i in range(61, 80) if gates.begun(i)] == []


def test_a_source_that_blocks_does_not_block_close(
    system: System, eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        let_go.wait(60)

    before = system.statistics().stuck_threads
    began = time.monotonic()
    with system.dispatch.stream(source(), **DOUBLE, batch_size=1) as stream:
        assert next(stream).payload == 2
    assert time.monotonic() - began < 10
    eventually(lambda: system.statistics().stuck_threads == before + 1, 10)
    eventually(lambda: any("let_go.wait" in record.getMessage() for record in caplog.records))
    let_go.set()


def test_the_generator_that_the_run_made_is_closed_when_run_is(system: System) -> None:
    closed = threading.Event()

    class Source:
        def __iter__(self) -> Iterator[int]:
            try:
                yield from itertools.count()
            finally:
                closed.set()

    with system.dispatch.stream(Source(), **DOUBLE) as stream:
        next(stream)
    assert closed.wait(20)


def test_closing_while_batches_wait_for_their_back_off(system: System, eventually: Callable[..., None]) -> None:
    stream = system.dispatch.stream(
        [-1, -2, 3],
        module="tasks",
        function="negative_ones_fail",
        batch_size=1,
        on_error=Retry(5, backoff=20, max_backoff=20),
    )
    with stream, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(next, stream)
        eventually(lambda: stream.statistics().awaiting_retry == 2, 20)
        stream.close()
        with pytest.raises(StreamClosed):
            waiting.result(20)


def test_many_streams_closed_at_random_moments(system: System) -> None:
    def one(number: int) -> None:
        count = 0
        with system.dispatch.stream(
            itertools.count() if number % 2 else (i for i in itertools.count()),
            module="tasks",
            function="naps",
            batch_size=1 + number % 5,
            max_in_flight=1 + number % 3,
            ordering=("preserve", "as_completed")[number % 2],
        ) as stream:
            for _ in itertools.islice(stream, number * 3 % 17):
                count += 1
        assert count == number * 3 % 17

    with ThreadPoolExecutor(8) as threads:
        for run in [threads.submit(one, number) for number in range(60)]:
            run.result(60)


def test_a_halted_run_frees_workers_that_are_still_busy_with_it(system: System, gates: Gates) -> None:
    with pytest.raises(DispatchError):
        system.dispatch.run(
            [-1, (1, gates["busy"]), *range(20)],
            module="tasks",
            function="negative_ones_fail",
            batch_size=1,
            max_in_flight=2,
        )
    gates.open("busy")
