"""The guardian, which ends the workers should the host be killed, is itself killed or stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

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
