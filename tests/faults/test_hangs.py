"""Batches that hang, however they do it: killed at their deadline, and nothing else is affected."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates, alive, pids_in, wait_gone
from support.victims import beside, counts, executor, pids, works

from slither_actors import BatchTimeout, DispatchError, LoadError, Retry, StartTimeout, System

pytestmark = pytest.mark.fault(6)

Start = Callable[..., System]
FUNCTIONS = [
    "in_python",
    "in_a_busy_loop",
    "in_c_with_the_interpreter_lock",
    "and_ignores_signals",
    "and_blocks_signals",
    "stops_itself",
    "catches_everything",
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_batch_over_its_timeout_is_killed_and_next_one_served(start: Start, tmp_path: Path, function: str) -> None:
    system = start()
    source = [str(tmp_path / "pid")]
    lazy = FUNCTIONS.index(function) % 2
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run((x for x in source) if lazy else source, module="hangs", function=function, timeout=0.5)
    assert isinstance(caught.value.reason, BatchTimeout)
    assert caught.value.reason.timeout == 0.5
    assert caught.value.unfinished == [0]
    (pid,) = pids_in(tmp_path / "pid")
    assert not alive(pid)  # dead before the run heard of it
    assert works(system)
    seen = counts(system)
    assert (seen.kills, seen.exits, executor(system).timeouts) == ({"timeout": 1}, {"SIGKILL": 1}, 1)
    # It says nothing against the pool: no budget, no new Executor, only another worker.
    assert (seen.deaths, seen.restarts, seen.started) == (0, {}, 2)


def test_children_of_batch_over_its_timeout_are_killed_with_it(start: Start, tmp_path: Path) -> None:
    system = start()
    with pytest.raises(DispatchError):
        system.dispatch.run([str(tmp_path / "pids")], module="hangs", function="with_children", timeout=1.0)
    wait_gone(*pids_in(tmp_path / "pids", 3), seconds=5)
    assert works(system)


def test_a_worker_stopped_from_outside_is_over_its_timeout_too(start: Start) -> None:
    system = start()
    assert works(system)  # so that the function is loaded, which has a deadline of its own
    (pid,) = pids(system)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="tasks", function="double", timeout=0.3)
    assert isinstance(caught.value.reason, BatchTimeout)
    assert not alive(pid)
    assert works(system)
    assert counts(system).kills == {"timeout": 1}


def test_a_worker_that_goes_on_in_time_is_left_alone(start: Start, tmp_path: Path) -> None:
    system, gates = start(), Gates(tmp_path)

    def halt() -> None:
        (pid,) = gates.wait_begun("a")
        os.kill(pid, signal.SIGSTOP)
        gates.open("a")
        os.kill(pid, signal.SIGCONT)

    with beside(halt):
        results = system.dispatch.run([(1, gates["a"])], module="tasks", function="through_gates", timeout=20)
    assert [item.payload for item in results] == [1]
    assert (counts(system).kills, counts(system).started) == ({}, 1)


def test_two_workers_that_do_not_import_in_time_end_the_run(start: Start, tmp_path: Path) -> None:
    system = start(start_timeout=1.0, env={"IMPORTS": str(tmp_path / "pid"), "HOW": "never"})
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="fatal_import", function="f", on_error=Retry(5, backoff=0))
    assert isinstance(caught.value.reason, LoadError)
    assert isinstance(caught.value.reason.reason, StartTimeout)
    first, second = pids_in(tmp_path / "pid", 2)
    assert not alive(first)
    assert not alive(second)
    assert works(system)
    seen = counts(system)
    assert (seen.kills, seen.deaths, seen.started) == ({"load_timeout": 2}, 0, 3)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("policy", ["halt", "skip", Retry(5, backoff=0)], ids=["halt", "skip", "retry"])
def test_a_worker_that_is_stuck_in_load_costs_no_batch_attempt(
    start: Start, tmp_path: Path, workers: int, policy: Any
) -> None:
    """The first worker that imports the function stops there; the others are well."""
    system = start(workers, start_timeout=2.0, env={"STUCK_IMPORT": str(tmp_path / "stuck")})
    stream = system.dispatch.stream(range(100), module="stuck_import", function="double", batch_size=4, on_error=policy)
    assert [item.payload for item in stream] == [2 * number for number in range(100)]
    assert (stream.statistics().failed, stream.statistics().retries) == (0, 0)
    seen = counts(system)
    assert (seen.kills, seen.deaths) == ({"load_timeout": 1}, 0)
    assert seen.redelivered > 0


def test_a_load_may_take_longer_than_a_batch(start: Start) -> None:
    system = start(env={"SLOW_IMPORT": "1.5"})
    results = system.dispatch.run([1], module="slow_import", function="double", timeout=0.5)
    assert [item.payload for item in results] == [2]
    assert counts(system).kills == {}


def test_batches_behind_a_timeout_are_served_without_an_attempt(start: Start) -> None:
    system = start()
    given = [0.0] * 30 + [60.0] + [0.0] * 30
    stream = system.dispatch.stream(
        given, module="tasks", function="sleeps", batch_size=1, timeout=1.0, on_error="skip"
    )
    results = list(stream)
    assert [item.id for item in results] == list(range(61))
    assert [item.id for item in results if "skipped" in item.meta] == [30]
    assert (stream.statistics().failed, counts(system).kills) == (1, {"timeout": 1})


def test_each_attempt_has_a_timeout_of_its_own(start: Start, tmp_path: Path) -> None:
    system = start()
    stream = system.dispatch.stream(
        [str(tmp_path / "pids")], module="hangs", function="in_python", timeout=0.3, on_error=Retry(3, backoff=0)
    )
    with pytest.raises(DispatchError) as caught:
        list(stream)
    assert isinstance(caught.value.reason, BatchTimeout)
    assert not any(map(alive, pids_in(tmp_path / "pids", 3)))
    assert (stream.statistics().retries, counts(system).kills, executor(system).timeouts) == (2, {"timeout": 3}, 3)


def test_the_clock_starts_when_the_batch_is_first_in_the_pipe(start: Start) -> None:
    system = start()
    # Twelve batches of 0.1 s take longer than one timeout, and none of them is over it.
    stream = system.dispatch.stream([0.1] * 12, module="tasks", function="sleeps", batch_size=1, timeout=0.8)
    assert len(list(stream)) == 12
    assert (stream.statistics().failed, counts(system).kills) == (0, {})


def test_other_runs_go_on_while_a_worker_hangs(start: Start, tmp_path: Path) -> None:
    system = start(2)
    hung = threading.Thread(
        target=lambda: system.dispatch.run(
            [str(tmp_path / "pid")],
            module="hangs",
            function="in_c_with_the_interpreter_lock",
            timeout=2.0,
            on_error="skip",
        )
    )
    hung.start()
    (pid,) = pids_in(tmp_path / "pid")
    for _ in range(20):
        assert len(system.dispatch.run(range(100), module="tasks", function="double", batch_size=5)) == 100
    assert alive(pid)
    hung.join(20)
    assert not alive(pid)
    assert counts(system).kills == {"timeout": 1}


def test_closing_lets_the_batch_run_out_under_its_timeout(start: Start, tmp_path: Path) -> None:
    system = start(1)
    source = [str(tmp_path / "pid")]
    stream = system.dispatch.stream(source, module="hangs", function="in_python", timeout=0.7)

    def close() -> None:
        pids_in(tmp_path / "pid")
        stream.close()

    with beside(close), pytest.raises(Exception, match="closed"):
        next(stream)
    (pid,) = pids_in(tmp_path / "pid")
    wait_gone(pid)
    assert works(system)
    assert counts(system).kills == {"timeout": 1}
