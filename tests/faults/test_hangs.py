"""Workers that hang, and stops that have to force them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.gates import alive, pids_in, wait_gone
from support.worker import FUNCTIONS

from slither_actors import BatchTimeout, DispatchError, LoadError, Retry, StartTimeout, System

Start = Callable[..., System]


def pids(system: System) -> list[int]:
    return [executor.pid for executor in system.statistics().pools["default"].executors if executor.pid]


def works(system: System) -> bool:
    return [item.payload for item in system.dispatch.run([1, 2], module="tasks", function="double")] == [2, 4]


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
@pytest.mark.parametrize("function", ["hangs", "hangs_with_the_interpreter_lock", "ignores_terminate_and_hangs"])
def test_a_batch_over_its_timeout_is_killed_and_the_next_one_served(
    start: Start, tmp_path: Path, function: str, lazy: bool
) -> None:
    system = start()
    source = [str(tmp_path / "pid")]
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run((x for x in source) if lazy else source, module="tasks", function=function, timeout=0.5)
    assert isinstance(caught.value.reason, BatchTimeout)
    assert caught.value.reason.timeout == 0.5
    assert caught.value.unfinished == [0]
    (pid,) = pids_in(tmp_path / "pid")
    assert not alive(pid)  # dead before the run heard of it
    assert works(system)
    statistics = system.statistics().pools["default"]
    assert statistics.executors[0].timeouts == 1
    assert statistics.counts.kills == {"timeout": 1}
    assert statistics.counts.deaths == 0  # it says nothing against the pool


def test_children_of_a_batch_over_its_timeout_are_killed_with_it(start: Start, tmp_path: Path) -> None:
    system = start()
    with pytest.raises(DispatchError):
        system.dispatch.run([str(tmp_path / "pids")], module="tasks", function="has_children_and_hangs", timeout=1.0)
    wait_gone(*pids_in(tmp_path / "pids", 3), seconds=5)


def test_a_stopped_worker_is_over_its_timeout_too(start: Start, tmp_path: Path) -> None:
    system = start()
    assert works(system)  # so that the function is loaded, which has a deadline of its own
    (pid,) = pids(system)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="tasks", function="double", timeout=0.3)
    assert isinstance(caught.value.reason, BatchTimeout)
    assert not alive(pid)
    assert works(system)


def test_a_function_that_is_not_imported_in_time_ends_the_run_without_a_retry(start: Start, tmp_path: Path) -> None:
    module = tmp_path / "slow_import.py"
    module.write_text(
        f"import time\nwith open({str(tmp_path / 'pid')!r}, 'a') as file: file.write('1\\n')\ntime.sleep(3600)\n"
    )
    system = start(start_timeout=1.0, path=[FUNCTIONS, tmp_path])
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="slow_import", function="f", on_error=Retry(5, backoff=0))
    assert isinstance(caught.value.reason, LoadError)
    assert isinstance(caught.value.reason.reason, StartTimeout)
    assert len(pids_in(tmp_path / "pid")) == 1
    assert works(system)


def test_batches_behind_one_that_times_out_are_served_without_an_attempt_counted(start: Start) -> None:
    system = start()
    given = [0.0] * 30 + [60.0] + [0.0] * 30
    results = system.dispatch.run(given, module="tasks", function="sleeps", batch_size=1, timeout=1.0, on_error="skip")
    assert [item.id for item in results] == list(range(61))
    assert [item.id for item in results if "skipped" in item.meta] == [30]


def test_a_timeout_is_retried_and_the_clock_starts_when_the_batch_is_first_in_the_pipe(start: Start) -> None:
    system = start()
    # Twenty batches of 0.1 s take longer than one timeout, and none of them is over it.
    stream = system.dispatch.stream([0.1] * 12, module="tasks", function="sleeps", batch_size=1, timeout=0.8)
    assert len(list(stream)) == 12
    assert stream.statistics().failed == 0
    with pytest.raises(DispatchError):
        system.dispatch.run([60.0], module="tasks", function="sleeps", timeout=0.2, on_error=Retry(3, backoff=0))
    assert system.statistics().pools["default"].executors[0].timeouts == 3


def test_other_runs_go_on_while_a_worker_hangs(start: Start, tmp_path: Path) -> None:
    system = start(2)
    hung = threading.Thread(
        target=lambda: system.dispatch.run(
            [str(tmp_path / "pid")], module="tasks", function="hangs", timeout=2.0, on_error="skip"
        )
    )
    hung.start()
    (pid,) = pids_in(tmp_path / "pid")
    for _ in range(20):
        assert len(system.dispatch.run(range(100), module="tasks", function="double", batch_size=5)) == 100
    assert alive(pid)
    hung.join(20)
    assert not alive(pid)


@pytest.mark.parametrize("how", ["ignores SIGTERM", "is stopped", "hangs"])
def test_stop_ends_within_shutdown_and_a_second_whatever_the_worker_does(
    start: Start, tmp_path: Path, how: str
) -> None:
    shutdown = 0.6
    system = start(2, shutdown=shutdown)
    victims = pids(system)
    if how == "ignores SIGTERM":
        system.dispatch.run([1, 2], module="tasks", function="ignores_terminate", batch_size=1)
    run = None
    if how != "is stopped":
        function = "ignores_terminate_and_hangs" if how == "ignores SIGTERM" else "hangs"

        def hang() -> None:
            with pytest.raises(DispatchError):
                system.dispatch.run([str(tmp_path / "pid")], module="tasks", function=function, timeout=None)

        run = threading.Thread(target=hang)
        run.start()
        pids_in(tmp_path / "pid")
    else:
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert system.stop()
    # A ceiling against hangs; twice the allowance, for a machine that is busy with other things.
    assert time.monotonic() - began < 2 * (shutdown + 1)
    assert not any(map(alive, victims))
    if run is not None:
        run.join(20)
        assert not run.is_alive()


def test_closing_lets_the_batch_run_out_under_its_timeout(start: Start, tmp_path: Path) -> None:
    system = start(1)
    source = [str(tmp_path / "pid")]
    stream = system.dispatch.stream(source, module="tasks", function="hangs", timeout=0.7)
    closer = threading.Thread(target=lambda: (pids_in(tmp_path / "pid"), stream.close()))
    closer.start()
    with pytest.raises(Exception, match="closed"):
        next(stream)
    closer.join()
    (pid,) = pids_in(tmp_path / "pid")
    wait_gone(pid)
    assert works(system)
