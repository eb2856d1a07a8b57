"""Workers that execute several batches at a time and die, hang or hold up their loop meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.victims import counts, pids, works

from slither_actors import BatchTimeout, Retry, System, WorkerCrashed

Start = Callable[..., System]

pytestmark = pytest.mark.fault(29)


def test_a_crash_is_charged_to_what_was_executed(start: Start) -> None:
    system = start(concurrency=3)
    items = [(0, 3), (1, 3), (2, 3), *((number, 0) for number in range(3, 9))]
    results = system.dispatch.run(items[:3], module="several", function="exit_among", batch_size=1, on_error="skip")
    assert [type(item.meta["error"]) for item in results] == [WorkerCrashed] * 3
    assert works(system)


def test_what_waited_in_the_pipe_is_not_charged(start: Start) -> None:
    system = start(concurrency=2)
    items = [(0, 2), (1, 2), *((number, 0) for number in range(2, 8))]
    results = system.dispatch.run(
        items, module="several", function="exit_once_among", batch_size=1, on_error="skip", ordering="as_completed"
    )
    failed = sorted(item.payload[0] for item in results if "error" in item.meta)
    assert failed == [0, 1]
    assert len(results) == 8


@pytest.mark.parametrize("function", ["one", "one_on_threads"])
def test_under_kills_every_item_comes_out_once(start: Start, function: str) -> None:
    system = start(size=2, concurrency=6, max_restarts=None)
    options = {"module": "several", "function": function, "each": True, "batch_size": 2}
    retry = Retry(max_attempts=50, backoff=0.0)
    seen = []
    with system.dispatch.stream(range(3_000), on_error=retry, ordering="as_completed", **options) as stream:  # type: ignore[arg-type]
        for item in stream:
            seen.append(item.payload)
            if len(seen) % 500 == 0:
                os.kill(pids(system)[0], signal.SIGKILL)
    assert sorted(seen) == list(range(3_000))
    assert counts(system).exits["SIGKILL"] >= 1


def test_a_timeout_ends_its_batch_and_with_retry_all_complete(start: Start, tmp_path: Path) -> None:
    system = start(concurrency=2)
    path = str(tmp_path / "hung")
    results = system.dispatch.run(
        [(number, path) for number in range(8)],
        module="several",
        function="hang_among",
        batch_size=1,
        timeout=2.0,
        on_error=Retry(max_attempts=3, backoff=0.0),
    )
    assert [item.payload for item in results] == list(range(8))
    assert counts(system).kills == {"timeout": 1}


def test_a_timeout_names_its_batch_and_the_others_say_beside(start: Start) -> None:
    system = start(concurrency=2)
    results = system.dispatch.run(
        [(1, 2), (2, 9)], module="several", function="exit_among", batch_size=1, timeout=0.5, on_error="skip"
    )
    errors = [item.meta["error"] for item in results]
    assert BatchTimeout in map(type, errors)
    assert {type(error) for error in errors} <= {BatchTimeout, WorkerCrashed}


def test_a_function_that_holds_up_the_loop_is_ended(start: Start, tmp_path: Path) -> None:
    system = start(concurrency=4)
    paths = [str(tmp_path / "blocked"), "", "", "", "", ""]
    results = system.dispatch.run(
        paths,
        module="several",
        function="block",
        batch_size=1,
        timeout=2.0,
        on_error=Retry(max_attempts=3, backoff=0.0),
    )
    assert [item.payload for item in results] == paths
    assert counts(system).kills == {"timeout": 1}


@pytest.mark.parametrize("size", [1, 2])
def test_poison_is_found_and_its_neighbours_complete(start: Start, size: int) -> None:
    system = start(size=size, concurrency=4)
    items = [f"good {number}" for number in range(30)]
    items[11] = "poison"
    results = system.dispatch.run(
        items,
        module="several",
        function="poisons",
        batch_size=4,
        on_error=Retry(max_attempts=3, split=True, backoff=0.0, then="skip"),
    )
    assert [item.id for item in results if "error" in item.meta] == [11]
    assert len(results) == 30
    assert works(system)


@pytest.mark.parametrize(("function", "each"), [("poison", True), ("steps", False)])
def test_with_cursors_poison_costs_items_and_not_batches(start: Start, function: str, each: bool) -> None:
    system = start(concurrency=3)
    items = [f"good {number}" for number in range(40)]
    items[17] = "poison"
    options = {"each": True} if each else {}
    results = system.dispatch.run(
        items,
        module="several",
        function=function,
        batch_size=8,
        on_error=Retry(max_attempts=3, backoff=0.0, then="skip"),
        **options,  # type: ignore[arg-type]
    )
    assert [item.id for item in results if "error" in item.meta] == [17]
    assert len(results) == 40
