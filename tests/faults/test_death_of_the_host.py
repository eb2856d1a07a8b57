"""The host is killed: two seconds later no process of its family lives, whatever it was doing."""

from __future__ import annotations

import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support.gates import pids_in, wait_gone
from support.hosts import Host, host

pytestmark = [
    pytest.mark.fault(21),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="survivors are found in /proc"),
]

GRACE = 2.0
"""Seconds within which all of them are to be gone; the promise of the fault model for Linux."""


def test_idle_workers(tmp_path: Path) -> None:
    with host(
        tmp_path,
        """
        with System({"default": PoolSpec(size=2)}) as system:
            print("ready", flush=True)
            time.sleep(3600)
        """,
    ) as program:
        assert program.line() == "ready"
        assert len(program.family()) == 4  # it, two workers, the guardian
        program.kill()
        assert program.survivors(GRACE) == set()


@pytest.mark.parametrize("function", ["spins", "hangs_in_c"])
def test_workers_in_mid_batch_with_children_and_grandchildren(tmp_path: Path, function: str) -> None:
    pids = tmp_path / "pids"
    with busy(tmp_path, pids, function) as program:
        found = pids_in(pids, 3)
        assert len(program.family()) == 6
        assert set(found) < program.family()
        program.kill()
        assert program.survivors(GRACE) == set()


def busy(folder: Path, pids: Path, function: str) -> AbstractContextManager[Host]:
    """Two workers, one of them with a family and hung."""
    return host(
        folder,
        f"""
        with System({{"default": PoolSpec(size=2)}}) as system:
            system.dispatch.run([{str(pids)!r}], module="family", function={function!r}, timeout=None)
        """,
    )


def test_workers_that_are_starting(tmp_path: Path) -> None:
    (tmp_path / "slow_start.py").write_text(
        f"import os, time\nwith open({str(tmp_path / 'pids')!r}, 'a') as file: file.write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(3600)\n"
    )
    with host(
        tmp_path,
        f"""
        System({{"default": PoolSpec(size=3, path=[{str(tmp_path)!r}], preload=["slow_start"])}}).start()
        """,
    ) as program:
        assert set(pids_in(tmp_path / "pids", 3)) < program.family()
        program.kill()
        assert program.survivors(GRACE) == set()


def test_at_any_moment_of_the_start(tmp_path: Path) -> None:
    # The first worker's interpreter may not even have begun when its host is killed.
    for size in (1, 3):
        with host(tmp_path, 'System({"default": PoolSpec(size=4)}).start(); time.sleep(3600)') as program:
            program.wait_family(1 + size)
            program.kill()
            assert program.survivors(GRACE) == set()


def test_a_forked_child_of_host_lives_on_and_keeps_nobody_alive(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with host(
        tmp_path,
        f"""
        with System({{"default": PoolSpec(size=2)}}) as system:
            run = threading.Thread(
                target=system.dispatch.run, args=([{str(pids)!r}],),
                kwargs=dict(module="family", function="hangs_in_c", timeout=None),
            )
            run.start()
            from pathlib import Path
            while not os.path.exists({str(pids)!r}) or Path({str(pids)!r}).read_text().count("\\n") < 3:
                time.sleep(0.01)
            child = os.fork()
            if not child:
                signal.alarm(60)
                time.sleep(3600)
            print(child, flush=True)
            time.sleep(3600)
        """,
    ) as program:
        child = int(program.line())
        assert len(program.family()) == 7
        program.kill()
        wait_gone(*program.family() - {child}, seconds=GRACE)
        assert program.family() == {child}


def test_without_guardian_the_kernel_ends_a_worker_hung_in_c(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with host(
        tmp_path,
        f"""
        with System({{"default": PoolSpec(size=2)}}) as system:
            workers = {{executor.pid for executor in system.statistics().pools["default"].executors}}
            (guardian,) = set(system.statistics().pids) - workers
            os.kill(guardian, signal.SIGKILL)
            print(guardian, flush=True)
            system.dispatch.run(
                [{str(pids)!r}], module="tasks", function="hangs_with_the_interpreter_lock", timeout=None
            )
        """,
    ) as program:
        wait_gone(int(program.line()))
        assert set(pids_in(pids)) < program.family()
        program.kill()
        assert program.survivors(GRACE) == set()


def test_a_stopped_host_is_not_a_dead_one(tmp_path: Path) -> None:
    with host(
        tmp_path,
        f"""
        with System({{"default": PoolSpec(size=2)}}) as system:
            print("ready", flush=True)
            while not os.path.exists({str(tmp_path / "go on")!r}):
                time.sleep(0.01)
            print(len(system.dispatch.run(range(100), module="tasks", function="double")), flush=True)
            print(dict(system.statistics().pools["default"].counts.exits), flush=True)
            time.sleep(3600)
        """,
    ) as program:
        assert program.line() == "ready"
        before = program.family()
        program.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # the time in which those beside it would have noticed a death
        assert program.family() == before
        (tmp_path / "go on").touch()
        program.process.send_signal(signal.SIGCONT)
        assert (program.line(), program.line()) == ("100", "{}")
        program.kill()
        assert program.survivors(GRACE) == set()
