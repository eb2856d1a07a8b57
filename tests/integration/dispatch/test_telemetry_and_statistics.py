"""What a run tells of itself: events, and a ledger in which every item is somewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.gates import Gates

from slither_actors import Context, DispatchError, Retry, Route, System, telemetry

GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}
lazies = pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])


def given(lazy: bool, payloads: list[Any]) -> Any:
    return (payload for payload in payloads) if lazy else payloads


def balances(statistics: Any) -> bool:
    return bool(statistics.pulled == statistics.accounted)


@lazies
def test_every_batch_has_a_start_and_a_stop_event(system: System, lazy: bool, eventually: Callable[..., None]) -> None:
    starts: list[telemetry.Event] = []
    stops: list[telemetry.Event] = []
    context = Context.new(pipe="p", stage="s")
    with telemetry.attach(telemetry.BATCH_START, starts.append), telemetry.attach(telemetry.BATCH_STOP, stops.append):
        system.dispatch.run(
            given(lazy, list(range(10))), module="tasks", function="double", batch_size=4, context=context
        )
        eventually(lambda: len(stops) == 3)
    assert sorted(event.metadata["batch_ref"] for event in starts) == [1, 2, 3]
    assert sorted(event.metadata["batch_ref"] for event in stops) == [1, 2, 3]
    assert sorted(event.measurements["size"] for event in stops) == [2, 4, 4]
    for event in starts + stops:
        assert event.metadata["executor"] == "SnakeBridge"
        assert (event.metadata["pipe"], event.metadata["stage"], event.metadata["attempt"]) == ("p", "s", 1)
        assert 0 <= event.measurements["queue_time"] < 60
    for event in stops:
        assert event.name == "slither.dispatch.batch.stop"
        assert event.metadata["outcome"] == "ok"
        assert 0 <= event.measurements["duration"] < 60
        assert event.measurements["duration"] > 0
    for event in starts + stops:
        assert event.metadata["pool"] == "default"
        assert event.metadata["worker"] in range(len(system.statistics().pools["default"].executors))
        assert event.metadata["node"] == os.uname().nodename
        assert event.metadata["closed_by"] == ("end" if event.measurements["size"] == 2 else "full")
        assert abs(event.measurements["time"] - time.time()) < 60


@lazies
def test_each_failed_attempt_is_an_exception_event(system: System, lazy: bool, eventually: Callable[..., None]) -> None:
    events: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_EXCEPTION, events.append):
        system.dispatch.run(
            given(lazy, [1, -1]),
            module="tasks",
            function="negative_ones_fail",
            on_error=Retry(2, backoff=0, split=True, then="skip"),
        )
        eventually(lambda: len(events) == 3)
    assert [(event.metadata["outcome"], event.metadata["attempt"], event.measurements["size"]) for event in events] == [
        ("split", 1, 2),
        ("again", 1, 1),
        ("skip", 2, 1),
    ]
    for event in events:
        assert "negative: -1" in str(event.metadata["reason"])
        assert event.metadata["cause"] == "ValueError"
        assert event.metadata["pool"] == "default"
        assert event.metadata["worker"] in (0, 1)
        assert 0 <= event.measurements["queue_time"] < 60
        assert 0 < event.measurements["duration"] < 60
    assert [event.metadata["closed_by"] for event in events] == ["end", "split", "split"]


def test_a_batch_without_a_form_is_an_event_with_sane_times(system: System, eventually: Callable[..., None]) -> None:
    events: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_EXCEPTION, events.append):
        system.dispatch.run([object()], module="tasks", function="double", on_error="skip")
        eventually(lambda: len(events) == 1)
    assert 0 <= events[0].measurements["queue_time"] < 60
    assert 0 <= events[0].measurements["duration"] < 60


def test_a_handler_that_blocks_delays_nobody(system: System, eventually: Callable[..., None]) -> None:
    let_go = threading.Event()
    calls = []

    def handler(event: telemetry.Event) -> None:
        calls.append(event)
        let_go.wait(30)

    with telemetry.attach(telemetry.BATCH_STOP, handler):
        assert len(system.dispatch.run(range(100), module="tasks", function="double", batch_size=10)) == 100
        let_go.set()
        eventually(lambda: len(calls) == 10)


def test_a_detached_handler_is_called_no_more(system: System) -> None:
    events: list[telemetry.Event] = []
    handle = telemetry.attach(telemetry.BATCH_STOP, events.append)
    assert handle.detach()
    assert not handle.detach()
    system.dispatch.run([1], module="tasks", function="double")
    assert events == []


def test_an_inline_run_has_the_same_events(system: System, eventually: Callable[..., None]) -> None:
    class Inline:
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            return batch

    starts: list[telemetry.Event] = []
    stops: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_START, starts.append), telemetry.attach(telemetry.BATCH_STOP, stops.append):
        system.dispatch.run(range(10), executor=Inline, batch_size=4)
        eventually(lambda: len(stops) == 3)
    assert len(starts) == 3
    assert all(event.metadata["executor"] == "Inline" and event.metadata["pool"] is None for event in starts)


@lazies
@orderings
def test_the_ledger_balances_at_every_quiet_point(
    system: System, gates: Gates, lazy: bool, ordering: str, eventually: Callable[..., None]
) -> None:
    payloads = [0, 1, (2, gates["middle"]), 3, 4, 5, *range(6, 40)]
    stream = system.dispatch.stream(given(lazy, payloads), **GATED, max_in_flight=2, prefetch=6, ordering=ordering)
    assert stream.statistics().pulled == 0
    assert balances(stream.statistics())
    got = [next(stream).id, next(stream).id]
    gates.wait_begun("middle")
    eventually(lambda: balances(stream.statistics()))
    now = stream.statistics()
    assert now.emitted == 2
    assert now.pulled <= 2 + 8
    gates.open("middle")
    got += [item.id for item in stream]
    end = stream.statistics()
    assert sorted(got) == list(range(40))
    assert (end.pulled, end.emitted, end.buffered, end.in_flight, end.held, end.dropped) == (40, 40, 0, 0, 0, 0)


@lazies
@orderings
def test_the_ledger_balances_after_close(
    system: System, gates: Gates, lazy: bool, ordering: str, eventually: Callable[..., None]
) -> None:
    payloads = [0, 1, (2, gates["middle"]), *range(3, 40)]
    stream = system.dispatch.stream(given(lazy, payloads), **GATED, max_in_flight=2, ordering=ordering)
    next(stream), next(stream)
    gates.wait_begun("middle")
    stream.close()
    gates.open("middle")
    eventually(lambda: balances(stream.statistics()))
    end = stream.statistics()
    assert (end.emitted, end.buffered, end.in_flight, end.held, end.awaiting_retry) == (2, 0, 0, 0, 0)
    assert end.dropped == end.pulled - 2 > 0


@lazies
@orderings
def test_the_ledger_balances_after_a_failure(
    system: System, lazy: bool, ordering: str, eventually: Callable[..., None]
) -> None:
    payloads = [-1 if i == 20 else i for i in range(60)]
    stream = system.dispatch.stream(
        given(lazy, payloads), module="tasks", function="negative_ones_fail", batch_size=2, ordering=ordering
    )
    got: list[int] = []
    with pytest.raises(DispatchError) as caught:
        got.extend(item.id for item in stream)
    eventually(lambda: balances(stream.statistics()))
    end = stream.statistics()
    assert end.emitted == len(got)
    assert (end.buffered, end.in_flight, end.held) == (0, 0, 0)
    assert end.dropped == len(caught.value.partial_results) + len(caught.value.unfinished)
    assert end.pulled == end.emitted + end.dropped


@lazies
def test_what_was_skipped_routed_and_retried_is_counted(system: System, lazy: bool) -> None:
    payloads = [-i if i % 5 == 1 else i for i in range(20)]
    options: dict[str, Any] = {"module": "tasks", "function": "negative_fails", "each": True, "batch_size": 4}
    for policy, field in [("skip", "skipped"), (Route(lambda item, reason: item), "routed")]:
        stream = system.dispatch.stream(given(lazy, payloads), **options, on_error=policy)
        assert len(list(stream)) == 20
        end = stream.statistics()
        assert getattr(end, field) == 4
        assert (end.pulled, end.emitted, end.failed, end.retries) == (20, 20, 4, 0)
    stream = system.dispatch.stream(
        given(lazy, payloads), **options, on_error=Retry(3, backoff=0, then="skip", max_backoff=0)
    )
    assert len(list(stream)) == 20
    end = stream.statistics()
    assert (end.skipped, end.failed, end.retries) == (4, 12, 8)


def test_items_that_wait_for_their_back_off_are_counted_apart(system: System, eventually: Callable[..., None]) -> None:
    stream = system.dispatch.stream(
        [-1, -2, 3, 4],
        module="tasks",
        function="negative_ones_fail",
        batch_size=2,
        on_error=Retry(5, backoff=20, max_backoff=20),
    )
    with stream, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(next, stream)
        eventually(lambda: (stream.statistics().awaiting_retry, stream.statistics().held) == (2, 2), 20)
        assert stream.statistics().in_flight == 0
        assert balances(stream.statistics())
        stream.close()
        assert waiting.exception(20) is not None
