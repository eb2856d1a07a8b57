"""Prepared calls: options are checked once, and all ways to call are there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import DispatchError, OptionError, PoolSpec, Retry, System, SystemStopped
from slither_actors.prepared_call import PreparedCall
from slither_actors.requests.futures import FutureReplyTo, future_of
from slither_actors.runs.output.gather import agather, gather
from slither_actors.strategies import FixedBatch, Strategy

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}
SECONDS = 30


@pytest.fixture
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], max_restarts=None)}) as system:
        yield system


@pytest.fixture
def double(system: System) -> PreparedCall:
    return system.dispatch.bind(**DOUBLE)


def payloads(items: Any) -> list[Any]:
    return [item.payload for item in items]


def test_it_has_every_way_to_call(double: PreparedCall) -> None:
    async def awaited() -> list[Any]:
        return [
            payloads(await double.arun([1, 2])),
            payloads(await double.acall_batch([1, 2])),
            [item.payload async for item in double.astream([1, 2])],
        ]

    assert payloads(double.run([1, 2])) == [2, 4]
    assert payloads(double.call_batch([1, 2])) == [2, 4]
    assert payloads(double.stream([1, 2])) == [2, 4]
    assert payloads(double.submit([1, 2]).result(SECONDS)) == [2, 4]
    assert asyncio.run(awaited()) == [[2, 4]] * 3


def test_it_takes_what_makes_many_batches(double: PreparedCall) -> None:
    async def source() -> Any:
        for number in range(100):
            yield number

    assert len(double.run(range(1000))) == 1000
    assert len(double.run(iter(range(100)))) == 100
    assert len(asyncio.run(double.arun(source()))) == 100
    assert double.run([]) == double.call_batch([]) == []


def test_options_that_make_batches_do_not_concern_a_batch(system: System) -> None:
    call = system.dispatch.bind(**DOUBLE, batch_size=2, linger=1.0)
    assert len(call.call_batch(list(range(10)))) == 10
    assert len(call.run(list(range(10)))) == 10


@pytest.mark.parametrize("options", [{"timeout": -1}, {"nonsense": 1}, {"strategy": FixedBatch(3)}, {"batch_size": 0}])
def test_wrong_options_are_refused_when_it_is_made(system: System, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        system.dispatch.bind(**{**DOUBLE, **options})


def test_a_strategy_is_made_for_each_run(system: System) -> None:
    class Pairs(Strategy):
        def __init__(self) -> None:
            self.held: list[Any] = []

        def add(self, item: Any) -> Any:
            self.held.append(item)
            return self.flush() if len(self.held) == 2 else ()

        def flush(self) -> Any:
            held, self.held = self.held, []
            return (held,) if held else ()

    call = system.dispatch.bind(**DOUBLE, strategy=Pairs)
    assert payloads(call.run([1, 2, 3])) == payloads(call.run([1, 2, 3])) == [2, 4, 6]
    assert payloads(call.submit([1]).result(SECONDS)) == [2]


@pytest.mark.parametrize("batch", ["text", {1: 2}, range(3), iter([1])], ids=type)
def test_a_batch_is_a_list_or_tuple(double: PreparedCall, batch: Any) -> None:
    with pytest.raises(OptionError, match="list or tuple"):
        double.call_batch(batch)


def test_a_stopped_system_takes_none(system: System, double: PreparedCall) -> None:
    double.run([1])
    system.stop()
    for call in (double.run, double.call_batch, double.submit):
        with pytest.raises(SystemStopped):
            call([1])


def test_a_stop_ends_those_under_way(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    call = system.dispatch.bind(module="tasks", function="through_gates")
    future = call.submit([(1, gates["a"])])
    gates.wait_begun("a")
    system.stop()
    error = future.exception(SECONDS)
    assert isinstance(error, DispatchError)
    assert isinstance(error.reason, SystemStopped)
    assert error.unfinished == [0]


def test_futures_fail_as_runs_do(system: System) -> None:
    error = system.dispatch.bind(module="tasks", function="negative_ones_fail").submit([1, -2]).exception(SECONDS)
    assert isinstance(error, DispatchError)
    assert error.unfinished == [0, 1]
    unsendable = system.dispatch.bind(**DOUBLE).submit([object()]).exception(SECONDS)
    assert isinstance(unsendable, DispatchError)


def test_retries_of_one_future_keep_no_other_waiting(system: System, tmp_path: Path) -> None:
    retry = Retry(max_attempts=2, backoff=3600.0, max_backoff=3600.0)
    failing = system.dispatch.bind(module="tasks", function="log_and_fail_all", on_error=retry)
    first = failing.submit([(str(tmp_path / "log"), 9)])
    while not (tmp_path / "log").exists():
        pass
    assert payloads(system.dispatch.bind(**DOUBLE).submit([1]).result(SECONDS)) == [2]
    assert not first.done()
    system.stop()
    assert isinstance(first.exception(SECONDS), DispatchError)


def test_a_future_that_is_cancelled_is_not_executed(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    call = system.dispatch.bind(module="tasks", function="through_gates")
    first, second, third = (call.submit([(n, gates[name])]) for n, name in enumerate("abc"))
    gates.wait_begun("a")
    assert second.cancel()
    with pytest.raises(CancelledError):
        second.result(0)
    gates.open("a")
    gates.open("c")
    assert payloads(first.result(SECONDS) + third.result(SECONDS)) == [0, 2]
    assert not gates.begun("b")


def test_callbacks_run_on_a_thread_that_may_block(system: System, double: PreparedCall) -> None:
    future = double.submit([1])
    found: Future[Any] = Future()
    future.add_done_callback(lambda _: found.set_result((threading.current_thread().name, double.run([2]))))
    name, results = found.result(SECONDS)
    assert payloads(results) == [4]
    assert name in (f"{system._scheduler.name}-futures", threading.main_thread().name)
    assert isinstance(system.requests._futures, FutureReplyTo)


def test_a_run_can_be_a_future_too(system: System) -> None:
    consumer = system.dispatch.open(iter([1, 2]), DOUBLE)
    assert payloads(future_of(consumer).result(SECONDS)) == [2, 4]
    assert payloads(gather(system.dispatch.open(iter([3]), DOUBLE))) == [6]
    assert payloads(asyncio.run(agather(system.dispatch.open([3], DOUBLE, asynchronous=True)))) == [6]
