"""The host is killed: nothing of it lives on."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support import scripts
from support.gates import pids_in, wait_gone


def kill(host: subprocess.Popen[str]) -> None:
    host.kill()
    host.wait()
    assert host.stdout is not None
    host.stdout.close()


@pytest.mark.parametrize(
    "function", ["hangs", "hangs_with_the_interpreter_lock", "has_children_and_hangs", "ignores_terminate_and_hangs"]
)
def test_no_worker_and_no_descendant_outlives_a_host_that_is_killed_in_mid_batch(tmp_path: Path, function: str) -> None:
    pids = tmp_path / "pids"
    host = scripts.start(
        tmp_path,
        f"""
        with System({{"default": PoolSpec(size=2)}}) as system:
            print(os.getpid(), flush=True)
            system.dispatch.run([{str(pids)!r}], module="tasks", function={function!r}, timeout=None)
        """,
    )
    try:
        found = pids_in(pids, 3 if function == "has_children_and_hangs" else 1)
    finally:
        kill(host)
    wait_gone(*found, seconds=2)


def test_no_worker_outlives_a_host_that_is_killed_while_idle(tmp_path: Path) -> None:
    host = scripts.start(
        tmp_path,
        """
        with System({"default": PoolSpec(size=2)}) as system:
            print(*(executor.pid for executor in system.statistics().pools["default"].executors), flush=True)
            time.sleep(3600)
        """,
    )
    try:
        assert host.stdout is not None
        found = [int(pid) for pid in host.stdout.readline().split()]
    finally:
        kill(host)
    assert len(found) == 2
    wait_gone(*found, seconds=2)


def test_no_worker_outlives_a_host_that_is_killed_while_it_starts_them(tmp_path: Path) -> None:
    (tmp_path / "slow_start.py").write_text(
        f"import os, time\nwith open({str(tmp_path / 'pids')!r}, 'a') as file: file.write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(3600)\n"
    )
    host = scripts.start(
        tmp_path,
        f"""
        System({{"default": PoolSpec(size=2, path=[{str(tmp_path)!r}], preload=["slow_start"])}}).start()
        """,
    )
    try:
        found = pids_in(tmp_path / "pids", 2)
    finally:
        kill(host)
    wait_gone(*found, seconds=2)


def test_a_forked_child_of_the_host_does_not_keep_the_workers_alive(tmp_path: Path) -> None:
    host = scripts.start(
        tmp_path,
        """
        with System({"default": PoolSpec(size=2)}) as system:
            workers = [executor.pid for executor in system.statistics().pools["default"].executors]
            child = os.fork()
            if not child:
                os.setsid()
                signal.alarm(30)
                time.sleep(3600)
            print(child, *workers, flush=True)
            time.sleep(3600)
        """,
    )
    child = 0
    try:
        assert host.stdout is not None
        child, *found = (int(pid) for pid in host.stdout.readline().split())
    finally:
        kill(host)
    try:
        wait_gone(*found, seconds=2)
    finally:
        os.kill(child, signal.SIGKILL)
    wait_gone(child)


def test_ctrl_c_reaches_the_host_and_not_the_workers(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        with System({"default": PoolSpec(size=1)}) as system:
            (worker,) = (executor.pid for executor in system.statistics().pools["default"].executors)
            os.kill(worker, signal.SIGINT)
            try:
                for item in system.dispatch.stream(range(10**7), module="tasks", function="double"):
                    if item.id == 1000:
                        os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                print("interrupted", item.id >= 1000)
            print(len(system.dispatch.run(range(100), module="tasks", function="double")))
            (same,) = (executor.pid for executor in system.statistics().pools["default"].executors)
            print(same == worker)
        """,
    )
    assert done.stdout.splitlines() == ["interrupted True", "100", "True"], done.stderr
