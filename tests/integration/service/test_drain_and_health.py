"""A System in a service: probes, the live tree, an orderly end."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import scripts
from support.gates import SECONDS, Gates
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolSpec, System, SystemStopped
from slither_actors.system.health import judge


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def new_system(size: int = 1, **spec: object) -> System:
    return System({"default": PoolSpec(size=size, path=[FUNCTIONS], **spec)})  # type: ignore[arg-type]


def test_a_system_is_ready_from_its_start_to_its_stop() -> None:
    system = new_system()
    assert (system.health().live, system.health().ready) == (True, False)
    with system:
        health, judged = system.health(), judge("running", system.statistics().pools)
        assert (health.live, health.ready, health.reasons) == (judged.live, judged.ready, judged.reasons)
        assert system.health().ready
        assert system.health().reasons == ()
    assert (system.health().live, system.health().ready) == (False, False)
    assert "stopped" in system.health().reasons[0]


def test_a_pool_that_gave_up_is_named_as_not_ready(gates: Gates) -> None:
    with new_system(max_restarts=0) as system:
        with pytest.raises(DispatchError):
            system.dispatch.run([-1], module="tasks", function="crashes_on_negative")
        seen = set()
        for _ in range(2000):
            health = system.health()
            assert health.live
            seen.update(health.reasons)
            if seen:
                break
        assert seen <= {"pool 'default' is not available", "none of the 1 workers of pool 'default' is ready"}


def test_the_tree_shows_pools_executors_and_runs(gates: Gates) -> None:
    with new_system(2) as system, ThreadPoolExecutor() as threads:
        lazy = iter([(1, gates["a"])])  # no request, which has no Collector
        running = threads.submit(system.dispatch.run, lazy, module="tasks", function="through_gates")
        gates.wait_begun("a")
        drawn = str(system.tree())
        gates.open("a")
        assert running.result(SECONDS)[0].payload == 1
    lines = drawn.splitlines()
    assert [line for line in lines if "(Executor) running" in line and "in_pipe=1" in line]
    assert [line for line in lines if "(Collector) running" in line]
    assert [line for line in lines if "default (Supervisor) running" in line]
    with pytest.raises(SystemStopped):
        system.tree()


def test_a_drain_lets_runs_finish_takes_no_new_ones_and_reports(gates: Gates) -> None:
    system = new_system(2).start()
    with ThreadPoolExecutor() as threads:
        running = threads.submit(system.dispatch.run, [(1, gates["a"])], module="tasks", function="through_gates")
        gates.wait_begun("a")
        draining = threads.submit(system.drain, SECONDS)
        while system.health().ready:
            pass
        assert system.health().reasons == ("the System is draining",)
        with pytest.raises(SystemStopped, match="draining"):
            system.dispatch.run([1], module="tasks", function="double")
        gates.open("a")
        assert running.result(SECONDS)[0].payload == 1
        report = draining.result(SECONDS)
    assert report.drained
    assert report.stopped
    assert (report.completed, report.dropped) == (1, 0)


def test_a_drain_ends_at_its_deadline_and_names_the_unfinished(gates: Gates) -> None:
    system = new_system(shutdown=0.2).start()
    with ThreadPoolExecutor() as threads:
        running = threads.submit(system.dispatch.run, [(1, gates["a"])], module="tasks", function="through_gates")
        gates.wait_begun("a")
        report = system.drain(0.05)
        with pytest.raises(DispatchError) as caught:
            running.result(SECONDS)
    assert isinstance(caught.value.reason, SystemStopped)
    assert caught.value.unfinished == [0]
    assert (report.drained, report.completed, report.dropped) == (False, 0, 1)


def test_a_signal_drains_and_a_second_one_ends_at_once(tmp_path: Path) -> None:
    body = """
        system = System({"default": PoolSpec(size=1, shutdown=0.2, path=sys.path[:2])}).start()
        def work():
            try:
                print(len(system.dispatch.run([0.3, 0.3], module="tasks", function="sleeps", batch_size=1)), flush=True)
            except Exception as error:
                print(type(error.reason).__name__, flush=True)
        thread = threading.Thread(target=work)
        thread.start()
        while not system.statistics().pools["default"].pool.in_pipes:
            pass
        for delay in SIGNALS:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGTERM)).start()
        number, report = system.run_until_signal(20)
        thread.join()
        print(number, report.drained, report.completed, report.dropped)
    """
    once = scripts.run(tmp_path, body.replace("SIGNALS", "[0.05]"))
    assert once.stdout.split("\n")[:-1] == ["2", f"{int(signal.SIGTERM)} True 1 0"], once
    twice = scripts.run(tmp_path, body.replace("SIGNALS", "[0.05, 0.15]").replace("0.3, 0.3", "30, 30"))
    lines = twice.stdout.split("\n")[:-1]
    assert lines[0] == "SystemStopped", twice
    assert lines[1].startswith(f"{int(signal.SIGTERM)} "), twice


def test_signals_are_for_the_main_thread() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with new_system() as system, ThreadPoolExecutor() as threads, pytest.raises(ValueError, match="main thread"):
        threads.submit(system.run_until_signal).result(SECONDS)
    assert signal.getsignal(signal.SIGTERM) is before
