"""The guardian, which ends the workers should the host be killed, is itself killed or stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.gates import alive, wait_gone
from support.victims import guardian, kill_and_wait, pids, works

from slither_actors import System
from slither_actors.pools.processes.spawner import GuardianLink

pytestmark = pytest.mark.fault(21)


def test_a_killed_guardian_is_replaced_at_the_next_start(
    start: Callable[..., System], eventually: Callable[..., None]
) -> None:
    system = start()
    before = guardian(system)
    assert before is not None
    kill_and_wait(before)
    (worker,) = pids(system)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: pids(system) not in ([], [worker]), 20)
    eventually(lambda: guardian(system) not in (None, before))
    after = guardian(system)
    assert after is not None
    assert alive(after)
    assert works(system)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP], ids=lambda sig: sig.name)
def test_a_guardian_that_stopped_reading_is_replaced(sig: signal.Signals) -> None:
    link = GuardianLink()
    link.start()
    try:
        before = link.pid
        assert before is not None
        os.kill(before, sig)
        if sig == signal.SIGKILL:
            wait_gone(before)
        for _ in range(20_000):  # more than a pipe holds
            link.forget(1 << 22)
        assert link.pid not in (None, before)
        wait_gone(before)
    finally:
        link.close()


PROGRAMS = {
    "that fails": "#!/bin/sh\nexit 1\n",
    "that succeeds": "#!/bin/sh\necho +\n",
    "that goes on": "#!/bin/sh\nexec sleep 3600\n",
    "that cannot be executed": "no program",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_host_that_is_no_python_has_it_run_on_the_workers_one(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    python, own = sys.executable, tmp_path / "program"
    own.write_text(PROGRAMS[program])
    own.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(own))
    victim = subprocess.Popen([shutil.which("sleep") or "sleep", "3600"], start_new_session=True)
    link = GuardianLink()
    try:
        link.start(python)
        link.watch(victim.pid)
        eventually(lambda: Path(f"/proc/{link.pid}/cmdline").read_bytes().startswith(python.encode() + b"\0-I\0"))
        link.start(str(own))  # another pool's workers run on that: nothing to do
        link.close()  # as the end of the host
        assert victim.wait(20) == -signal.SIGKILL
    finally:
        link.close()
        victim.kill()
        victim.wait()


def test_a_hosts_own_python_is_kept_for_it(tmp_path: Path) -> None:
    link = GuardianLink()
    try:
        link.start(str(tmp_path / "no such python"))
        first = link.pid
        assert first is not None
        kill_and_wait(first)
        link.start()
        assert link.pid not in (None, first)
    finally:
        link.close()
