"""A run of one batch ends the same whether it is a request or has actors of its own: one test for both ways in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import (
    BatchTimeout,
    DispatchError,
    Item,
    PoolSpec,
    Retry,
    Route,
    System,
    WorkerCrashed,
    WorkerError,
    telemetry,
)
from slither_actors.requests.desk import RequestDesk
from slither_actors.requests.requester import Requester
from slither_actors.runs.collector import Collector

Run: TypeAlias = Callable[..., list[Item]]
TASKS: dict[str, Any] = {"module": "tasks"}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        yield system


@pytest.fixture
def mortal() -> Iterator[System]:
    """A System whose workers the test may end."""
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], max_restarts=None)}) as system:
        yield system


def as_request(system: System, items: list[Any], **options: Any) -> list[Item]:
    return system.dispatch.run(items, **TASKS, **options)


def as_task(system: System, items: list[Any], **options: Any) -> list[Item]:
    return asyncio.run(system.dispatch.arun(items, **TASKS, **options))


def as_batch(system: System, items: list[Any], **options: Any) -> list[Item]:
    return system.dispatch.call_batch(items, **TASKS, **options)


def bound(system: System, items: list[Any], **options: Any) -> list[Item]:
    return system.dispatch.bind(**TASKS, **options).call_batch(items)


def as_run(system: System, items: list[Any], **options: Any) -> list[Item]:
    return system.dispatch.run(iter(items), **TASKS, **options)


WAYS = [as_request, as_task, as_batch, bound, as_run]


@pytest.fixture(params=WAYS, ids=[way.__name__ for way in WAYS])
def run(system: System, request: pytest.FixtureRequest) -> Run:
    return lambda items, **options: request.param(system, items, **options)


@pytest.fixture(params=WAYS, ids=[way.__name__ for way in WAYS])
def kill(mortal: System, request: pytest.FixtureRequest) -> Run:
    """A run on workers that it may end."""
    return lambda items, **options: request.param(mortal, items, **options)


def payloads(items: list[Item]) -> list[Any]:
    return [item.payload for item in items]


def test_results_come_in_order(run: Run) -> None:
    assert payloads(run([1, 2, 3], function="double")) == [2, 4, 6]


def test_items_keep_what_they_carry(run: Run) -> None:
    items: list[Any] = [Item("a", 1, {"k": 1}, "left"), 2]
    assert run(items, function="double") == [Item("a", 2, {"k": 1}, "left"), Item(1, 4)]


def test_a_batch_that_fails_halts_with_its_error(run: Run) -> None:
    with pytest.raises(DispatchError) as caught:
        run([1, -2, 3], function="negative_ones_fail")
    error = caught.value
    assert str(error).startswith("batch 1 (3 items, 0 to 2) failed: WorkerError: ")
    assert isinstance(error.reason, WorkerError)
    assert (error.batch_ref, error.partial_results, error.unfinished, error.failed) == (1, [], [0, 1, 2], [0, 1, 2])


def test_of_items_that_fail_alone_the_first_halts(run: Run) -> None:
    with pytest.raises(DispatchError) as caught:
        run([1, -2, 3, -4], function="negative_fails", each=True)
    error = caught.value
    assert payloads(error.partial_results) == [1]
    assert (error.unfinished, error.failed) == ([1, 2, 3], [1])


def test_a_failed_batch_is_skipped(run: Run) -> None:
    items = run([1, -2], function="negative_ones_fail", on_error="skip")
    assert payloads(items) == [1, -2]
    assert [item.meta["skipped"] for item in items] == [True, True]


def test_items_that_fail_alone_are_skipped(run: Run) -> None:
    items = run([1, -2, 3], function="negative_fails", each=True, on_error="skip")
    assert [("error" in item.meta, item.payload) for item in items] == [(False, 1), (True, -2), (False, 3)]


def test_a_failed_item_is_routed(run: Run) -> None:
    route = Route(lambda item, reason: Item(item.id, item.payload, item.meta, "bad"))
    items = run([1, -2], function="negative_fails", each=True, on_error=route)
    assert [item.route for item in items] == ["default", "bad"]


def test_a_failed_batch_is_tried_again(run: Run, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    retry = Retry(max_attempts=4, backoff=0.0)
    assert payloads(run([(log, 2)], function="log_and_fail_all", on_error=retry)) == [3]


def test_attempts_have_an_end(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(DispatchError, match="attempt 2"):
        run([(str(log), 9)], function="log_and_fail_all", on_error=Retry(max_attempts=2, backoff=0.0))
    assert len(log.read_text().splitlines()) == 2


def test_a_split_finds_the_bad_item(run: Run) -> None:
    policy = Retry(max_attempts=1, backoff=0.0, split=True, then="skip")
    items = run([1, 2, -3, 4], function="negative_ones_fail", on_error=policy)
    assert [("error" in item.meta, item.payload) for item in items] == [(False, 1), (False, 2), (True, -3), (False, 4)]


def test_a_crash_costs_an_attempt(kill: Run, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    items = kill([(log, 1)], function="log_and_crash", on_error=Retry(max_attempts=3, backoff=0.0))
    assert payloads(items) == [2]


def test_a_crash_halts(kill: Run, tmp_path: Path) -> None:
    with pytest.raises(DispatchError) as caught:
        kill([(str(tmp_path / "log"), 9)], function="log_and_crash")
    assert isinstance(caught.value.reason, WorkerCrashed)


def test_a_wrong_number_of_results_halts(run: Run) -> None:
    with pytest.raises(DispatchError, match="2 items went out, 1 results came back"):
        run([1, 2], function="one_too_few")


def test_a_function_that_does_not_exist_halts(run: Run) -> None:
    for _ in range(2):  # the second time, too: it is tried again
        with pytest.raises(DispatchError, match="LoadError"):
            run([1, 2], function="nowhere_to_be_found")


def test_what_cannot_be_sent_fails_as_its_policy_says(run: Run) -> None:
    with pytest.raises(DispatchError, match="PayloadError"):
        run([1, object()], function="double")
    kept = object()
    items = run([1, kept], function="double", on_error="skip")
    assert payloads(items) == [2, kept]


def test_its_time_is_a_limit(kill: Run, tmp_path: Path) -> None:
    with pytest.raises(DispatchError) as caught:
        kill([(1, Gates(tmp_path)["never"])], function="through_gates", timeout=0.2)
    assert isinstance(caught.value.reason, BatchTimeout)


def test_its_events_are_those_of_a_run(kill: Run, eventually: Callable[..., None]) -> None:
    events: list[telemetry.Event] = []
    run = kill  # the thread of handlers ends with its System
    with contextlib.ExitStack() as attached:
        for name in (telemetry.BATCH_START, telemetry.BATCH_STOP, telemetry.BATCH_EXCEPTION):
            attached.enter_context(telemetry.attach(name, events.append))
        run([1, -2], function="negative_ones_fail", on_error="skip")
        run([1, 2], function="double")
        eventually(lambda: len(events) == 4)
    names = [event.name.rpartition(".")[2] for event in events]
    assert names == ["start", "exception", "start", "stop"]
    runs = [event.metadata["run"] for event in events]
    assert all(type(number) is int and number > 0 for number in runs)
    assert runs[2] == runs[3] != runs[0]
    assert {event.metadata["batch_ref"] for event in events} == {1}


def test_it_is_counted_once(system: System, run: Run, eventually: Callable[..., None]) -> None:
    live = system._opener.live
    eventually(lambda: not live.count)
    finished = live.finished
    run([1, 2], function="double")
    run([1, -2], function="negative_ones_fail", on_error="skip")
    with pytest.raises(DispatchError):
        run([1, -2], function="negative_ones_fail")
    eventually(lambda: not live.count)
    assert live.finished == finished + 3


def test_a_request_has_no_actor_of_its_own(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    start = Collector.start
    monkeypatch.setattr(Collector, "start", lambda *a, **k: started.append(a) or start(*a, **k))
    for way in (as_request, as_task, as_batch, bound):
        assert payloads(way(system, [1, -2], function="double")) == [2, -4]
        assert payloads(way(system, [-1], function="negative_fails", each=True, on_error="skip")) == [-1]
    assert not started
    as_run(system, [1], function="double")
    assert len(started) == 1


def test_requests_with_equal_options_share_what_sends_them(system: System) -> None:
    desk = system.requests
    assert isinstance(desk, RequestDesk)
    find = system.dispatch._batched.find
    requester = find({"module": "tasks", "function": "double"})
    assert isinstance(requester, Requester)
    assert find({"module": "tasks", "function": "double"}) is requester
    assert find({"module": "tasks", "function": "double", "timeout": 1.0}) is not requester


@pytest.mark.parametrize(
    "options",
    [{"max_in_flight_bytes": 1000}, {"affinity": "strict", "context": None}, {"strategy": None, "batch_size": 1}],
)
def test_options_beyond_a_request_make_a_run(system: System, options: dict[str, Any]) -> None:
    assert payloads(as_request(system, [1, 2], function="double", **options)) == [2, 4]
