"""What is begun while the interpreter ends works or says why not; nothing hangs, and no worker is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import scripts
from support.gates import wait_gone

LATE = """
class Late:
    # Garbage in a circle: the interpreter collects it when it has ended its threads, and modules are still whole.
    def __init__(self, use):
        self.use, self.me = use, self
    def __del__(self):
        print(sys.is_finalizing(), flush=True)
        try:
            print("got", self.use(), flush=True)
        except BaseException as error:
            reason = getattr(error, "reason", None) or error
            print(type(reason).__name__, reason, flush=True)
"""
SAID = "the interpreter is shutting down"


def run(folder: Path, body: str, seconds: float = 30.0) -> list[str]:
    done = scripts.run(folder, body, seconds=seconds)
    assert done.returncode == 0, done.stderr
    assert "Fatal" not in done.stderr
    return done.stdout.splitlines()


def late(body: str) -> str:
    indent = " " * 8
    return "".join(f"{indent}{line}\n" for line in LATE.splitlines()) + body


USES = {
    "run": 'Dispatch.run([1], module="tasks", function="double")',
    "lazy run": 'Dispatch.run((x for x in [1]), module="tasks", function="double")',
    "inline run": "Dispatch.run([1], executor=Inline)",
    "call_batch": 'Dispatch.call_batch([1], module="tasks", function="double")',
    "stream": 'list(Dispatch.stream([1], module="tasks", function="double"))',
    "begun stream": "next(begun)",
    "begun lazy stream": "next(begun_lazily)",
    "arun": 'asyncio.run(Dispatch.arun([1], module="tasks", function="double"))',
    "astream": "asyncio.run(anext(Dispatch.astream([1], module='tasks', function='double')))",
    "async with": "asyncio.run(System({'default': PoolSpec(size=1)}).__aenter__())",
    "start": "System({'default': PoolSpec(size=1)}).start()",
    "with": "System({'default': PoolSpec(size=1)}).__enter__()",
    "drain": "system.drain(60)",
    "statistics": "system.statistics(60)",
    "tree": "system.tree()",
    "actor": "system.actor('a')",
    "ask": "ref.ask(None)",
    "which_children": "which_children(root, 60)",
    "DaemonActor.start": "DaemonActor.start()",
    "Scheduler.start": "unused.start()",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_use_in_a_late_finalizer_is_refused(tmp_path: Path, use: str) -> None:
    said = run(
        tmp_path,
        late(f"""
        import asyncio
        from supervisors import ChildSpec, DaemonActor, LightActor, Scheduler, which_children
        unused = Scheduler("unused")
        class Inline:
            def execute_batch(self, batch, context, options):
                return batch
        class A(LightActor):
            def on_receive(self, message):
                return 1
        system = System({{"default": PoolSpec(size=1)}}, children=[ChildSpec("a", A.start)]).start()
        ref, root = system.actor("a"), system._tree.root
        begun = system.dispatch.stream(range(1000), module="tasks", function="double", batch_size=1, prefetch=0)
        begun_lazily = system.dispatch.stream(
            (i for i in range(1000)), module="tasks", function="double", batch_size=1, prefetch=0, max_in_flight=1
        )
        next(begun), next(begun_lazily)
        Late(lambda: {use})
        """),
    )
    finalizing, line = said
    assert finalizing == "True"
    if "begun" in use and line.startswith("got"):  # what had come before the end is handed out
        return
    assert SAID in line, line


def test_a_finalizer_does_not_start_the_default_system(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        late("""
        Late(lambda: Dispatch.run([1], module="tasks", function="double"))
        """),
    )
    assert said[0] == "True"
    assert said[1].startswith("SystemStopped"), said


def test_a_suspended_generators_finally_is_refused(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
        def generator():
            try:
                yield 1
            finally:
                try:
                    print(Dispatch.run([1], module="tasks", function="double"), flush=True)
                except BaseException as error:
                    print(type(error).__name__, error, flush=True)
        system = System({"default": PoolSpec(size=1)}).start()
        circle = [generator()]
        circle.append(circle)
        next(circle[0])
        del circle
        """,
    )
    assert len(said) == 1
    assert SAID in said[0]


def test_stop_in_a_finalizer_returns_and_the_workers_end(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        late("""
        system = System({"default": PoolSpec(size=2)}).start()
        print(*(executor.pid for executor in system.statistics().pools["default"].executors), flush=True)
        Late(lambda: system.stop(3600))
        """),
    )
    pids, finalizing, answer = said
    assert finalizing == "True"
    assert answer == "got False"
    wait_gone(*map(int, pids.split()), seconds=10)


@pytest.mark.parametrize("wait", ["scheduler.stop", "scheduler.background.flush", "scheduler.background.close"])
def test_a_frozen_thread_is_not_waited_for(tmp_path: Path, wait: str) -> None:
    said = run(
        tmp_path,
        late(f"""
        from supervisors import Scheduler
        scheduler = Scheduler("frozen")
        scheduler.start()
        scheduler.background.submit(int)
        Late(lambda: {wait}(3600))
        """),
    )
    assert said == ["True", "got False"]


def test_a_stream_dropped_at_the_last_moment_delays_nothing(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
        system = System({"default": PoolSpec(size=1)}).start()
        circle = [
            system.dispatch.stream(range(100000), module="tasks", function="double"),
            system.dispatch.stream((i for i in range(100000)), module="tasks", function="double"),
        ]
        print([next(stream).payload for stream in circle])
        circle.append(circle)
        del circle
        """,
    )
    assert said == ["[0, 0]"]


def test_an_exit_hook_still_has_the_default_system(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
        import atexit
        import slither_actors.default_dispatch, slither_actors.system.registry
        def hook(number):
            print(number, [item.payload for item in Dispatch.run([number], module="tasks", function="double")])
        atexit.register(hook, 2)
        Dispatch.run([1], module="tasks", function="double")
        atexit.register(hook, 1)
        """,
    )
    assert said == ["1 [2]", "2 [4]"]


def test_an_exit_hook_that_comes_after_ours_is_told(tmp_path: Path) -> None:
    script = scripts.write(
        tmp_path,
        """
        Dispatch.run([1], module="tasks", function="double")
        """,
    )
    script.write_text(
        "import atexit\n"
        "def hook():\n"
        "    from slither_actors import Dispatch, SystemStopped\n"
        "    try:\n"
        "        print(Dispatch.run([1], module='tasks', function='double'))\n"
        "    except SystemStopped as error:\n"
        "        print(error)\n"
        "atexit.register(hook)\n" + script.read_text()
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the default System was stopped" in done.stdout


def test_daemon_threads_that_dispatch_do_not_delay_the_exit(tmp_path: Path) -> None:
    said = run(
        tmp_path,
        """
        first = threading.Semaphore(0)
        def work():
            while True:
                try:
                    Dispatch.run([1], module="tasks", function="double")
                except (DispatchError, SystemStopped):
                    pass
                first.release()
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        for _ in range(8):
            first.acquire()
        pids = {executor.pid for executor in current_system().statistics().pools["default"].executors}
        print(*pids)
        """,
    )
    wait_gone(*map(int, said[0].split()), seconds=10)
