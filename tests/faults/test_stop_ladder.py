"""Workers that do not end when they are asked to: a stop takes `shutdown` and a second, whatever they do."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.evil import stand_in
from support.gates import alive, pids_in
from support.victims import beside, counts_after, pids

from slither_actors import DispatchError, System

pytestmark = pytest.mark.fault(7)

Start = Callable[..., System]
SHUTDOWN = 0.6


def stops_in_time(system: System) -> None:
    victims = pids(system)
    began = time.monotonic()
    assert system.stop()
    # A ceiling against hangs, many times the allowance, for a machine that is busy with other things.
    assert time.monotonic() - began < 10 * (SHUTDOWN + 1)
    assert not any(map(alive, victims))


@pytest.mark.parametrize(
    "function", ["in_python", "and_ignores_signals", "in_c_with_the_interpreter_lock", "stops_itself"]
)
def test_workers_in_the_middle_of_a_batch_that_hangs(start: Start, tmp_path: Path, function: str) -> None:
    system = start(2, shutdown=SHUTDOWN)
    paths = [tmp_path / "one", tmp_path / "two"]

    def hang(path: Path) -> None:
        with pytest.raises(DispatchError):
            system.dispatch.run([str(path)], module="hangs", function=function, timeout=None)

    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(beside(hang, path))
        for path in paths:
            pids_in(path)
        stops_in_time(system)
    seen = counts_after(system)
    # SIGTERM is enough for one that sleeps in Python, and also for one in C, as no handler is set for it.
    polite = function in ("in_python", "in_c_with_the_interpreter_lock", "stops_itself")
    assert (seen.kills, seen.exits) == (({}, {"SIGTERM": 2}) if polite else ({"shutdown": 2}, {"SIGKILL": 2}))
    assert seen.deaths == 0


def test_idle_workers_that_ignore_sigterm_end_by_a_frame(start: Start) -> None:
    system = start(2, shutdown=SHUTDOWN)
    system.dispatch.run([1, 2], module="tasks", function="ignores_terminate", batch_size=1)
    stops_in_time(system)
    seen = counts_after(system)
    assert (seen.kills, seen.exits) == ({}, {"exit 0": 2})


def test_idle_workers_whose_exit_hooks_never_end_are_killed(start: Start) -> None:
    system = start(1, shutdown=SHUTDOWN)
    system.dispatch.run([1], module="hangs", function="ignores_the_end")
    stops_in_time(system)
    seen = counts_after(system)
    assert (seen.kills, seen.exits) == ({"shutdown": 1}, {"SIGKILL": 1})


def test_idle_workers_that_are_stopped_are_woken_by_the_ladder(start: Start) -> None:
    system = start(2, shutdown=SHUTDOWN)
    for pid in pids(system):
        os.kill(pid, signal.SIGSTOP)
    stops_in_time(system)
    seen = counts_after(system)
    # SIGCONT lets them see what they were sent before it, the frame or the SIGTERM.
    assert seen.kills == {}
    assert set(seen.exits) <= {"SIGTERM", "exit 0"}
    assert sum(seen.exits.values()) == 2


def test_with_shutdown_0_workers_are_killed_at_once(start: Start, tmp_path: Path) -> None:
    system = start(1, shutdown=0.0)
    path = tmp_path / "pid"

    def hang() -> None:
        with pytest.raises(DispatchError):
            system.dispatch.run([str(path)], module="hangs", function="and_ignores_signals", timeout=None)

    with beside(hang):
        pids_in(path)
        stops_in_time(system)
    assert counts_after(system).kills == {"shutdown": 1}


def test_a_worker_that_is_still_starting(make: Start, tmp_path: Path) -> None:
    system = make(1, shutdown=SHUTDOWN, python=stand_in(tmp_path, "false_start", "silence"))
    starting = threading.Event()

    def begin() -> None:
        starting.set()
        with pytest.raises(Exception, match="stopped"):
            system.start()

    with beside(begin):
        assert starting.wait(20)
        while not (system._links["default"].executors and pids_of(system)):
            time.sleep(0.002)
        victims = pids_of(system)
        began = time.monotonic()
        assert system.stop()
        assert time.monotonic() - began < 10 * (SHUTDOWN + 1)
    assert not any(map(alive, victims))


def pids_of(system: System) -> list[int]:
    """Of a System that is still being started."""
    return [each.pid for each in system.statistics().pools["default"].executors if each.pid]


def test_a_worker_that_floods_its_pipe_instead_of_ending(start: Start, tmp_path: Path) -> None:
    system = start(1, shutdown=SHUTDOWN, python=stand_in(tmp_path, "floods"))
    stops_in_time(system)
    seen = counts_after(system)
    assert seen.kills == {"shutdown": 1}
    assert seen.exits == {"SIGKILL": 1}
