"""Worker processes that are about to end, or come when all is over."""

from __future__ import annotations

import os
import signal
import subprocess
import types
from collections.abc import Iterator
from typing import Any

import pytest

from slither_actors import PoolSpec
from slither_actors.pools.hosts.local import LocalHost
from slither_actors.pools.processes import table
from slither_actors.pools.processes.table import Processes, WorkerProcess
from slither_actors.wire.header import ProtocolError


def made(all_: Processes) -> WorkerProcess:
    popen = subprocess.Popen(["sleep", "600"], start_new_session=True)
    return WorkerProcess(popen, request=-1, reply=-1, stderr=-1, lifeline=-1, closed=all_.discard)


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    worker = made(Processes())
    yield worker
    worker.kill_group()
    worker._popen.wait()
    worker.close()


def test_one_that_lives_is_not_ending_a_killed_one_is(worker: WorkerProcess) -> None:
    assert not worker.is_ending()
    worker.kill_group()
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert worker.is_ending()


def test_where_no_descriptor_is_left_it_may_be_ending(worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any) -> Any:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(table, "open", none_left, raising=False)
    assert worker.is_ending()


def test_a_closed_pipe_counts_once_the_worker_is_known_to_live() -> None:
    later: list[Any] = []
    broken: list[Any] = []
    ending = [True, True, False]
    executor = types.SimpleNamespace(scheduler=None, call_later=lambda seconds, what: later.append(what))
    host = LocalHost(executor, types.SimpleNamespace(on_broken=broken.append), None, PoolSpec(), None, None, None)  # type: ignore[arg-type]
    host._worker = types.SimpleNamespace(is_ending=lambda: ending.pop(0))  # type: ignore[assignment]
    host._end_of_replies()
    while later:
        assert broken == []
        later.pop()()
    assert ending == []
    assert isinstance(broken[0], ProtocolError)


def test_one_that_comes_while_all_are_ended_is_killed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is added after all that there were have been killed, and taken by the thread that reaps those."""
    everything = Processes()
    late = made(everything)
    codes: list[int] = []
    late.exited = codes.append
    original = Processes.kill

    def kill(self: Processes) -> None:
        original(self)
        self._workers.add(late)

    monkeypatch.setattr(Processes, "kill", kill)
    assert everything.end(20.0)
    assert codes == [-signal.SIGKILL]
