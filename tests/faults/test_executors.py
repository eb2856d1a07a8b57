"""Executors when something fails: one future pays, the rest goes on, and nothing is left at the end."""

from __future__ import annotations

import os
import signal
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from support import called, scripts
from support.gates import Gates

from slither_actors import BatchTimeout, System, SystemStopped
from slither_actors.futures import CallCrashed, PoolExecutor


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


@pytest.mark.fault(1)
def test_a_worker_killed_in_a_call_fails_one_future(start: Callable[..., System], gates: Gates) -> None:
    with PoolExecutor(system=start(1)) as executor:
        victim = executor.submit(called.wait_at, gates["a"])
        rest = [executor.submit(called.add, number) for number in range(20)]
        (pid,) = gates.wait_begun("a")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(BrokenProcessPool, match="SIGKILL") as raised:
            victim.result()
        assert type(raised.value) is CallCrashed
        assert [future.result() for future in rest] == list(range(20))


@pytest.mark.fault(3)
def test_each_crash_fails_its_own_call(start: Callable[..., System]) -> None:
    with PoolExecutor(system=start(2)) as executor:
        futures: list[Future[object]] = []
        for number in range(100):
            futures.append(executor.submit(called.add, number))
            if number % 10 == 5:
                futures.append(executor.submit(called.kill_own))
        ended = [future.exception() or future.result() for future in futures]
    assert [each for each in ended if type(each) is not CallCrashed] == list(range(100))
    assert len(ended) == 110


@pytest.mark.fault(4)
def test_only_unpickling_may_end_a_worker(start: Callable[..., System]) -> None:
    with PoolExecutor(system=start(1), codec="pickle") as executor:
        error = executor.submit(called.add, called.ExitsInWorker()).exception()
        assert isinstance(error, CallCrashed)
        assert error.exit_code == 7
        assert executor.submit(called.add, 1).result() == 1


@pytest.mark.fault(5)
def test_a_crash_in_a_map_ends_that_map(start: Callable[..., System]) -> None:
    with PoolExecutor(system=start(1)) as executor:
        results = executor.map(os.kill, [0], [int(signal.SIGSEGV)])
        with pytest.raises(CallCrashed):
            next(results)
        assert list(executor.map(called.add, range(5))) == [0, 1, 2, 3, 4]


@pytest.mark.fault(6)
def test_a_call_that_hangs_is_ended_by_the_timeout(start: Callable[..., System], gates: Gates) -> None:
    with PoolExecutor(system=start(1), timeout=0.3) as executor:
        with pytest.raises(BatchTimeout):
            executor.submit(called.wait_at, gates["a"]).result()
        assert executor.submit(called.add, 1).result() == 1


@pytest.mark.fault(24)
def test_a_hanging_call_ends_with_its_system(start: Callable[..., System], gates: Gates) -> None:
    system = start(1, shutdown=0.1)
    executor = PoolExecutor(system=system)
    future = executor.submit(called.wait_at, gates["a"])
    gates.wait_begun("a")
    executor.shutdown(wait=False)
    assert not future.done()
    system.stop()
    executor.shutdown()
    assert type(future.exception(0)) is SystemStopped


@pytest.mark.fault(22)
def test_an_interrupt_of_shutdown_changes_nothing(start: Callable[..., System], gates: Gates) -> None:
    executor = PoolExecutor(system=start(1))
    future = executor.submit(called.wait_at, gates["a"], "done")
    gates.wait_begun("a")
    main, fired = threading.get_ident(), threading.Event()

    def once(number: int, frame: object) -> None:
        if not fired.is_set():
            fired.set()
            raise KeyboardInterrupt

    def interrupt() -> None:
        try:
            while True:
                executor.map(called.pid)  # sends nothing, and is refused once the shutdown has begun
        except RuntimeError:
            # Again: one that comes just before the thread blocks on a lock is not noticed there.
            while not fired.wait(0.01):
                signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, once)
    thread = threading.Thread(target=interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            thread.start()
            executor.shutdown()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not future.done()
    gates.open("a")
    executor.shutdown()
    assert future.result(0) == "done"


# -- at the end of the interpreter, and in forked children

HEAD = """
from support import called
from slither_actors.futures import PoolExecutor
def forked(use):
    child = os.fork()
    if not child:
        try:
            print(use(), flush=True)
        except BaseException as error:
            print(type(error).__name__, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def run(folder: Path, body: str) -> list[str]:
    tests = str(scripts.ROOT / "tests")
    done = scripts.run(folder, f"sys.path.insert(0, {tests!r})\n{HEAD}\n{textwrap.dedent(body)}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


ENDS = {
    "left alone": "",
    "without waiting": "executor.shutdown(wait=False)",
    "dropped": "del executor",
    "in an exit hook": "import atexit; atexit.register(executor.shutdown)",
}


@pytest.mark.parametrize("end", ENDS)
def test_what_was_submitted_is_executed_before_the_exit(tmp_path: Path, end: str) -> None:
    log = tmp_path / "log"
    run(
        tmp_path,
        f"""
        executor = PoolExecutor(2)
        for number in range(10):
            executor.submit(called.write, {str(log)!r}, f"{{number}}\\n")
        {ENDS[end]}
        """,
    )
    assert sorted(map(int, log.read_text().split())) == list(range(10))


def test_an_exit_hook_that_runs_late_is_refused(tmp_path: Path) -> None:
    body = """
    import atexit, importlib
    for name in [name for name in sys.modules if name.startswith("slither_actors.futures")]:
        del sys.modules[name]
    def late():
        try:
            executor.submit(called.add, 1)
        except RuntimeError as error:
            print(error)
    atexit.register(late)  # runs after the one of the module, which is imported again
    from slither_actors.futures import PoolExecutor
    executor = PoolExecutor(1)
    print(executor.submit(called.add, 1).result())
    """
    assert run(tmp_path, body) == ["1", "cannot schedule new futures after interpreter shutdown"]


def test_a_failed_start_does_not_hold_up_the_exit(tmp_path: Path) -> None:
    body = """
    executor = PoolExecutor(2, initializer=called.refuse_to_start)
    future = executor.submit(called.add, 1)
    print(type(future.exception()).__name__)
    """
    assert run(tmp_path, body) == ["InitializerFailed"]


@pytest.mark.fault(21)
def test_a_forked_child_needs_an_executor_of_its_own(tmp_path: Path) -> None:
    body = """
    with PoolExecutor(1) as executor:
        print(executor.submit(called.add, 1).result())
        forked(lambda: executor.submit(called.add, 2).result())
        forked(executor.shutdown)
        def own():
            with PoolExecutor(1) as other:
                return other.submit(called.add, 3).result()
        forked(own)
        print(executor.submit(called.add, 4).result())
    """
    assert run(tmp_path, body) == ["1", "ForkedSystemError", "None", "3", "4"]


def test_functions_of_the_program_itself_are_refused(tmp_path: Path) -> None:
    body = """
    def mine(): pass
    for codec in ("msgpack", "pickle"):
        with PoolExecutor(1, codec=codec) as executor:
            try:
                executor.submit(mine)
            except TypeError as error:
                print("__main__" in str(error), "move it to a module of its own" in str(error))
    """
    assert run(tmp_path, body) == ["True True", "True True"]


def test_objects_of_the_programs_classes_are_refused_by_workers(tmp_path: Path) -> None:
    body = """
    class Mine: pass
    sys.modules["__main__"].Mine = Mine
    Mine.__qualname__ = "Mine"
    with PoolExecutor(1, codec="pickle") as executor:
        error = executor.submit(called.add, Mine()).exception()
        print(error.kind, "move it to a module that can be imported" in str(error))
    """
    assert run(tmp_path, body) == ["decode True"]
