"""A host that is the first process of a container, that gives up its rights, or that closes what it has not opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.scripts import run

pytestmark = [
    pytest.mark.fault(8),
    pytest.mark.skipif(sys.platform != "linux", reason="subreapers and /proc are Linux's"),
]

COMMON = """
import ctypes
def states(of):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == of:
                found.append((int(name), fields[0], int(fields[2])))
    return found

def wait(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


def result(folder: Path, body: str) -> list[str]:
    indent = min(len(line) - len(line.lstrip()) for line in body.splitlines() if line.strip())
    lines = COMMON.splitlines() + [line[indent:] for line in body.splitlines()]
    done = run(folder, "\n".join(lines), seconds=90)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("end", ["in time", "at the stop"])
def test_a_subreaper_is_left_no_zombies_of_killed_workers(tmp_path: Path, end: str) -> None:
    body = """
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
    mine = os.fork()
    if not mine:
        os._exit(3)
    with System({"default": PoolSpec(size=2, max_restarts=None)}) as system:
        got = system.dispatch.run(range(10), module="own_processes", function="dies_with_a_child", batch_size=1,
                                  each=True, on_error="skip")
        print(len(got))
        if END == "in time":
            wait(lambda: [s for _, s, _ in states(os.getpid())].count("Z") == 1)  # our own child, which is not theirs
    print([s for _, s, _ in states(os.getpid())])
    print(os.waitpid(mine, 0)[1] >> 8)
    """.replace("END", repr(end))
    assert result(tmp_path, body) == ["10", "['Z']", "3"]


def test_orphans_of_workers_that_live_are_reaped_too(tmp_path: Path) -> None:
    body = """
    from slither_actors.pools.hosts import local
    local.STRAYS = 0.05
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
    with System({"default": PoolSpec(size=1)}) as system:
        system.dispatch.run(range(10), module="own_processes", function="leaves_an_orphan", batch_size=1, each=True)
        wait(lambda: len(states(os.getpid())) == 2)
        (worker,) = [e.pid for e in system.statistics().pools["default"].executors]
        os.kill(worker, signal.SIGKILL)  # its exit status is still seen
        wait(lambda: system.statistics().pools["default"].counts.exits)
        print(dict(system.statistics().pools["default"].counts.exits))
    print(states(os.getpid()))
    """
    assert result(tmp_path, body) == ["{'SIGKILL': 1}", "[]"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give up rights")
def test_after_setuid_a_batch_over_its_deadline_still_ends(tmp_path: Path) -> None:
    body = """
    import logging
    logging.basicConfig(format="%(message)s", filename=LOG)
    with System({"default": PoolSpec(size=1, shutdown=2.0, env={"PYTHONDONTWRITEBYTECODE": "1"})}) as system:
        system.dispatch.run([1], module="own_processes", function="double", each=True)
        before = [e.pid for e in system.statistics().pools["default"].executors]
        os.setgid(65534)
        os.setuid(65534)
        try:
            system.dispatch.run([1], module="own_processes", function="hangs", each=True, timeout=0.5)
        except DispatchError as error:
            print(type(error.reason).__name__)
        wait(lambda: not os.path.exists(f"/proc/{before[0]}"))
    print("over")
    """
    log = tmp_path / "log"
    assert result(tmp_path, body.replace("LOG", repr(str(log)))) == ["BatchTimeout", "over"]
    assert "cannot be killed" in log.read_text()
    assert "Start the System after setuid" in log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give up rights")
def test_a_worker_that_nothing_may_kill_is_given_up(tmp_path: Path) -> None:
    """The guardian is gone, too, and the one after it has no more rights than the host."""
    body = """
    import logging
    logging.basicConfig(format="%(message)s", filename=LOG)
    from slither_actors.pools.hosts import local
    local.KILL_PATIENCE = 0.2
    system = System({"default": PoolSpec(size=1, shutdown=0.5)}).start()
    system.dispatch.run([1], module="own_processes", function="double", each=True)
    (worker,) = [e.pid for e in system.statistics().pools["default"].executors]
    (guardian,) = set(system.statistics().pids) - {worker}
    parent = os.getpid()
    child = os.fork()  # the one that keeps the rights, to clean up
    if not child:
        [time.sleep(0.01) for _ in iter(lambda: os.getppid() == parent, False)]
        os.kill(worker, signal.SIGKILL)
        os._exit(0)
    os.kill(guardian, signal.SIGKILL)
    wait(lambda: not [state for pid, state, _ in states(os.getpid()) if pid == guardian and state != "Z"])
    os.setgid(65534)
    os.setuid(65534)
    try:
        system.dispatch.run([1], module="own_processes", function="hangs", each=True, timeout=0.5)
    except DispatchError as error:
        print(type(error.reason).__name__)
    print(system.stop(5.0))
    """
    log = tmp_path / "log"
    assert result(tmp_path, body.replace("LOG", repr(str(log)))) == ["BatchTimeout", "False"]
    assert "is not dead after" in log.read_text()


@pytest.mark.parametrize("idle", [True, False])
def test_a_host_that_closes_everything_fails_and_writes_nowhere(tmp_path: Path, idle: bool) -> None:
    """What daemons do, after the start: `os.closerange(3, ...)`, and then open files of their own."""
    file = tmp_path / "file"
    body = f"""
    system = System({{"default": PoolSpec(size=2)}}).start()
    stream = system.dispatch.stream(iter(range(10**9)), module="own_processes", function="double", each=True,
                                    batch_size=4, timeout=3.0)
    if not {idle}:
        print(next(stream).payload)
    os.closerange(3, 65536)
    files = [os.open({str(file)!r}, os.O_RDWR | os.O_CREAT) for _ in range(100)]
    try:
        if {idle}:
            system.dispatch.run(range(10), module="own_processes", function="double", each=True, timeout=3.0)
        else:
            for item in stream: pass
    except Exception as error:
        print(type(error).__name__)
    print(os.path.getsize({str(file)!r}), flush=True)
    os._exit(0)
    """
    lines = result(tmp_path, body)
    assert lines[-1] == "0"
    assert len(lines) == 2 if idle else 3


@pytest.mark.parametrize(("kind", "said"), [("range", "closed descriptors"), ("with stderr", "even its stderr")])
def test_a_function_that_closes_everything_is_told_of(tmp_path: Path, kind: str, said: str) -> None:
    body = f"""
    with System({{"default": PoolSpec(size=1)}}) as system:
        try:
            system.dispatch.run([[{kind!r}, {str(tmp_path / "file")!r}, 5]], module="own_processes",
                                function="close_all", each=True)
        except DispatchError as error:
            print(error.reason, getattr(error.reason, "__notes__", ""))
    print(os.path.getsize({str(tmp_path / "file")!r}))
    """
    lines = result(tmp_path, body)
    assert said in " ".join(lines)
    assert lines[-1] == "0"
