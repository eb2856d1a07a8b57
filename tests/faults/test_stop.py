"""``System.stop()`` from any thread, twice, at any time: it returns within its limit, and nothing is left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pykka
import pytest
from support.gates import SECONDS, Gates, alive, pids_in, wait_gone
from support.leaks import held, left_behind
from support.worker import FUNCTIONS

import supervisors
from slither_actors import DispatchError, PoolSpec, Retry, StreamClosed, System, SystemStopped
from slither_actors.pools.counters import PoolCounts
from supervisors import ChildSpec, LightActor, abandoned_threads, supervise_threading

pytestmark = pytest.mark.fault(24)

Start = Callable[..., System]


def counts(system: System) -> PoolCounts:
    """Also of a System that was stopped."""
    return system._links["default"].counters.snapshot()


def pids(system: System) -> list[int]:
    return [executor.pid for executor in system.statistics().pools["default"].executors if executor.pid]


@contextmanager
def hanging(system: System, folder: Path, workers: int = 1) -> Iterator[list[int]]:
    """So many runs, each with a worker that hangs and ignores SIGTERM; each is ended by a stop, with nothing lost."""
    streams = [
        system.dispatch.stream(
            [str(folder / f"pid{number}"), "behind"],
            module="tasks",
            function="ignores_terminate_and_hangs",
            batch_size=1,
            max_in_flight=1,
            timeout=None,
        )
        for number in range(workers)
    ]
    with ThreadPoolExecutor(workers) as threads:
        waiting = [threads.submit(next, stream) for stream in streams]
        try:
            yield [pid for number in range(workers) for pid in pids_in(folder / f"pid{number}")]
        finally:
            system.stop()  # only where a test has failed is this the first
        for stream, run in zip(streams, waiting, strict=True):
            error = run.exception(SECONDS)
            assert isinstance(error, DispatchError)
            assert isinstance(error.reason, SystemStopped)
            assert error.unfinished == [0, 1]
            end = stream.statistics()
            assert (end.pulled, end.dropped_by_halt, end.emitted) == (2, 2, 0)


def test_from_many_threads_at_once(start: Start, tmp_path: Path) -> None:
    system = start(2, shutdown=0.2)
    with hanging(system, tmp_path, 2) as hung, ThreadPoolExecutor(8) as threads:
        assert all(stop.result(SECONDS) for stop in [threads.submit(system.stop) for _ in range(8)])
        assert not any(map(alive, hung))
    assert system.stop()
    assert counts(system).kills == {"shutdown": 2}
    assert counts(system).exits == {"SIGKILL": 2}


@pytest.mark.parametrize("timeout", [0.0, 0.3], ids=["no time at all", "some time"])
def test_what_is_late_is_cut_off_and_leaves_nothing(start: Start, tmp_path: Path, timeout: float) -> None:
    before = held()
    system = start(3, shutdown=60.0)
    with hanging(system, tmp_path, 2) as hung:
        assert not system.stop(timeout)
        # Reaped, too: nothing would do it later.
        assert not [pid for pid in hung if Path(f"/proc/{pid}").exists()]
    assert left_behind(before) == []
    assert counts(system).started == sum(counts(system).exits.values()) == 3
    assert counts(system).exits["SIGKILL"] >= 2
    assert counts(system).kills["abandoned"] >= 2
    assert system.stop()


def exits_from_now_on(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A file; once it is there, workers of a pool with this spec exit when they start."""
    gate = folder / "exit from now on"
    (folder / "mortal.py").write_text(f"import os\nif os.path.exists({str(gate)!r}):\n    os._exit(7)\n")
    return gate, {"path": [FUNCTIONS, folder], "preload": ["mortal"]}


@pytest.mark.parametrize("threads", [1, 4])
def test_during_a_restart_loop(start: Start, tmp_path: Path, threads: int, eventually: Callable[..., None]) -> None:
    gate, spec = exits_from_now_on(tmp_path)
    system = start(3, max_restarts=None, **spec)
    gate.touch()
    with ThreadPoolExecutor() as pool:
        run = pool.submit(
            system.dispatch.run,
            [-1] * 30,
            module="tasks",
            function="crashes_on_negative",
            batch_size=1,
            on_error=Retry(100, backoff=0.001, max_backoff=0.01),
        )
        eventually(lambda: counts(system).exits.get("exit 7", 0) >= 6, SECONDS)
        assert all(stop.result(SECONDS) for stop in [pool.submit(system.stop) for _ in range(threads)])
        error = run.exception(SECONDS)
    assert isinstance(error, DispatchError)
    assert isinstance(error.reason, SystemStopped)
    assert error.unfinished == list(range(30))
    end = counts(system)
    assert end.exits["SIGABRT"] == 3
    assert sum(end.exits.values()) == end.started
    assert set(end.exits) <= {"exit 7", "SIGABRT", "SIGKILL"}  # killed: one that was just being made


def test_while_a_pool_that_gave_up_waits_to_come_back(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    gate, spec = exits_from_now_on(tmp_path)
    system = start(2, max_restarts=0, **spec)
    gate.touch()
    for pid in pids(system):
        os.kill(pid, signal.SIGKILL)
    # At once, and then after a second: so the second failure is followed by a pause that a stop falls into.
    eventually(lambda: counts(system).exits.get("exit 7") and not system.statistics().pools["default"].available, 20)
    assert system.stop()
    assert sum(counts(system).exits.values()) == counts(system).started


@pytest.mark.parametrize("moment", range(5))
def test_while_it_starts(make_spec: Callable[..., PoolSpec], tmp_path: Path, moment: int) -> None:
    (tmp_path / "slow_start.py").write_text(
        f"import os, time\nwith open({str(tmp_path / 'pids')!r}, 'a') as file:\n"
        "    file.write(f'{os.getpid()}\\n')\ntime.sleep(3600)\n"
    )
    system = System({"default": make_spec(3, path=[tmp_path], preload=["slow_start"], shutdown=0.2)})
    with ThreadPoolExecutor() as threads:
        starting = threads.submit(system.start)
        if moment:
            pids_in(tmp_path / "pids", min(moment, 3))
        assert threads.submit(system.stop).result(SECONDS)
        with pytest.raises(SystemStopped):
            starting.result(SECONDS)
    assert sum(counts(system).exits.values()) == counts(system).started
    with pytest.raises(SystemStopped):
        system.start()


@pytest.mark.timeout(20)
def test_when_all_started_before_the_pool_is_known_as_ready(
    make_spec: Callable[..., PoolSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = System({"default": make_spec(1, start_timeout=60.0)})

    def wait_started(root: Any, patience: float) -> None:
        supervisors.wait_started(root, patience)
        link = made._links["default"]
        pool = link.ref
        with ThreadPoolExecutor() as threads:
            assert threads.submit(made.stop).result(SECONDS)
        link.ref = pool  # what the starting thread had in its hand

    monkeypatch.setattr("slither_actors.system.supervision.wait_started", wait_started)
    with pytest.raises(SystemStopped):
        made.start()


@pytest.fixture
def make_spec() -> Callable[..., PoolSpec]:
    return lambda size, **spec: PoolSpec(size=size, **spec)


# --- what does not want to end


class Stubborn(pykka.ThreadingActor):
    """Blocks in its handler, or when it is stopped, until it is let go."""

    def __init__(self, begun: threading.Event, let_go: threading.Event, where: str) -> None:
        super().__init__()
        self.begun, self.let_go, self.where = begun, let_go, where

    def on_receive(self, message: object) -> None:
        self.begun.set()
        if self.where == "handler":
            self.let_go.wait(60)

    def on_stop(self) -> None:
        if self.where == "on_stop":
            self.let_go.wait(60)


@pytest.mark.fault(26)
@pytest.mark.parametrize("where", ["handler", "on_stop"])
def test_an_actor_that_blocks_is_abandoned_at_its_deadline(tmp_path: Path, where: str) -> None:
    begun, let_go = threading.Event(), threading.Event()
    child = ChildSpec("s", lambda: supervise_threading(Stubborn).start(begun, let_go, where), shutdown=0.2)
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, children=[child]) as system:
        system.actor("s").tell("go")
        assert begun.wait(SECONDS)
        try:
            assert system.stop()
            assert len(abandoned_threads()) == 1
            assert counts(system).exits == {"exit 0": 1}
            assert counts(system).kills == {}
        finally:
            let_go.set()
    wait_until(lambda: not abandoned_threads())


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_actor_with_more_time_than_the_stop_is_cut_off(tmp_path: Path) -> None:
    before = held()
    begun, let_go = threading.Event(), threading.Event()
    child = ChildSpec("s", lambda: supervise_threading(Stubborn).start(begun, let_go, "on_stop"), shutdown=None)
    system = System({"default": PoolSpec(size=2, path=[FUNCTIONS], shutdown=60.0)}, children=[child]).start()
    workers = pids(system)
    try:
        assert not system.stop(0.3)
        assert not any(map(alive, workers))
        assert (counts(system).kills, counts(system).exits) == ({"abandoned": 2}, {"SIGKILL": 2})
    finally:
        let_go.set()
    assert left_behind(before) == []


class Blocking(LightActor):
    """Breaks the one rule for light actors: it holds up the scheduler's thread."""

    def __init__(self, begun: threading.Event, let_go: threading.Event) -> None:
        super().__init__()
        self.begun, self.let_go = begun, let_go

    def on_receive(self, message: object) -> None:
        self.begun.set()
        self.let_go.wait(60)


def test_workers_are_killed_while_the_scheduler_is_stuck(tmp_path: Path) -> None:
    before = held()
    begun, let_go = threading.Event(), threading.Event()
    child = ChildSpec("b", lambda: Blocking.start(begun, let_go))
    system = System({"default": PoolSpec(size=2, path=[FUNCTIONS])}, children=[child]).start()
    workers = pids(system)
    system.actor("b").tell("go")
    assert begun.wait(SECONDS)
    try:
        assert not system.stop(0.1)
        wait_gone(*workers)
    finally:
        let_go.set()
    assert left_behind(before) == []
    assert counts(system).exits == {"SIGKILL": 2}
    assert system.stop()


# --- by the hand of a signal, which may come in the middle of anything


def test_in_a_signal_handler_while_its_thread_waits(tmp_path: Path) -> None:
    answers: list[bool] = []
    gates = Gates(tmp_path)
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], shutdown=0.5)}) as system:

        def handler(number: int, frame: object) -> None:
            answers.append(system.stop())

        def send() -> None:
            gates.wait_begun("shut")
            os.kill(os.getpid(), signal.SIGUSR1)

        sender = threading.Thread(target=send)
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            sender.start()
            with pytest.raises(DispatchError) as caught:
                system.dispatch.run([(1, gates["shut"])], module="tasks", function="through_gates", timeout=None)
            sender.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert answers == [True]
    assert isinstance(caught.value.reason, SystemStopped)


def test_in_a_signal_handler_that_interrupts_its_threads_stop(start: Start, tmp_path: Path) -> None:
    answers: list[bool] = []
    system = start(1, shutdown=1.0)
    sender = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
    before = signal.signal(signal.SIGUSR1, lambda *_: answers.append(system.stop()))
    try:
        with hanging(system, tmp_path):
            sender.start()
            assert system.stop()
            sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert answers == [True]


def test_streams_that_nobody_reads_end_with_the_system(start: Start) -> None:
    system = start(1)
    streams = [
        system.dispatch.stream(source, module="tasks", function="double")
        for source in (range(10**6), (i for i in range(10**6)))
    ]
    for stream in streams:
        next(stream)
    assert system.stop()
    for stream in streams:
        with pytest.raises((DispatchError, StreamClosed)) as caught:
            list(stream)
        assert isinstance(caught.value.reason, SystemStopped)  # type: ignore[union-attr]
        end = stream.statistics()
        assert end.pulled == end.emitted + end.dropped_by_halt


def test_a_run_begun_before_the_schedulers_end_is_stopped(
    start: Start, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    system = start(1)
    streams = [system.dispatch.stream(source, module="tasks", function="double") for source in (range(3), iter("abc"))]
    go_on, really_stop = threading.Event(), system._scheduler.stop
    monkeypatch.setattr(system._scheduler, "stop", lambda timeout: go_on.wait(SECONDS) and really_stop(timeout))
    with ThreadPoolExecutor(1) as threads:
        stopping = threads.submit(system.stop)
        eventually(lambda: system._tree.has_ended, SECONDS)
        try:
            for stream in streams:
                with pytest.raises(DispatchError) as caught:
                    next(stream)
                assert isinstance(caught.value.reason, SystemStopped)
        finally:
            go_on.set()
        assert stopping.result(SECONDS)
