"""A host that forks while a System runs: its use in the child is an error, the parent's workers do not notice."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support import scripts
from support.hosts import host

from slither_actors.system.health import OVER

pytestmark = pytest.mark.fault(21)

SYSTEM = 'System({"default": PoolSpec(size=2)})'

# In a child: what a use of the parent's System comes to, a line each.
TELL = """
def tell(what, use):
    try:
        print(what, use(), flush=True)
    except BaseException as error:
        print(what, type(error).__name__, flush=True)

def end_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def pids():
    return {executor.pid for executor in system.statistics().pools["default"].executors}

def pipes_of(pid):
    folder = f"/proc/{pid}/fd"
    numbers = [fd for fd in os.listdir(folder) if int(fd) > 2 and os.path.lexists(f"{folder}/{fd}")]
    targets = {os.readlink(f"{folder}/{fd}") for fd in numbers}
    return {target for target in targets if target.startswith("pipe:")}

double = {"module": "tasks", "function": "double", "batch_size": 10}
"""


def run(folder: Path, body: str) -> list[str]:
    """What it prints; nothing on stderr."""
    done = scripts.run(folder, TELL + textwrap.dedent(body))
    assert done.stderr == "", done
    return done.stdout.splitlines()


def test_each_use_of_parents_system_is_a_clear_error_at_once(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        f"""
        import asyncio
        async def anything(make):
            stream = make()
            return [item async for item in stream] if hasattr(stream, "__aiter__") else await stream
        with {SYSTEM} as system:
            use = system.dispatch
            streams = {{
                "not begun": use.stream(range(100), **double),
                "begun": use.stream(range(10_000), **double),
                "begun, lazy": use.stream((i for i in range(10_000)), **double),
                "async, not begun": use.astream(range(100), **double),
            }}
            next(streams["begun"]), next(streams["begun, lazy"])
            bound = use.bind(module="tasks", function="double")
            front = system.batcher(module="tasks", function="double")
            print(front.submit(4).result(), flush=True)
            child = os.fork()
            if not child:
                signal.alarm(30)
                tell("run", lambda: use.run([1], **double))
                tell("stream", lambda: use.stream([1], **double))
                tell("call_batch", lambda: use.call_batch([1], module="tasks", function="double"))
                tell("arun", lambda: asyncio.run(anything(lambda: use.arun([1], **double))))
                tell("astream", lambda: asyncio.run(anything(lambda: use.astream([1], **double))))
                tell("bound arun", lambda: asyncio.run(anything(lambda: bound.arun([1]))))
                tell("bound submit", lambda: bound.submit([1]))
                tell("bound stream_one", lambda: bound.stream_one(1))
                tell("batcher", lambda: asyncio.run(anything(lambda: front(1))))
                tell("batcher submit", lambda: front.submit(1))
                for name, stream in streams.items():
                    if name.startswith("async"):
                        tell(name, lambda: asyncio.run(anything(lambda: stream)))
                    else:
                        tell(name, lambda: list(stream))
                        tell(name + ", closed", stream.close)
                for name in "statistics", "tree", "drain", "start", "run_until_signal", "__enter__":
                    tell(name, getattr(system, name))
                tell("actor", lambda: system.actor("any"))
                tell("health", lambda: (system.health().live, *system.health().reasons))
                tell("stop", system.stop)
                os._exit(0)
            print("child", end_of(child))
            print(*(len(list(streams[name])) for name in ("begun", "begun, lazy", "not begun")))
        """,
    )
    refused = [
        "run",
        "stream",
        "call_batch",
        "arun",
        "astream",
        "bound arun",
        "bound submit",
        "bound stream_one",
        "batcher",
        "batcher submit",
        "not begun",
        "not begun, closed",
        "begun",
        "begun, closed",
        "begun, lazy",
        "begun, lazy, closed",
        "async, not begun",
        "statistics",
        "tree",
        "drain",
        "start",
        "run_until_signal",
        "__enter__",
        "actor",
    ]
    assert told == [
        "8",
        *(f"{what} {None if what.endswith('closed') else 'ForkedSystemError'}" for what in refused),
        f"health (False, {OVER['forked']!r})",
        "stop True",
        "child 0",
        "9999 9999 100",
    ]


@pytest.mark.parametrize("ending", ["os._exit(3)", "sys.exit(3)", "raise SystemExit(3)", "1 / 0", "return"])
def test_the_parents_workers_and_runs_survive_any_child(tmp_path: Path, ending: str) -> None:
    with_multiprocessing = ending == "return"
    fork = (
        "process = multiprocessing.get_context('fork').Process(target=print, args=('in the child',)); "
        "process.start(); process.join(); code = process.exitcode"
        if with_multiprocessing
        else f"child = os.fork()\nif not child:\n    signal.alarm(30)\n    {ending}\ncode = end_of(child)"
    )
    # The default System: it has an exit hook, which the child inherits.
    done = scripts.run(
        tmp_path,
        TELL
        + f"""
import atexit, multiprocessing
stream = Dispatch.stream(range(10_000), **double)
lazy = Dispatch.stream((i for i in range(10_000)), **double)
next(stream), next(lazy)
from slither_actors import current_system
system = current_system()
parent = os.getpid()
before = pids()
{fork}
assert os.getpid() == parent
exits = dict(system.statistics().pools["default"].counts.exits)
print(code, len(list(stream)), len(list(lazy)), pids() == before, exits)
""",
    )
    code = {"1 / 0": 1, "return": 0}.get(ending, 3)
    assert done.stdout.splitlines()[-1] == f"{code} 9999 9999 True {{}}", done
    assert done.returncode == 0


def test_the_child_may_have_systems_of_its_own(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        f"""
        from slither_actors import telemetry
        with {SYSTEM} as system:
            ours = pids()
            child = os.fork()
            if not child:
                signal.alarm(30)
                with {SYSTEM} as own:
                    tell("own", lambda: len(own.dispatch.run(range(100), **double)))
                    tell("the last started", lambda: len(Dispatch.run(range(100), **double)))
                    theirs = {{executor.pid for executor in own.statistics().pools["default"].executors}}
                    tell("others", lambda: not theirs & ours)
                tell("default", lambda: len(Dispatch.run(range(100), **double)))
                tell("handlers", lambda: telemetry.attach(telemetry.BATCH_STOP, print).detach())
                sys.exit(3)
            print("child", end_of(child))
            print(len(system.dispatch.run(range(100), **double)), pids() == ours)
        """,
    )
    own = ["own 100", "the last started 100", "others True", "default 100", "handlers True"]
    assert told == [*own, "child 3", "100 True"]


def test_multiprocessing_child_with_default_system_leaves_none(tmp_path: Path) -> None:
    # It ends by os._exit, without exit hooks: its workers see that from its death alone.
    with host(
        tmp_path,
        """
        import multiprocessing
        def work():
            print(len(Dispatch.run(range(100), module="tasks", function="double")), flush=True)
        with System({"default": PoolSpec(size=2)}) as system:
            process = multiprocessing.get_context("fork").Process(target=work)
            process.start()
            process.join()
            print(process.exitcode, len(system.dispatch.run(range(100), module="tasks", function="double")), flush=True)
            time.sleep(3600)
        """,
    ) as program:
        assert (program.line(), program.line()) == ("100", "0 100")
        ours = 4  # the program, its two workers, its guardian
        program.wait_size(ours)


def test_the_child_has_none_of_our_descriptors(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        f"""
        def descriptors():
            return {{fd: os.readlink(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2
                    and os.path.exists(f"/proc/self/fd/{{fd}}")}}
        before = descriptors()
        with {SYSTEM} as system:
            lazy = system.dispatch.stream((i for i in range(10_000)), **double)
            next(lazy)
            child = os.fork()
            if not child:
                print({{fd: to for fd, to in descriptors().items() if before.get(fd) != to}}, flush=True)
                os._exit(0)
            print("child", end_of(child), len(list(lazy)))
        """,
    )
    assert told == ["{}", "child 0 9999"]


def test_a_fork_during_a_workers_start_holds_up_neither_side(
    tmp_path: Path,
) -> None:
    told = run(
        tmp_path,
        f"""
        import subprocess
        spawning, forking = threading.Event(), threading.Event()
        fork_exec = subprocess._fork_exec
        def slow_fork_exec(*arguments):
            spawning.set()
            forking.wait(10)
            time.sleep(0.2)  # so that a fork that does not wait comes into it for certain
            return fork_exec(*arguments)
        with {SYSTEM} as system:
            descriptors = set(os.listdir("/proc/self/fd"))
            subprocess._fork_exec = slow_fork_exec
            victim = min(pids())
            os.kill(victim, signal.SIGKILL)
            assert spawning.wait(10)
            forking.set()
            child = os.fork()
            if not child:
                # Longer than anybody would wait for it.
                time.sleep(60)
                os._exit(0)
            deadline = time.monotonic() + 20
            while system.statistics().pools["default"].pool.ready < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            print("ready", system.statistics().pools["default"].pool.ready, victim not in pids())
            print("shared", len(pipes_of(child) & pipes_of(os.getpid())))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print(len(system.dispatch.run(range(100), **double)))
        """,
    )
    assert told == ["ready 2 True", "shared 0", "100"]


def test_forks_in_other_threads_while_workers_die(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        over = threading.Event()
        children = []
        def fork():
            while not over.wait(0.002):
                child = os.fork()
                if not child:
                    time.sleep(0.05)
                    os._exit(0)
                children.append(child)
                if len(children) > 10:
                    os.waitpid(children.pop(0), 0)
        with System({"default": PoolSpec(size=2, max_restarts=None)}) as system:
            forker = threading.Thread(target=fork)
            forker.start()
            for round in range(5):
                victim = min(pids() - {None})
                os.kill(victim, signal.SIGKILL)
                while victim in pids():
                    time.sleep(0.001)
                options = dict(double, on_error=Retry(10, backoff=0.001))
                print(len(system.dispatch.run((i for i in range(1000)), **options)))
            over.set()
            forker.join()
            for child in children:
                os.waitpid(child, 0)
            counts = system.statistics().pools["default"].counts
            print(dict(counts.exits), dict(counts.kills))
        """,
    )
    assert told[:5] == ["1000"] * 5
    assert told[5] == "{'SIGKILL': 5} {}"
