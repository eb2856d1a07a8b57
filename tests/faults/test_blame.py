"""A crash or a timeout costs one attempt of one item, where it is known at which item the worker was."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates
from support.victims import beside, counts, counts_after, works

from slither_actors import BatchTimeout, DispatchError, Item, Retry, Route, System, WorkerCrashed
from slither_actors.pools.processes import cursor_page

Start = Callable[..., System]
CRASHES = {"abort": "SIGABRT", "segfault": "SIGSEGV", "exit": "exit 0"}


def batch_with(*bad: int, deed: str = "abort", size: int = 64) -> list[Any]:
    return [deed if index in bad else index for index in range(size)]


def skipped(results: list[Item]) -> list[int]:
    return [item.id for item in results if "skipped" in item.meta]


def run(system: System, payloads: Any, **options: Any) -> tuple[list[Item], Any]:
    stream = system.dispatch.stream(payloads, **{"module": "items", "function": "does", "each": True, **options})
    return list(stream), stream.statistics()


# --- each=True


@pytest.mark.fault(3)
@pytest.mark.parametrize("deed", CRASHES)
def test_a_crash_costs_the_item_it_was_at(start: Start, deed: str) -> None:
    system = start(max_restarts=None)
    results, ledger = run(system, batch_with(40, deed=deed), on_error="skip")
    assert [item.payload for item in results] == batch_with(40, deed=deed)
    assert skipped(results) == [40]
    assert isinstance(results[40].meta["error"], WorkerCrashed)
    assert (ledger.failed, ledger.skipped, ledger.retries) == (1, 1, 0)
    assert (counts(system).deaths, counts(system).exits) == (1, {CRASHES[deed]: 1})
    assert works(system)


@pytest.mark.fault(6)
@pytest.mark.parametrize("deed", ["hang", "hang_in_c", "stop"])
def test_a_hang_costs_one_timeout_of_its_item(start: Start, deed: str) -> None:
    system = start()
    results, ledger = run(system, batch_with(40, deed=deed), on_error="skip", timeout=0.5)
    assert skipped(results) == [40]
    error = results[40].meta["error"]
    assert isinstance(error, BatchTimeout)
    assert (error.timeout, error.item_id, error.done, error.count) == (0.5, 40, 40, 64)
    assert "item 40" in str(error)
    assert (ledger.failed, ledger.skipped) == (1, 1)
    assert (counts(system).deaths, counts(system).kills) == (0, {"timeout": 1})


@pytest.mark.fault(3)
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
@pytest.mark.parametrize("bad", [(0, 1, 31, 62, 63), tuple(range(20, 25)), (0,), (63,)])
def test_there_is_one_death_a_bad_item(start: Start, bad: tuple[int, ...], ordering: str, lazy: bool) -> None:
    system = start(max_restarts=None)
    payloads = batch_with(*bad)
    results, ledger = run(system, (each for each in payloads) if lazy else payloads, on_error="skip", ordering=ordering)
    assert sorted(skipped(results)) == list(bad)
    assert sorted(item.id for item in results) == list(range(64))
    if ordering == "preserve":
        assert [item.id for item in results] == list(range(64))
    assert (ledger.failed, counts(system).exits) == (len(bad), {"SIGABRT": len(bad)})


@pytest.mark.fault(3)
def test_a_batch_of_killers_only_costs_a_death_each(start: Start) -> None:
    system = start(2, max_restarts=None)
    results, ledger = run(system, ["abort"] * 16, batch_size=8, on_error="skip")
    assert skipped(results) == list(range(16))
    assert (ledger.failed, counts(system).exits) == (16, {"SIGABRT": 16})


@pytest.mark.fault(3)
def test_an_item_known_at_fault_is_not_looked_for(start: Start) -> None:
    system = start(max_restarts=None)
    results, ledger = run(system, batch_with(40), on_error=Retry(3, split=True, then="skip", backoff=0.001))
    assert skipped(results) == [40]
    assert (ledger.failed, ledger.retries) == (3, 2)
    assert counts(system).exits == {"SIGABRT": 3}


@pytest.mark.fault(3)
def test_the_item_goes_where_the_route_sends_it(start: Start) -> None:
    system = start(max_restarts=None)
    route = Route(lambda item, reason: item.update_payload(type(reason).__name__))
    results, ledger = run(system, batch_with(5, 9), on_error=route)
    assert [item.payload for item in results if type(item.payload) is str] == ["WorkerCrashed"] * 2
    assert [item.id for item in results] == list(range(64))
    assert (ledger.routed, counts(system).deaths) == (2, 2)


@pytest.mark.fault(1)
def test_one_that_is_killed_once_is_tried_again(start: Start, tmp_path: Path) -> None:
    system = start(max_restarts=None)
    payloads = [(str(tmp_path / "once"), each) for each in batch_with(40, deed="killed")]
    results, ledger = run(system, payloads, function="once", on_error=Retry(2, backoff=0.001))
    assert [item.payload for item in results] == [0 if i == 40 else i for i in range(64)]
    assert (ledger.failed, ledger.retries, counts(system).exits) == (1, 1, {"SIGKILL": 1})


@pytest.mark.fault(1)
def test_a_kill_from_outside_skips_nothing_with_retry(start: Start, tmp_path: Path) -> None:
    system, gates = start(max_restarts=None), Gates(tmp_path)

    def kill() -> None:
        (pid,) = gates.wait_begun("a")
        os.kill(pid, signal.SIGKILL)
        gates.open("a")

    payloads = [(i, gates["a"] if i == 30 else None) for i in range(64)]
    with beside(kill):
        results, ledger = run(system, payloads, function="pass_gate", on_error=Retry(2, then="skip", backoff=0.001))
    assert [item.payload for item in results] == list(range(64))
    assert skipped(results) == []
    assert (ledger.failed, counts(system).exits) == (1, {"SIGKILL": 1})


@pytest.mark.fault(4)
@pytest.mark.parametrize(("ordering", "done"), [("preserve", 40), ("as_completed", 0)])
def test_halt_names_the_item_and_finishes_those_before_it(start: Start, ordering: str, done: int) -> None:
    system = start()
    with pytest.raises(DispatchError, match=r"item 40") as caught:
        system.dispatch.run(batch_with(40), module="items", function="does", each=True, ordering=ordering)
    error = caught.value
    assert isinstance(error.reason, WorkerCrashed)
    assert [item.payload for item in error.partial_results] == list(range(done))
    assert error.unfinished == list(range(done, 64))
    assert counts(system).deaths == 1


@pytest.mark.fault(3)
def test_those_behind_the_item_were_not_executed_before(start: Start, tmp_path: Path) -> None:
    system = start(max_restarts=None)
    log = tmp_path / "log"
    payloads = [(str(log), each) for each in batch_with(5, size=10)]
    results, _ = run(system, payloads, function="logs_and_does", on_error="skip")
    assert skipped(results) == [5]
    lines = log.read_text().split()
    assert lines == [*map(str, range(5)), "abort", *map(str, range(5)), *map(str, range(6, 10))]


@pytest.mark.fault(3)
def test_the_bytes_of_a_run_are_given_back(start: Start) -> None:
    system = start(max_restarts=None)
    results, _ = run(system, batch_with(3, 40, 90, size=256), on_error="skip", max_in_flight_bytes=200, batch_size=16)
    assert skipped(results) == [3, 40, 90]
    assert [item.id for item in results] == list(range(256))
    assert counts(system).deaths == 3


@pytest.mark.fault(3)
def test_a_batch_of_a_key_loses_its_item_only(start: Start) -> None:
    from slither_actors.strategies import KeyPartition

    system = start(2, max_restarts=None)
    results, _ = run(
        system,
        [Item(i, each) for i, each in enumerate(batch_with(7, 20, size=40))],
        on_error="skip",
        strategy=KeyPartition,
        key_fn=lambda item: item.id % 3,
        batch_size=8,
    )
    assert sorted(skipped(results)) == [7, 20]
    assert sorted(item.id for item in results) == list(range(40))
    assert counts(system).deaths == 2


@pytest.mark.fault(3)
def test_a_session_is_lost_whole_as_ever(start: Start) -> None:
    from slither_actors import Context, SessionLost

    system = start(max_restarts=None, affinity="strict")
    results, _ = run(system, batch_with(40), on_error="skip", context=Context.new(session_id="s"))
    assert skipped(results) == list(range(64))
    assert isinstance(results[0].meta["error"], SessionLost)


@pytest.mark.fault(3)
def test_a_ready_batch_loses_its_item_only(start: Start) -> None:
    system = start(max_restarts=None)
    results = system.dispatch.call_batch(batch_with(40), module="items", function="does", each=True, on_error="skip")
    assert skipped(results) == [40]


@pytest.mark.fault(3)
def test_a_forked_child_does_not_speak_for_its_parent(start: Start) -> None:
    system = start(max_restarts=None)
    payloads = batch_with(8, size=16)
    payloads[4] = "fork"
    results, _ = run(system, payloads, function="forks", on_error="skip")
    assert skipped(results) == [8]


# --- any batch, any policy


@pytest.mark.fault(3)
@pytest.mark.parametrize("seed", range(6))
def test_any_run_with_killers_among_its_items(start: Start, seed: int) -> None:
    """Each bad item costs its attempts, each one a death or a failure, and no other item is touched."""
    chance = random.Random(seed)
    system = start(2, max_restarts=None)
    size = chance.randint(1, 150)
    payloads: list[Any] = list(range(size))
    for index in chance.sample(range(size), min(size, chance.randint(1, 6))):
        payloads[index] = chance.choice(["abort", "exit", "raise"])
    bad = {index: payload for index, payload in enumerate(payloads) if isinstance(payload, str)}
    attempts = chance.choice([1, 2])
    policy = Retry(attempts, split=chance.random() < 0.5, then="skip", backoff=0.001)
    ordering = chance.choice(["preserve", "as_completed"])
    options = {"batch_size": chance.randint(1, 64), "ordering": ordering, "on_error": policy}
    results, ledger = run(system, iter(payloads) if chance.random() < 0.5 else payloads, **options)
    if ordering == "preserve":
        assert [item.id for item in results] == list(range(size))
    assert {item.id: item.payload for item in results} == dict(enumerate(payloads))
    assert sorted(skipped(results)) == sorted(bad)
    deaths = attempts * sum(payload != "raise" for payload in bad.values())
    assert (counts(system).deaths, ledger.failed, ledger.skipped) == (deaths, attempts * len(bad), len(bad))


@pytest.mark.fault(3)
@pytest.mark.parametrize("seed", range(6))
def test_halt_gives_all_before_the_first_killer(start: Start, seed: int) -> None:
    chance = random.Random(seed)
    system = start(2, max_restarts=None)
    size = chance.randint(20, 150)
    payloads: list[Any] = list(range(size))
    bad = sorted(chance.sample(range(size), 4))
    for index in bad:
        payloads[index] = chance.choice(["abort", "exit", "raise"])
    with pytest.raises(DispatchError, match=rf"item {bad[0]}\b") as caught:
        system.dispatch.run(payloads, module="items", function="does", each=True, batch_size=chance.randint(1, 64))
    assert [item.payload for item in caught.value.partial_results] == list(range(bad[0]))
    assert caught.value.unfinished[0] == bad[0]


# --- wherever and however it runs


@pytest.mark.fault(3)
@pytest.mark.parametrize("spec", [{"shared_memory": False}, {"memory_limit": 4 << 30}, {"max_batches": 2}])
def test_every_kind_of_pool_knows_the_item(start: Start, spec: dict[str, Any]) -> None:
    system = start(max_restarts=None, **spec)
    results, _ = run(system, batch_with(3, 40), on_error="skip", batch_size=16)
    assert skipped(results) == [3, 40]
    assert counts(system).deaths == 2


@pytest.mark.fault(3)
def test_without_memfd_a_file_does_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor_page, "memory_file", lambda size: -1)
    system = start(max_restarts=None, shared_memory=False)
    results, _ = run(system, batch_with(3, 40), on_error="skip")
    assert skipped(results) == [3, 40]
    assert counts(system).deaths == 2


@pytest.mark.fault(3)
def test_without_any_file_the_batch_is_blamed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor_page, "make", lambda: -1)
    system = start(max_restarts=None, shared_memory=False)
    results, _ = run(system, batch_with(3, size=8), on_error=Retry(1, split=True, then="skip"))
    assert skipped(results) == [3]
    assert counts(system).deaths == 4


@pytest.mark.fault(3)
def test_an_async_run_loses_its_item_only(start: Start) -> None:
    system = start(max_restarts=None)

    async def go() -> list[Item]:
        return await system.dispatch.arun(
            batch_with(3, 40), module="items", function="does", each=True, on_error="skip"
        )

    assert skipped(asyncio.run(go())) == [3, 40]
    assert counts(system).deaths == 2


@pytest.mark.fault(6)
def test_an_inline_batch_has_its_batch_timeout(start: Start) -> None:
    system, done = start(), threading.Event()

    class Waits:
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            done.wait(20)
            return batch

    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], executor=Waits, batch_timeout=0.1)
    done.set()
    error = caught.value.reason
    assert isinstance(error, BatchTimeout)
    assert (error.option, error.timeout, error.inline) == ("batch_timeout", 0.1, True)


@pytest.mark.fault(6)
def test_a_pools_batch_timeout_holds_unless_the_run_says(start: Start) -> None:
    system = start(batch_timeout=0.4)
    with pytest.raises(DispatchError, match=r"batch_timeout of 0\.4 s"):
        run(system, [0.05] * 64, function="naps")
    results, _ = run(system, [0.02] * 32, function="naps", batch_timeout=None)
    assert len(results) == 32


# --- batch functions that say where they are


@pytest.mark.fault(3)
@pytest.mark.parametrize("how", [{"each": False, "function": "says_and_does_all"}, {"command": "does"}])
def test_a_batch_that_says_where_it_is_loses_one_item(start: Start, how: dict[str, Any]) -> None:
    system = start(max_restarts=None, adapter="items:Says")
    options = {"module": "items", **how} if "function" in how else how
    results = system.dispatch.run(batch_with(3, 40), on_error="skip", **options)
    assert skipped(results) == [3, 40]
    assert counts(system).exits == {"SIGABRT": 2}


@pytest.mark.fault(6)
def test_a_hang_of_one_that_says_where_it_is(start: Start) -> None:
    system = start()
    results, _ = run(
        system, batch_with(40, deed="hang"), function="says_and_does_all", each=False, on_error="skip", timeout=0.5
    )
    assert skipped(results) == [40]
    assert counts(system).kills == {"timeout": 1}


@pytest.mark.fault(3)
def test_a_batch_that_says_nothing_is_one_thing(start: Start) -> None:
    system = start(max_restarts=None)
    results, _ = run(system, batch_with(40), function="does_all", each=False, on_error="skip")
    assert skipped(results) == list(range(64))
    assert counts(system).deaths == 1


@pytest.mark.parametrize("said", [-1, 3, "x", 1.5])
def test_what_is_no_place_in_the_batch_is_refused(start: Start, said: object) -> None:
    system = start()
    (item, *_) = system.dispatch.run([said, 0], module="items", function="says_wrongly", on_error="skip")
    assert item.meta["error"].type in ("ValueError", "TypeError")
    assert "progress" in item.meta["error"].message


# --- the item's timeout


@pytest.mark.fault(6)
@pytest.mark.parametrize("how", [{}, {"each": False, "function": "says_and_naps"}])
def test_the_timeout_is_an_items(start: Start, how: dict[str, Any]) -> None:
    system = start()
    results, _ = run(system, [0.05] * 64, **{"function": "naps", "timeout": 0.5, **how})
    assert [item.payload for item in results] == [0.05] * 64
    assert counts(system).kills == {}


@pytest.mark.fault(6)
def test_the_timeout_of_a_batch_function_is_the_batchs(start: Start) -> None:
    system = start()
    system.dispatch.run([0.01] * 4, module="tasks", function="sleeps", batch_size=4)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([0.0, 0.0, 3600.0, 0.0], module="tasks", function="sleeps", timeout=0.3)
    error = caught.value.reason
    assert isinstance(error, BatchTimeout)
    assert (error.of, error.count, error.done, error.timeout) == ("batch", 4, None, 0.3)
    for word in ("timeout of 0.3 s", "whole batch of 4 items", "batch_size"):
        assert word in str(error)


@pytest.mark.fault(6)
def test_the_error_says_what_an_item_takes(start: Start) -> None:
    system = start()
    with pytest.raises(DispatchError) as caught:
        run(system, [0.04] * 16 + [3600.0], function="sleeps", module="tasks", each=False, batch_size=4, timeout=1.0)
    error = caught.value.reason
    assert isinstance(error, BatchTimeout)
    assert error.count == 1
    assert error.average is not None
    assert error.average >= 0.03


@pytest.mark.fault(6)
def test_an_item_alone_is_named_too(start: Start) -> None:
    system = start()
    (item,), _ = run(system, [Item("a", "hang")], timeout=0.3, on_error="skip")
    error = item.meta["error"]
    assert (error.of, error.item_id) == ("item", "a")
    assert str(error).startswith("item 'a' was not done within its timeout of 0.3 s; ")


@pytest.mark.fault(6)
def test_the_whole_is_bound_by_batch_timeout(start: Start) -> None:
    system = start()
    with pytest.raises(DispatchError) as caught:
        run(system, [0.1] * 64, function="naps", batch_timeout=0.6)
    error = caught.value.reason
    assert isinstance(error, BatchTimeout)
    assert error.timeout == 0.6
    assert "batch_timeout" in str(error)
    assert "batch_size" in str(error)
    assert counts(system).kills == {"timeout": 1}


# --- between two items


def wait_told(system: System) -> None:
    """Wait until the workers have been told of the end of all runs."""
    deadline = time.monotonic() + 20.0
    while system.statistics().pools["default"].pool.runs:  # type: ignore[union-attr]
        assert time.monotonic() < deadline
    system.statistics()  # behind what the Pool has told its Executors


@pytest.mark.fault(20)
def test_a_close_takes_effect_between_two_items(start: Start, tmp_path: Path) -> None:
    system, gates = start(), Gates(tmp_path)
    payloads = [(i, gates[i]) for i in range(64)]
    stream = system.dispatch.stream(payloads, module="items", function="pass_gate", each=True, timeout=None)

    def close() -> None:
        gates.wait_begun(0)
        stream.close()
        wait_told(system)
        gates.open(0)

    with beside(close), pytest.raises(Exception, match="closed"):
        next(stream)
    assert works(system)
    assert gates.begun(1) == []
    assert (counts(system).kills, counts(system).started) == ({}, 1)


@pytest.mark.parametrize("failure", ["raises", "dies"])
def test_a_halt_takes_effect_between_two_items(start: Start, tmp_path: Path, failure: str) -> None:
    system, gates = start(2, max_restarts=None), Gates(tmp_path)
    payloads = [(i, gates[i]) for i in range(32)] + [(-1 if failure == "raises" else "abort", gates["bad"])]

    def fail() -> None:
        gates.wait_begun(0)
        gates.open("bad")

    with beside(fail), pytest.raises(DispatchError):
        run(system, payloads, function="deed_behind_gate", batch_size=32, ordering="as_completed", timeout=None)
    wait_told(system)
    gates.open(0)
    for _ in range(2):
        assert works(system)
    assert gates.begun(1) == []
    assert counts(system).kills == {}


@pytest.mark.fault(24)
def test_a_stop_takes_effect_between_two_items(make: Start, tmp_path: Path) -> None:
    system, gates = make(shutdown=20.0).start(), Gates(tmp_path)
    payloads = [(i, gates[i]) for i in range(64)]
    stream = system.dispatch.stream(payloads, module="items", function="pass_gate", each=True, timeout=None)

    def stop() -> None:
        gates.wait_begun(0)
        executor, told = system._links["default"].executors[0], threading.Event()
        with beside(system.stop, 20.0):
            while executor.statistics().state != "stopping":
                time.sleep(0.001)
            system._scheduler.post(told.set)  # the turn is over in which the worker is notified
            told.wait(20)
            gates.open(*range(64))

    with beside(stop), pytest.raises(DispatchError):
        list(stream)
    assert gates.begun(1) == []
    seen = counts_after(system)
    assert (seen.kills, seen.exits) == ({}, {"exit 0": 1})
