"""Workers that crash: in mid-batch, by whatever way out there is."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.victims import counts, works

from slither_actors import DispatchError, Retry, System, WorkerCrashed, WorkerError
from slither_actors.pools.hosts.stderr import KEEP_LINE, KEEP_LINES

Start = Callable[..., System]


def crash_of(system: System, function: str, payload: object) -> WorkerCrashed:
    """The reason of a run whose worker crashes; all else about it is as it should be."""
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([payload], module="crashes", function=function)
    reason = caught.value.reason
    assert isinstance(reason, WorkerCrashed)
    assert (caught.value.unfinished, caught.value.partial_results) == ([0], [])
    return reason


# --- a poison item


@pytest.mark.fault(3)
@pytest.mark.parametrize(("lazy", "ordering"), [(True, "as_completed"), (False, "preserve")])
def test_a_poison_item_is_found_by_split_and_alone_is_skipped(start: Start, lazy: bool, ordering: str) -> None:
    system = start(2, max_restarts=None)
    payloads = [-1 if i == 37 else i for i in range(64)]
    stream = system.dispatch.stream(
        (each for each in payloads) if lazy else payloads,
        module="crashes",
        function="aborts_on_negative",
        batch_size=16,
        ordering=ordering,
        on_error=Retry(3, split=True, then="skip", backoff=0.001),
    )
    results = list(stream)
    assert sorted(item.id for item in results) == list(range(64))
    (skipped,) = [item for item in results if "skipped" in item.meta]
    assert (skipped.id, skipped.payload) == (37, -1)
    assert skipped.meta["error"].signal == signal.SIGABRT
    # ⌈log2 16⌉ + 3 batches failed, in items: 16 + 8 + 4 + 2 + 1 + 1 + 1. Four were halved, and two tried again.
    ledger, seen = stream.statistics(), counts(system)
    assert (ledger.failed, ledger.retries, ledger.skipped) == (33, 6, 1)
    assert (seen.deaths, seen.exits, seen.kills) == (7, {"SIGABRT": 7}, {})
    assert works(system)


@pytest.mark.fault(3)
def test_a_run_of_poison_only_skips_it_all(start: Start) -> None:
    system = start(2, max_restarts=None)
    stream = system.dispatch.stream(
        [-1] * 4,
        module="crashes",
        function="aborts_on_negative",
        batch_size=4,
        on_error=Retry(2, split=True, then="skip", backoff=0.001),
    )
    assert [item.meta["skipped"] for item in stream] == [True] * 4
    ledger = stream.statistics()
    # 4, twice 2, and each of four alone twice.
    assert (ledger.failed, ledger.retries, ledger.skipped) == (4 + 4 + 8, 3 + 4, 4)
    assert counts(system).exits == {"SIGABRT": 3 + 8}


@pytest.mark.fault(3)
def test_without_retry_a_crash_fails_its_batch_and_no_other(start: Start) -> None:
    system = start(max_restarts=None)
    results = system.dispatch.run(
        [-1 if i == 50 else i for i in range(100)],
        module="crashes",
        function="aborts_on_negative",
        batch_size=1,
        on_error="skip",
    )
    assert [item.id for item in results if "skipped" in item.meta] == [50]
    assert isinstance(results[50].meta["error"], WorkerCrashed)
    assert counts(system).deaths == 1


@pytest.mark.fault(3)
def test_a_crash_costs_one_attempt_of_one_batch(start: Start, tmp_path: Path) -> None:
    # Short batches, so that several are in the pipe when one of them kills the worker.
    system = start(max_restarts=None)
    payloads = [(str(tmp_path / f"log{i}"), 1 if i in (50, 51, 70) else 0) for i in range(100)]
    stream = system.dispatch.stream(
        payloads, module="tasks", function="log_and_crash", batch_size=1, on_error=Retry(2, backoff=0.001)
    )
    # Each function counts its executions: those behind were redelivered, and executed once all the same.
    assert [item.payload for item in stream] == [2 if i in (50, 51, 70) else 1 for i in range(100)]
    assert (stream.statistics().retries, counts(system).exits) == (3, {"SIGKILL": 3})


# --- a way out


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    ("function", "code"),
    [("exits_in_c", 0), ("exits_in_c", 3), ("exits", 0), ("exits", 255), ("exits_beside_a_thread", 0)],
)
def test_an_exit_in_mid_batch_is_a_crash_even_with_code_0(start: Start, function: str, code: int) -> None:
    system = start()
    reason = crash_of(system, function, code)
    assert (reason.exit_code, reason.signal) == (code, None)
    assert works(system)
    seen = counts(system)
    assert (seen.deaths, seen.exits, seen.restarts, seen.kills) == (1, {f"exit {code}": 1}, {0: 1}, {})


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    ("code", "exit_code"), [(None, 0), ("a text", 1), (256 + 7, 7), (-1, 255)], ids=["None", "text", "263", "-1"]
)
def test_sys_exit_ends_worker_with_code_that_python_would_give(start: Start, code: object, exit_code: int) -> None:
    system = start()
    reason = crash_of(system, "exits", code)
    assert reason.exit_code == exit_code
    assert "SystemExit" in reason.stderr_tail
    assert works(system)


@pytest.mark.parametrize(
    ("function", "name"), [("raises_base", "Odd: no Exception"), ("interrupts_itself", "KeyboardInterrupt")]
)
def test_exception_that_is_no_exception_of_function_is_no_exit(start: Start, function: str, name: str) -> None:
    system = start()
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="crashes", function=function)
    reason = caught.value.reason
    assert isinstance(reason, WorkerError)
    assert name in str(reason)
    assert function in reason.traceback
    assert works(system)
    assert (counts(system).exits, counts(system).deaths) == ({}, 0)


# --- a segfault


@pytest.mark.fault(5)
def test_a_segfault_is_named_with_faulthandlers_trace(start: Start) -> None:
    system = start()
    reason = crash_of(system, "segfaults", 1)
    assert (reason.exit_code, reason.signal) == (None, signal.SIGSEGV)
    assert "SIGSEGV" in str(reason)
    assert "Fatal Python error: Segmentation fault" in reason.stderr_tail
    assert "in segfaults" in reason.stderr_tail
    assert works(system)
    seen = counts(system)
    assert (seen.deaths, seen.exits) == (1, {"SIGSEGV": 1})


@pytest.mark.fault(5)
def test_the_trace_is_bounded_for_any_stack_and_output(start: Start) -> None:
    system = start()
    reason = crash_of(system, "segfaults_deep", 1)
    assert reason.signal == signal.SIGSEGV
    lines = reason.stderr_tail.split("\n")
    assert len(lines) <= KEEP_LINES
    assert max(map(len, lines)) <= KEEP_LINE
    # The newest is what counts: the trace, not what came before it.
    assert "segfaults_deep" in reason.stderr_tail
    assert works(system)


# --- what is reported


@pytest.mark.fault(4, 5)
def test_a_batch_that_always_crashes_ends_with_the_last_crash(start: Start) -> None:
    system = start(max_restarts=None)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([3], module="crashes", function="exits_in_c", on_error=Retry(4, backoff=0.001))
    assert isinstance(caught.value.reason, WorkerCrashed)
    seen: Any = counts(system)
    assert (seen.deaths, seen.exits) == (4, {"exit 3": 4})
    assert works(system)
