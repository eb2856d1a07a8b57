"""Systems: starts that fail, stops in mid-run, the default one, workers and forks that must not use one."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import scripts
from support.gates import Gates, alive, wait_gone
from support.worker import FUNCTIONS

from slither_actors import (
    Dispatch,
    DispatchError,
    LoadError,
    OptionError,
    PoolSpec,
    StartTimeout,
    System,
    SystemStopped,
    UnknownPool,
    WorkerCrashed,
)

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}


def one_worker(**spec: Any) -> System:
    return System({"default": PoolSpec(size=1, path=[FUNCTIONS], **spec)})


# --- starts that fail: the leak fixture sees that they leave nothing


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ({"adapter": "tasks:Refusing"}, LoadError, "no model there"),
        ({"adapter": "tasks:NoAdapter"}, LoadError, "no subclass of slither_actors.worker.Adapter"),
        ({"adapter": "tasks:Missing"}, LoadError, "module tasks has no Missing"),
        ({"adapter": "no_such_module:Adapter"}, LoadError, "no_such_module"),
        ({"adapter": "tasks:Scorer", "init": {"wrong": 1}}, LoadError, "unexpected keyword argument 'wrong'"),
        ({"preload": ["no_such_module"]}, LoadError, "no_such_module"),
        ({"preload": ["exits_when_imported"]}, LoadError, "usage: something else"),
        ({"python": "/no/such/python"}, FileNotFoundError, "/no/such/python"),
        ({"python": "/bin/false"}, WorkerCrashed, "exited with code 1"),
        ({"python": "/"}, PermissionError, "/"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("size", [1, 2])
def test_a_worker_that_cannot_start_fails_the_start_with_reason(
    spec: dict[str, Any], error: type[Exception], text: str, size: int
) -> None:
    system = System({"good": PoolSpec(size=1), "bad": PoolSpec(size=size, path=[FUNCTIONS], **spec)})
    with pytest.raises(error, match=text) as caught:
        system.start()
    if isinstance(caught.value, OSError):
        assert "pool 'bad' cannot start its workers' python" in str(caught.value)
        assert "PoolSpec(python=...) must be the path of a Python with msgpack" in str(caught.value)
        assert caught.value.filename == spec["python"]
        assert caught.value.errno in (errno.ENOENT, errno.EACCES)
    else:
        assert "while pool 'bad' was started" in "".join(caught.value.__notes__)
    with pytest.raises(SystemStopped):
        system.dispatch.run([1], **DOUBLE)
    with pytest.raises(SystemStopped):
        system.start()


def test_worker_that_is_never_ready_fails_start_at_its_deadline(tmp_path: Path) -> None:
    (tmp_path / "sleepy.py").write_text("import time\nprint('going to sleep', flush=True)\ntime.sleep(60)\n")
    with pytest.raises(StartTimeout, match="start_timeout") as caught:
        System({"default": PoolSpec(size=1, path=[tmp_path], preload=["sleepy"], start_timeout=0.6)}).start()
    assert "going to sleep" in "".join(caught.value.__notes__)


def test_an_interpreter_of_our_own_that_is_gone_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slither_actors.pools.hosts.local.sys.executable", "/no/such/python")
    with pytest.raises(OptionError, match=r"this process's own interpreter, sys\.executable.*no such file"):
        one_worker().start()


def test_an_init_that_cannot_be_encoded_fails_the_start() -> None:
    with pytest.raises(Exception, match="object"):
        one_worker(adapter="tasks:Scorer", init={"factor": object()}).start()


def test_a_bad_spec_is_refused_before_anything_is_made() -> None:
    for pools in ({"a": {"size": 0}}, {"a": {"sizes": 1}}, {"": {}}, ["a"], {"a": 5}):
        with pytest.raises(OptionError):
            System(pools)  # type: ignore[arg-type]


# --- stops


def test_stop_may_be_repeated_and_a_stopped_system_says_so() -> None:
    system = one_worker().start()
    assert system.start() is system
    pids = [executor.pid for executor in system.statistics().pools["default"].executors]
    assert system.stop()
    assert system.stop()
    assert not any(map(alive, pids))  # type: ignore[arg-type]
    for use in (lambda: system.dispatch.run([1], **DOUBLE), system.statistics, system.start):
        with pytest.raises(SystemStopped):
            use()


def test_a_system_that_was_not_started_says_so() -> None:
    system = one_worker()
    with pytest.raises(SystemStopped, match="was not started"):
        system.dispatch.run([1], **DOUBLE)
    assert system.stop()


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
def test_stop_from_another_thread_ends_run_with_system_stopped(lazy: bool, gates: Gates) -> None:
    given = [1, (2, gates["never"]), 3, 4]
    with one_worker(shutdown=1.0) as system, ThreadPoolExecutor(2) as threads:
        run = threads.submit(
            system.dispatch.run,
            (x for x in given) if lazy else given,
            module="tasks",
            function="through_gates",
            batch_size=1,
        )
        gates.wait_begun("never")
        assert threads.submit(system.stop).result(20)
        with pytest.raises(DispatchError) as caught:
            run.result(20)
    assert isinstance(caught.value.reason, SystemStopped)
    assert [item.id for item in caught.value.partial_results] == [0]
    assert caught.value.unfinished == [1, 2, 3]


def test_stop_ends_an_inline_run_too() -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Inline:
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            begun.set()
            let_go.wait(30)
            return batch

    with one_worker() as system, ThreadPoolExecutor(1) as threads:
        run = threads.submit(system.dispatch.run, [1, 2], executor=Inline)
        assert begun.wait(20)
        assert system.stop()
        with pytest.raises(DispatchError) as caught:
            run.result(20)
        let_go.set()
    assert isinstance(caught.value.reason, SystemStopped)


def test_a_stream_that_is_iterated_after_the_stop_says_so() -> None:
    with one_worker() as system:
        stream = system.dispatch.stream([1, 2], **DOUBLE)
    with pytest.raises(DispatchError, match="stopped") as caught:
        next(stream)
    assert caught.value.reason is not None


def test_a_stream_that_is_paused_while_the_system_stops_ends(gates: Gates) -> None:
    for lazy in (True, False):
        with one_worker() as system:
            stream = system.dispatch.stream((i for i in range(10**6)) if lazy else range(10**6), **DOUBLE)
            next(stream)
        with pytest.raises(DispatchError) as caught:
            for _ in stream:
                pass
        assert isinstance(caught.value.reason, SystemStopped)


def test_many_threads_may_stop_at_once_and_during_runs() -> None:
    for _ in range(3):
        system = one_worker().start()
        with ThreadPoolExecutor(8) as threads:
            runs = [threads.submit(system.dispatch.run, range(5000), **DOUBLE, batch_size=1) for _ in range(4)]
            stops = [threads.submit(system.stop) for _ in range(4)]
            assert all(stop.result(20) for stop in stops)
            for run in runs:
                error = run.exception(20)
                assert isinstance(error, (DispatchError, SystemStopped, type(None)))


def test_stop_inside_telemetry_handler_requests_it_and_returns(eventually: Callable[..., None]) -> None:
    from slither_actors import telemetry

    system = one_worker().start()
    answers = []
    with telemetry.attach(telemetry.BATCH_STOP, lambda event: answers.append(system.stop())):
        system.dispatch.run([1], **DOUBLE)
        eventually(lambda: answers == [False])
    assert system.stop()


def test_dispatch_uses_the_system_started_last() -> None:
    with System({"a": PoolSpec(size=1, path=[FUNCTIONS])}), System({"b": PoolSpec(size=1, path=[FUNCTIONS])}) as second:
        assert len(Dispatch.run([1], **DOUBLE, pool="b")) == 1
        with pytest.raises(UnknownPool):
            Dispatch.run([1], **DOUBLE, pool="a")
        second.stop()
        assert len(Dispatch.run([1], **DOUBLE)) == 1  # the only pool


def test_without_a_pool_called_default_the_pool_must_be_named() -> None:
    spec = PoolSpec(size=1, path=[FUNCTIONS])
    with System({"a": spec, "b": spec}) as system:
        with pytest.raises(UnknownPool, match="known: a, b"):
            system.dispatch.stream([1], **DOUBLE)
        assert len(system.dispatch.run([1], **DOUBLE, pool="a")) == 1


def test_env_path_and_init_reach_the_worker() -> None:
    with one_worker(env={"SLITHER_TEST": "here"}, adapter="tasks:Scorer", init={"factor": 3}) as system:
        assert [item.payload for item in system.dispatch.run([2], command="score")] == [6]
        (result,) = system.dispatch.run(["SLITHER_TEST"], module="os", function="getenv", each=True)
        assert result.payload == "here"


def test_what_a_worker_prints_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture, eventually: Any) -> None:
    caplog.set_level("INFO", "slither_actors.worker")
    with one_worker() as system:
        assert len(system.dispatch.run(range(3), module="tasks", function="prints")) == 3
        eventually(lambda: any("said: 2" in record.getMessage() for record in caplog.records))


# --- the default System


def test_the_default_system_lives_from_first_use_to_the_end(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        print(len(Dispatch.run(range(100), module="tasks", function="double")))
        pids = {item.payload for item in Dispatch.run(range(100), module="tasks", function="pids", batch_size=1)}
        print(*pids)
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    count, pids = done.stdout.splitlines()
    assert count == "100"
    wait_gone(*map(int, pids.split()), seconds=5)


@pytest.mark.parametrize(
    "ending", ["raise SystemExit(7)", "1 / 0", "os.kill(os.getpid(), signal.SIGINT)", "sys.exit()"]
)
def test_a_process_with_a_run_under_way_can_end(tmp_path: Path, ending: str) -> None:
    done = scripts.run(
        tmp_path,
        f"""
        import itertools
        stream = Dispatch.stream((i for i in itertools.count()), module="tasks", function="double")
        other = Dispatch.stream(itertools.count(), module="tasks", function="double")
        print(next(stream), next(other))
        {ending}
        """,
    )
    assert done.stdout
    assert done.returncode == {"raise SystemExit(7)": 7, "1 / 0": 1, "sys.exit()": 0}.get(ending, -signal.SIGINT)
    assert "Fatal" not in done.stderr
    assert done.stderr.count("Traceback") <= 1, done.stderr


def test_dispatch_in_a_worker_is_refused_with_the_remedy(system: System) -> None:
    (result,) = system.dispatch.run([1], module="tasks", function="dispatches")
    assert "start a System of your own" in result.payload


# --- forks


def test_a_forked_child_is_refused_and_harms_no_worker(system: System) -> None:
    from slither_actors import ForkedSystemError

    before = {executor.pid for executor in system.statistics().pools["default"].executors}
    reader, writer = os.pipe()
    with system.dispatch.stream(range(10_000), **DOUBLE, batch_size=10) as stream:
        next(stream)
        child = os.fork()
        if not child:
            answers = []
            try:
                for use in (
                    lambda: system.dispatch.run([1], **DOUBLE),
                    lambda: system.dispatch.stream([1], **DOUBLE),
                    system.statistics,
                    system.start,
                ):
                    try:
                        use()
                        answers.append("worked")
                    except ForkedSystemError:
                        answers.append("refused")
                    except BaseException as error:
                        answers.append(repr(error))
                answers.append(str(system.stop()))
                os.write(writer, " ".join(answers).encode())
            finally:
                os._exit(0)
        os.close(writer)
        try:
            assert select.select([reader], [], [], 20)[0], "the child hangs"
            answer = os.read(reader, 1000).decode()
        finally:
            os.close(reader)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert answer == "refused refused refused refused True"
        assert len(list(stream)) == 9_999
    assert {executor.pid for executor in system.statistics().pools["default"].executors} == before


def test_a_parents_stream_in_a_forked_child_is_refused(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        with System({"default": PoolSpec(size=1)}) as system:
            begun = system.dispatch.stream(range(10_000), module="tasks", function="double", batch_size=10)
            lazy = system.dispatch.stream((i for i in range(10_000)), module="tasks", function="double", batch_size=10)
            next(begun), next(lazy)
            fresh = system.dispatch.stream(range(10), module="tasks", function="double")
            child = os.fork()
            if not child:
                signal.alarm(10)
                for stream in (fresh, begun, lazy):
                    try:
                        print(len(list(stream)), flush=True)
                    except BaseException as error:
                        print(type(getattr(error, "reason", None) or error).__name__, flush=True)
                os._exit(0)
            print("child ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            print(len(list(begun)), len(list(lazy)))
        """,
    )
    assert done.stdout.split("\n")[:-1] == [
        "ForkedSystemError",
        "ForkedSystemError",
        "ForkedSystemError",
        "child ended with 0",
        "9999 9999",
    ], done


def test_a_forked_child_gets_a_default_system_of_its_own(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        def pids():
            return {item.payload for item in Dispatch.run(range(50), module="tasks", function="pids", batch_size=1)}
        ours = pids()
        child = os.fork()
        if not child:
            signal.alarm(20)
            print("apart" if not pids() & ours else "shared", flush=True)
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), pids() == ours)
        """,
    )
    assert done.stdout.splitlines() == ["apart", "3 True"], done.stderr


def test_exit_hook_in_forked_child_does_not_end_parents_workers(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        def pids():
            return {item.payload for item in Dispatch.run(range(50), module="tasks", function="pids", batch_size=1)}
        ours = pids()
        child = os.fork()
        if not child:
            signal.alarm(20)
            sys.exit(3)  # runs the exit hooks, ours among them
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), pids() <= ours)
        """,
    )
    assert done.stdout.splitlines() == ["3 True"], done.stderr


def test_a_worker_starts_in_time_while_another_thread_forks(tmp_path: Path) -> None:
    began = time.monotonic()
    done = scripts.run(
        tmp_path,
        """
        with System({"default": PoolSpec(size=2)}) as system:
            for i in range(20):
                child = os.fork()
                if not child:
                    os._exit(0)
                assert len(system.dispatch.run(range(100), module="tasks", function="double", batch_size=10)) == 100
                os.waitpid(child, 0)
        print("done")
        """,
    )
    assert done.stdout == "done\n", done.stderr
    assert time.monotonic() - began < 40
