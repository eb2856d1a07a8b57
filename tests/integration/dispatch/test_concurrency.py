"""Workers that execute several batches at a time, on their event loop and on threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support.worker import FUNCTIONS

from slither_actors import Context, OptionError, PoolSpec, System
from slither_actors.pools.spec import MAX_CONCURRENCY


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    spec = PoolSpec(size=1, concurrency=4, path=[FUNCTIONS], adapter="several:Meeting", init={"start": 5})
    plain = PoolSpec(size=1, path=[FUNCTIONS])
    with System({"default": spec, "one": plain}, name="several") as system:
        yield system


@pytest.mark.parametrize("function", ["meet", "meet_on_threads"])
def test_as_many_batches_overlap_as_there_are_places(system: System, function: str) -> None:
    # Each waits until four have been inside at once; with more places there would be eight.
    results = system.dispatch.run([f"{function} 4"] * 8, module="several", function=function, batch_size=1, timeout=20)
    assert [item.payload for item in results] == [4] * 8


def test_a_run_has_as_many_as_it_may(system: System) -> None:
    results = system.dispatch.run(
        ["few 2"] * 6, module="several", function="meet", batch_size=1, max_in_flight=2, timeout=20
    )
    assert [item.payload for item in results] == [2] * 6


def test_results_keep_their_order(system: System) -> None:
    results = system.dispatch.run(range(500), module="several", function="one", each=True, batch_size=3)
    assert [item.payload for item in results] == list(range(500))


def test_items_of_an_async_function_fail_alone(system: System) -> None:
    results = system.dispatch.run([1, -2, 3], module="several", function="one", each=True, on_error="skip")
    assert ["error" in item.meta for item in results] == [False, True, False]


def test_requests_of_many_tasks_overlap_in_one_worker(system: System) -> None:
    async def calls() -> list[list[object]]:
        options = {"module": "several", "function": "meet", "timeout": 20.0}
        return await asyncio.gather(*(system.dispatch.acall_batch(["tasks 4"], **options) for _ in range(8)))

    assert [[item.payload for item in results] for results in asyncio.run(calls())] == [[4]] * 8


def test_commands_of_both_kinds_overlap(system: System) -> None:
    async def both() -> list[list[object]]:
        runs = [
            system.dispatch.arun([1], command=command, context=Context(session_id=command), timeout=20)
            for command in ("awaited", "plain")
        ]
        return [[item.payload for item in results] for results in await asyncio.gather(*runs)]

    assert asyncio.run(both()) == [[(5, "awaited")], [(5, "plain")]]


def test_one_at_a_time_is_the_default(system: System) -> None:
    results = system.dispatch.run(["one 1"] * 5, module="several", function="meet", batch_size=1, pool="one")
    assert [item.payload for item in results] == [1] * 5


def test_async_functions_share_one_loop(system: System) -> None:
    for pool in ("default", "one"):
        results = system.dispatch.run(range(4), module="several", function="loops", batch_size=1, pool=pool)
        assert len({item.payload for item in results}) == 1


def test_a_stream_needs_a_worker_for_itself(system: System) -> None:
    with pytest.raises(OptionError, match="use it with a pool that has concurrency=1"):
        system.dispatch.bind(module="several", function="one").stream_one(1)


@pytest.mark.parametrize("function", ["large", "large_on_threads"])
def test_large_results_of_several_stay_apart(function: str) -> None:
    with System({"default": PoolSpec(size=1, concurrency=4, path=[FUNCTIONS])}, name="large") as system:
        results = system.dispatch.run(range(120), module="several", function=function, batch_size=2)
    assert [(len(item.payload), item.payload[0]) for item in results] == [(100_000, number) for number in range(120)]


def test_tasks_and_threads_of_a_call_have_its_session(system: System) -> None:
    async def both() -> list[list[object]]:
        options = {"module": "several", "function": "sessions_seen", "timeout": 20.0}
        runs = [system.dispatch.arun([name], context=Context(session_id=name), **options) for name in ("a", "b")]
        return [[item.payload for item in results] for results in await asyncio.gather(*runs)]

    assert asyncio.run(both()) == [[("a", "a")], [("b", "b")]]


def test_recycled_workers_lose_nothing() -> None:
    spec = PoolSpec(size=2, concurrency=3, max_batches=4, path=[FUNCTIONS])
    with System({"default": spec}, name="recycled") as system:
        results = system.dispatch.run(range(60), module="several", function="one", each=True, batch_size=1)
        counts = system.statistics().pools["default"].counts
    assert [item.payload for item in results] == list(range(60))
    assert counts.recycled["max_batches"] >= 10
    assert counts.deaths == 0


@pytest.mark.parametrize("value", [0, MAX_CONCURRENCY + 1, 2.5, "2"])
def test_a_wrong_number_names_the_option(value: object) -> None:
    with pytest.raises(OptionError, match="concurrency must be"):
        PoolSpec(concurrency=value)  # type: ignore[arg-type]
