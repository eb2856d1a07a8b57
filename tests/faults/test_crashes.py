"""Workers that die: killed, crashed, exited, with garbage on their lips."""

from __future__ import annotations

import itertools
import os
import random
import signal
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from support.gates import alive, pids_in, wait_gone
from support.leaks import held

from slither_actors import DispatchError, PoolUnavailable, ProtocolError, Retry, System, WorkerCrashed

Start = Callable[..., System]
lazies = pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])


def given(lazy: bool, payloads: Any) -> Any:
    return (payload for payload in payloads) if lazy else list(payloads)


def pids(system: System) -> list[int]:
    return [executor.pid for executor in system.statistics().pools["default"].executors if executor.pid]


def works(system: System) -> bool:
    return [item.payload for item in system.dispatch.run([1, 2], module="tasks", function="double")] == [2, 4]


class Killer(threading.Thread):
    """Kills a random worker of those that are ready every `pause` seconds.

    One that is still starting would count as unable to start: killed often enough, they all wait for a back-off.
    """

    def __init__(self, system: System, pause: float, sig: int = signal.SIGKILL) -> None:
        super().__init__(daemon=True)
        self.system, self.pause, self.sig = system, pause, sig
        self.kills = 0
        self.enough = threading.Event()
        self.random = random.Random(5)

    def run(self) -> None:
        while not self.enough.wait(self.pause):
            executors = self.system.statistics().pools["default"].executors
            if found := [executor.pid for executor in executors if executor.pid and executor.state == "ready"]:
                with suppress(ProcessLookupError):
                    os.kill(self.random.choice(found), self.sig)
                    self.kills += 1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self.join()


@orderings
@lazies
def test_workers_killed_at_random_lose_and_double_nothing(start: Start, lazy: bool, ordering: str) -> None:
    system = start(4, max_restarts=None)
    payloads = list(range(5000))
    with Killer(system, 0.05) as killer:
        stream = system.dispatch.stream(
            (payload for payload in payloads) if lazy else payloads,
            module="tasks",
            function="naps",
            batch_size=16,
            max_in_flight=4,
            ordering=ordering,
            on_error=Retry(10, backoff=0.001, max_backoff=0.01),
        )
        got = []
        for item in stream:
            got.append(item.id)
            if killer.kills <= 3:  # however fast the workers are: the list grows while it is read
                payloads.append(len(payloads))
    assert killer.kills > 3
    assert Counter(got) == Counter(payloads)
    if ordering == "preserve":
        assert got == payloads
    end = stream.statistics()
    assert (end.pulled, end.emitted, end.dropped, end.skipped) == (len(payloads), len(payloads), 0, 0)
    # The last kill may not have been noticed yet.
    after = system.dispatch.run([1, 2], module="tasks", function="double", on_error=Retry(5, backoff=0.001))
    assert [item.payload for item in after] == [2, 4]


def test_workers_killed_at_random_with_split_lose_and_double_nothing(start: Start) -> None:
    system = start(3, max_restarts=None)
    pulled = []
    with Killer(system, 0.05, signal.SIGABRT) as killer:

        def source() -> Iterator[int]:
            while len(pulled) < 3000 or killer.kills <= 3:  # however fast the workers are
                pulled.append(len(pulled))
                yield pulled[-1]

        results = system.dispatch.run(
            source(), module="tasks", function="naps", batch_size=16,
            on_error=Retry(10, backoff=0.001, max_backoff=0.01, split=True),
        )  # fmt: skip
    assert killer.kills > 3
    assert [item.id for item in results] == pulled


@orderings
@lazies
def test_a_poison_item_is_found_by_split_and_alone_is_skipped(start: Start, lazy: bool, ordering: str) -> None:
    system = start(2, max_restarts=None)
    payloads = [-1 if i == 37 else i for i in range(64)]
    stream = system.dispatch.stream(
        given(lazy, payloads), module="tasks", function="crashes_on_negative", batch_size=16, ordering=ordering,
        on_error=Retry(3, split=True, then="skip", backoff=0.001),
    )  # fmt: skip
    results = list(stream)
    assert sorted(item.id for item in results) == list(range(64))
    (skipped,) = [item for item in results if "skipped" in item.meta]
    assert skipped.id == 37
    assert skipped.meta["error"].signal == signal.SIGABRT
    # ⌈log2 16⌉ + 3 batches failed, in items: 16 + 8 + 4 + 2 + 1 + 1 + 1.
    assert stream.statistics().failed == 33
    counts = system.statistics().pools["default"].counts
    assert (counts.deaths, counts.exits) == (7, {"SIGABRT": 7})


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("function", ["exits_at_once", "exits"])
def test_a_worker_that_exits_in_mid_batch_has_crashed_though_the_code_is_0(
    start: Start, function: str, code: int
) -> None:
    system = start()
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([code], module="tasks", function=function)
    reason = caught.value.reason
    assert isinstance(reason, WorkerCrashed)
    assert (reason.exit_code, reason.signal) == (code, None)
    assert caught.value.unfinished == [0]
    assert works(system)


def test_a_segfault_is_named_with_faulthandlers_trace(start: Start) -> None:
    system = start()
    with pytest.raises(DispatchError, match="SIGSEGV") as caught:
        system.dispatch.run([1], module="tasks", function="segfaults")
    reason = caught.value.reason
    assert isinstance(reason, WorkerCrashed)
    assert (reason.exit_code, reason.signal) == (None, signal.SIGSEGV)
    assert "Fatal Python error: Segmentation fault" in reason.stderr_tail
    assert "segfaults" in reason.stderr_tail
    assert len(reason.stderr_tail) < 100_000
    assert works(system)


def test_a_crash_costs_one_attempt_of_one_batch_and_those_behind_it_none(start: Start, tmp_path: Path) -> None:
    # Short batches, so that several are in the pipe when one of them kills the worker.
    system = start(max_restarts=None)
    payloads = [(str(tmp_path / f"log{i}"), 1 if i in (50, 51, 70) else 0) for i in range(100)]
    results = system.dispatch.run(
        payloads, module="tasks", function="log_and_crash", batch_size=1, on_error=Retry(2, backoff=0.001)
    )
    assert [item.payload for item in results] == [2 if i in (50, 51, 70) else 1 for i in range(100)]


def test_without_retry_a_crash_fails_its_batch_only(start: Start) -> None:
    system = start(max_restarts=None)
    results = system.dispatch.run(
        [-1 if i == 50 else i for i in range(100)], module="tasks", function="crashes_on_negative", batch_size=1,
        on_error="skip",
    )  # fmt: skip
    assert [item.id for item in results if "skipped" in item.meta] == [50]
    assert isinstance(results[50].meta["error"], WorkerCrashed)


def test_an_idle_worker_that_is_killed_is_replaced(start: Start, eventually: Callable[..., None]) -> None:
    system = start(2)
    before = pids(system)
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(set(pids(system)) - {before[0]}) == 2, 20)
    assert works(system)
    statistics = system.statistics().pools["default"]
    assert statistics.restarts == 1
    assert before[1] in pids(system)


@lazies
@orderings
def test_over_its_restart_budget_the_pool_gives_up_and_the_error_has_the_results_so_far(
    start: Start, lazy: bool, ordering: str
) -> None:
    system = start(2, max_restarts=3, max_seconds=60.0)
    payloads = itertools.chain(range(100), itertools.repeat(-1, 1000))
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            given(lazy, payloads), module="tasks", function="crashes_on_negative", batch_size=1, ordering=ordering,
            on_error=Retry(100, backoff=0),
        )  # fmt: skip
    assert isinstance(caught.value.reason, PoolUnavailable)
    assert isinstance(caught.value.reason.__cause__, WorkerCrashed)
    assert sorted(item.id for item in caught.value.partial_results) == list(range(100))
    assert caught.value.unfinished[0] == 100


def test_after_it_gave_up_a_pool_refuses_at_once_and_then_comes_back(
    start: Start, eventually: Callable[..., None]
) -> None:
    system = start(1, max_restarts=0)
    waiting: list[BaseException] = []

    def wait() -> None:
        try:
            system.dispatch.run([1], module="tasks", function="double")
        except BaseException as error:
            waiting.append(error)

    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([0, 0], module="tasks", function="exits_at_once", on_error="skip", batch_size=1)
    assert isinstance(caught.value.reason, PoolUnavailable)
    # Whoever asks now is served or refused, and never hangs; in the end it is served.
    for _ in range(3):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    for error in waiting:
        assert isinstance(error, DispatchError)
        assert isinstance(error.reason, PoolUnavailable)
    eventually(lambda: system.statistics().pools["default"].available, 20)
    assert works(system)


def test_runs_that_wait_when_the_pool_gives_up_are_told(start: Start) -> None:
    system = start(1, max_restarts=0)
    errors: list[BaseException] = []

    def wait(number: int) -> None:
        try:
            system.dispatch.run(
                [0] * 5, module="tasks", function="exits_at_once", batch_size=1, on_error=Retry(5, backoff=0)
            )
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [type(getattr(error, "reason", error)) for error in errors] == [PoolUnavailable] * 4


@pytest.mark.parametrize(
    "garbage",
    [
        b"this is no frame" * 10,
        b"SA\x01\x07",  # half a header, then silence: the reply's own header follows it
        struct.pack("<2sBBHHQIQQII", b"SA", 1, 7, 0, 0, 1, 0, 1 << 32, 0, 0, 0),  # announces 4 GiB
        struct.pack("<2sBBHHQIQQII", b"SA", 1, 7, 0, 0, 987_654, 0, 0, 0, 0, 0),  # a reply never asked for
        struct.pack("<2sBBHHQIQQII", b"SA", 1, 200, 0, 0, 1, 0, 0, 0, 0, 0),  # an unknown kind
        struct.pack("<2sBBHHQIQQII", b"SA", 1, 2, 0, 0, 1, 0, 0, 0, 0, 0),  # ready, once more
    ],
    ids=["text", "half a header", "4 GiB", "never asked for", "unknown kind", "ready again"],
)
def test_garbage_on_the_reply_pipe_costs_its_batch_and_the_worker(start: Start, garbage: bytes) -> None:
    system = start()
    (before,) = pids(system)
    results = system.dispatch.run([garbage], module="tasks", function="writes_garbage", on_error="skip", timeout=20)
    assert isinstance(results[0].meta["error"], ProtocolError)
    assert works(system)
    assert not alive(before)


def test_half_a_frame_and_then_death_is_a_crash_without_partial_results(start: Start) -> None:
    system = start()
    reply = struct.pack("<2sBBHHQIQQII", b"SA", 1, 7, 0, 1, 2, 0, 1000, 0, 1, 0) + b"x" * 500
    results = system.dispatch.run([reply], module="tasks", function="writes_garbage_and_dies", on_error="skip")
    assert isinstance(results[0].meta["error"], (WorkerCrashed, ProtocolError))
    assert works(system)


def test_a_worker_that_closes_its_reply_pipe_and_lives_on_is_killed(start: Start) -> None:
    system = start()
    (before,) = pids(system)
    results = system.dispatch.run([1], module="tasks", function="closes_its_reply_pipe", on_error="skip", timeout=None)
    assert isinstance(results[0].meta["error"], ProtocolError)
    assert works(system)
    wait_gone(before)


def test_100_mb_on_stderr_are_bounded_and_delay_nobody(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    system = start(2)
    results = system.dispatch.run([100_000_000], module="tasks", function="writes_much_to_stderr", timeout=60)
    assert len(results) == 1
    assert works(system)


def test_a_child_that_keeps_the_pipes_open_does_not_hide_the_death(start: Start, tmp_path: Path) -> None:
    system = start()
    results = system.dispatch.run(
        [str(tmp_path / "pid")], module="tasks", function="leaves_a_child_and_dies", on_error="skip", timeout=None
    )
    assert results[0].meta["error"].signal == signal.SIGKILL
    (child,) = pids_in(tmp_path / "pid")
    wait_gone(child, seconds=5)
    assert works(system)


def test_big_requests_and_replies_at_the_same_time_do_not_lock_up(start: Start) -> None:
    system = start(2)
    big = b"x" * 4_000_000
    results = system.dispatch.run(
        itertools.repeat(big, 12), module="tasks", function="double", batch_size=1, timeout=60
    )
    assert [len(item.payload) for item in results] == [8_000_000] * 12


def guardians() -> set[int]:
    return {pid for (pid, _), told in held().processes.items() if "guardian.py" in told and "state Z" not in told}


def test_a_killed_guardian_is_replaced_at_the_next_start(start: Start, eventually: Callable[..., None]) -> None:
    others = guardians()
    system = start()
    (before,) = guardians() - others
    os.kill(before, signal.SIGKILL)
    (worker,) = pids(system)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: pids(system) and pids(system) != [worker], 20)
    assert works(system)
    eventually(lambda: guardians() - others - {before})
