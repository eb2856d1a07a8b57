"""Workers that are killed: at random, and exactly when a batch has begun. Nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.gates import SECONDS, Gates, pids_in
from support.killer import Killer
from support.victims import Starts, beside, counts, executor, kill_and_wait, pids, pool, works

from slither_actors import Retry, System

pytestmark = pytest.mark.fault(1)

Start = Callable[..., System]


def given(lazy: bool, payloads: Any) -> Any:
    return (payload for payload in payloads) if lazy else list(payloads)


def executioner(gates: Gates, name: str, times: int, sig: int) -> None:
    """Kill each worker that comes to this gate, so many times, and let the next one pass."""
    for time in range(times):
        kill_and_wait(gates.wait_begun(name, time + 1)[time], sig)
    gates.wait_begun(name, times + 1)
    gates.open(name)


@pytest.mark.parametrize(
    ("sig", "lazy", "ordering"),
    [
        (signal.SIGKILL, True, "preserve"),
        (signal.SIGKILL, False, "as_completed"),
        (signal.SIGTERM, False, "preserve"),
        (signal.SIGABRT, True, "as_completed"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_batch_that_kills_its_worker_each_time_comes_out_once(
    start: Start, tmp_path: Path, eventually: Callable[..., None], sig: signal.Signals, lazy: bool, ordering: str
) -> None:
    system, gates = start(2, max_restarts=None), Gates(tmp_path)
    victims = {0: 2, 30: 1, 31: 1, 59: 3}
    kills, batches = sum(victims.values()), 20
    payloads: list[Any] = list(range(60))
    for number in victims:
        payloads[number] = (number, gates[number])
    touched = len({number // 3 for number in victims})
    with ExitStack() as stack:
        for number, times in victims.items():
            stack.enter_context(beside(executioner, gates, number, times, sig))
        stream = system.dispatch.stream(
            given(lazy, payloads),
            module="tasks",
            function="through_gates",
            batch_size=3,
            ordering=ordering,
            on_error=Retry(10, backoff=0),
        )
        got = [item.payload for item in stream]
    assert Counter(got) == Counter(range(60))
    if ordering == "preserve":
        assert got == list(range(60))
    # 30 and 31 are in one batch: each kill costs one attempt of one batch, and nothing else any.
    assert touched == 3
    ledger, seen = stream.statistics(), counts(system)
    assert (ledger.pulled, ledger.emitted, ledger.skipped, ledger.dropped) == (60, 60, 0, 0)
    assert (ledger.retries, ledger.failed) == (kills, 3 * kills)
    assert (seen.deaths, seen.exits) == (kills, {sig.name: kills})
    assert (seen.kills, seen.protocol_errors, seen.late) == ({}, {}, 0)
    assert sum(each.done for each in pool(system).executors) == batches
    eventually(lambda: sum(counts(system).restarts.values()) == kills)  # the last one may be backing off
    assert works(system)


def test_jobs_behind_killed_batch_go_elsewhere_as_same_attempt(
    start: Start, tmp_path: Path, sent_ahead: int, eventually: Callable[..., None]
) -> None:
    system, gates = start(1), Gates(tmp_path)
    payloads: list[Any] = list(range(30))
    payloads[10] = (10, gates["a"])
    with Starts().watched() as starts:
        stream = system.dispatch.stream(
            payloads, module="tasks", function="through_gates", batch_size=1, on_error=Retry(2, backoff=0)
        )

        def kill() -> None:
            (pid,) = gates.wait_begun("a")
            eventually(lambda: executor(system).in_pipe == sent_ahead, SECONDS)
            kill_and_wait(pid)
            gates.wait_begun("a", 2)
            gates.open("a")

        with beside(kill):
            assert [item.payload for item in stream] == list(range(30))
        given_out = starts.all(30, eventually)
    (again,) = [ref for ref, attempt in given_out if attempt == 2]
    assert max(attempt for _, attempt in given_out) == 2
    assert given_out[again, 1] == given_out[again, 2] == 1
    seen = counts(system)
    # Exactly those: each was given out twice, as attempt 1.
    assert seen.redelivered == sum(times - 1 for times in given_out.values()) == sent_ahead - 1
    assert (seen.deaths, seen.exits, stream.statistics().retries) == (1, {"SIGKILL": 1}, 1)


def test_with_prefetch_0_nothing_waits_behind_a_killed_batch(start: Start, tmp_path: Path, sent_ahead: int) -> None:
    system, gates = start(1), Gates(tmp_path)
    payloads: list[Any] = list(range(40))
    payloads[20] = (20, gates["a"])
    with beside(executioner, gates, "a", 2, signal.SIGKILL):
        results = system.dispatch.run(
            payloads, module="tasks", function="through_gates", batch_size=1, prefetch=0, on_error=Retry(3, backoff=0)
        )
    assert [item.payload for item in results] == list(range(40))
    assert (counts(system).redelivered, counts(system).deaths) == (0, 2)


def test_all_workers_killed_at_once_in_middle_of_their_batches(start: Start, tmp_path: Path) -> None:
    system, gates = start(4), Gates(tmp_path)
    names = ["a", "b", "c", "d"]

    def kill() -> None:
        found = [pid for name in names for pid in gates.wait_begun(name)]
        assert len(set(found)) == 4
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        for name in names:
            gates.wait_begun(name, 2)
        gates.open(*names)

    with beside(kill):
        results = system.dispatch.run(
            [(name, gates[name]) for name in names],
            module="tasks",
            function="through_gates",
            batch_size=1,
            on_error=Retry(2, backoff=0),
        )
    assert [item.payload for item in results] == names
    seen = counts(system)
    assert (seen.deaths, seen.exits, seen.restarts) == (4, {"SIGKILL": 4}, {0: 1, 1: 1, 2: 1, 3: 1})


def test_a_worker_killed_in_an_import_costs_no_attempt(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    system = start(env={"IMPORT_GATE": str(gate)})

    def kill() -> None:
        kill_and_wait(pids_in(Path(f"{gate}.begun"))[0])
        pids_in(Path(f"{gate}.begun"), 2)
        gate.touch()

    with beside(kill):
        stream = system.dispatch.stream(
            [1, 2, 3], module="gated_import", function="double", batch_size=1, on_error=Retry(2, backoff=0)
        )
        assert [item.payload for item in stream] == [2, 4, 6]
    assert (stream.statistics().retries, counts(system).deaths) == (0, 1)


def test_a_worker_killed_with_half_a_request_in_its_pipe(start: Start, eventually: Callable[..., None]) -> None:
    system = start(1)
    assert works(system)
    (pid,) = pids(system)
    os.kill(pid, signal.SIGSTOP)  # so that of the request only what the pipe holds is written

    def kill() -> None:
        eventually(lambda: executor(system).in_pipe == 1, 20)
        kill_and_wait(pid)

    big = b"x" * 8_000_000
    with beside(kill):
        stream = system.dispatch.stream([big], module="tasks", function="double", on_error=Retry(2, backoff=0))
        assert [len(item.payload) for item in stream] == [16_000_000]
    assert (stream.statistics().retries, counts(system).exits) == (1, {"SIGKILL": 1})


def test_a_killed_idle_worker_is_replaced_at_no_cost(start: Start, eventually: Callable[..., None]) -> None:
    system = start(2)
    first, second = pids(system)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: pool(system).pool.ready == 2 and first not in pids(system), 20)
    assert second in pids(system)
    stream = system.dispatch.stream(range(100), module="tasks", function="double", batch_size=5)
    assert len(list(stream)) == 100
    seen = counts(system)
    assert (seen.deaths, seen.exits, seen.restarts, seen.redelivered) == (1, {"SIGKILL": 1}, {0: 1}, 0)
    assert stream.statistics().retries == 0


@pytest.mark.parametrize(
    ("split", "lazy", "ordering"),
    [
        (False, True, "preserve"),
        (False, False, "as_completed"),
        (True, True, "as_completed"),
        (True, False, "preserve"),
    ],
)
def test_workers_killed_at_random_lose_and_double_nothing(start: Start, lazy: bool, ordering: str, split: bool) -> None:
    system = start(4, max_restarts=None)
    seed = random.randrange(1 << 32)
    killer = Killer(system, seed, signals=[signal.SIGKILL, signal.SIGABRT])
    stream = system.dispatch.stream(
        given(lazy, range(5000)),
        module="tasks",
        function="naps",
        batch_size=16,
        max_in_flight=4,
        ordering=ordering,
        on_error=Retry(10, backoff=0.001, max_backoff=0.01, split=split),
    )
    got = []
    for item in stream:
        got.append(item.id)
        if len(got) % 300 == 0:  # by progress: on a busy machine they could be killed faster than they start
            killer.kill_one()
    print(f"seed {seed}: {killer.sent}")
    assert killer.kills > 0
    assert Counter(got) == Counter(range(5000))
    if ordering == "preserve":
        assert got == list(range(5000))
    ledger, seen = stream.statistics(), counts(system)
    assert (ledger.pulled, ledger.emitted, ledger.dropped, ledger.skipped) == (5000, 5000, 0, 0)
    # One that was killed while it was idle, or at the very end, costs no attempt. Split makes two batches of one.
    assert ledger.retries <= seen.deaths <= killer.kills
    assert set(seen.exits) <= set(killer.sent)
    after = system.dispatch.run([1, 2], module="tasks", function="double", on_error=Retry(5, backoff=0.001))
    assert [item.payload for item in after] == [2, 4]
