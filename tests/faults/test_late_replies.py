"""Replies that come late, twice, or without a request: they never reach another batch."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.evil import stand_in
from support.gates import SECONDS, Gates, alive, pids_in, wait_gone
from support.victims import beside, counts, executor, pids, works

from slither_actors import BatchTimeout, DispatchError, ProtocolError, Retry, System
from slither_actors.wire.header import VERSION

pytestmark = pytest.mark.fault(12)

Start = Callable[..., System]


@pytest.fixture
def liar(start: Start, tmp_path: Path) -> System:
    return start(1, python=stand_in(tmp_path, "liar"))


# --- after a cancel


def test_the_reply_of_a_closed_run_is_counted_and_dropped(start: Start, tmp_path: Path) -> None:
    system, gates = start(1), Gates(tmp_path)
    stream = system.dispatch.stream([("late", gates["a"]), "x", "y"], module="tasks", function="through_gates")

    def close() -> None:
        gates.wait_begun("a")
        stream.close()

    with beside(close), pytest.raises(Exception, match="closed"):
        next(stream)
    with beside(gates.open, "a"):
        # On the same worker, behind the batch that runs out: only its own results come.
        results = system.dispatch.run(range(50), module="tasks", function="through_gates", batch_size=1)
    assert [item.payload for item in results] == list(range(50))
    seen = counts(system)
    assert (seen.late, seen.exits, seen.protocol_errors) == (1, {}, {})
    assert executor(system).done == 51


def test_an_answer_to_a_forgotten_request_kills_the_worker(
    start: Start, tmp_path: Path, sent_ahead: int, eventually: Callable[..., None]
) -> None:
    system = start(1, python=stand_in(tmp_path, "late"))
    (before,) = pids(system)
    # One that is held back, and behind it in the pipe those that the close cancels.
    stream = system.dispatch.stream([1, "held", "waits", "waits too"], module="tasks", function="double", batch_size=1)
    assert next(stream).payload == 2
    eventually(lambda: executor(system).in_pipe == 3, SECONDS)
    stream.close()
    # It answers all. The first is still owed, though it is not wanted any more; the others it had let go.
    results = system.dispatch.run([1], module="tasks", function="double", on_error=Retry(2, backoff=0))
    assert [item.payload for item in results] == [2]
    wait_gone(before)
    seen = counts(system)
    assert (seen.late, seen.protocol_errors, seen.kills) == (1, {"unasked": 1}, {"protocol": 1})


# --- after a timeout


def test_output_of_a_killed_workers_child_reaches_no_run(start: Start, tmp_path: Path) -> None:
    """It left the worker's group, so it lives, and has the very reply that was waited for."""
    system, gates = start(1), Gates(tmp_path)
    path, said = tmp_path / "child", tmp_path / "child.said"
    reply = struct.pack("<2sBBHHQIQQIIQ", b"SA", VERSION, 7, 0, 1, 2, 0, 2, 0, 1, 0, 9) + b"\x91\x07"
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            [(str(path), gates["late"], reply)], module="children", function="replies_late", timeout=0.5
        )
    assert isinstance(caught.value.reason, BatchTimeout)
    (child,) = pids_in(path)
    assert alive(child)
    gates.open("late")
    results = system.dispatch.run(range(20), module="tasks", function="double", batch_size=1)
    assert [item.payload for item in results] == [2 * n for n in range(20)]
    while not said.exists():
        assert alive(child)
    assert said.read_text() == "broken\n"  # no process has that pipe open any more
    wait_gone(child)
    seen = counts(system)
    assert (seen.kills, seen.late, seen.protocol_errors) == ({"timeout": 1}, 0, {})


@pytest.fixture
def stopped(start: Start) -> Iterator[tuple[System, int]]:
    """A worker that is stopped when its batch is sent, and goes on when that was long overdue."""
    system = start(1, max_restarts=0)
    assert works(system)
    (pid,) = pids(system)
    os.kill(pid, signal.SIGSTOP)
    yield system, pid
    assert not alive(pid)


def test_a_late_reply_is_not_taken_for_the_next_batchs(stopped: tuple[System, int]) -> None:
    system, _ = stopped
    stream = system.dispatch.stream(
        range(40), module="tasks", function="double", batch_size=1, timeout=0.4, on_error=Retry(3, backoff=0)
    )
    assert [item.payload for item in stream] == [2 * n for n in range(40)]
    seen = counts(system)
    assert (seen.kills, seen.late, seen.protocol_errors) == ({"timeout": 1}, 0, {})
    assert stream.statistics().retries == 1


# --- what was never asked, or is answered already


@pytest.mark.parametrize("lie", ["twice", "never_asked"])
def test_an_answer_to_no_request_kills_the_worker(liar: System, lie: str, eventually: Callable[..., None]) -> None:
    (before,) = pids(liar)
    stream = liar.dispatch.stream(
        [lie, 1, 2, 3], module="tasks", function="double", batch_size=1, on_error=Retry(2, then="skip", backoff=0)
    )
    results = list(stream)
    assert [item.payload for item in results] == [lie, 2, 4, 6]
    eventually(lambda: not alive(before))
    seen = counts(liar)
    if lie == "twice":
        # The first time it is the answer; what comes then is not asked for any more.
        assert "skipped" not in results[0].meta
        assert (seen.protocol_errors, seen.kills) == ({"unasked": 1}, {"protocol": 1})
    else:
        assert isinstance(results[0].meta["error"], ProtocolError)
        assert (seen.protocol_errors, seen.kills) == ({"unasked": 2}, {"protocol": 2})


def test_an_answer_to_another_workers_request_kills_its_sender(start: Start, tmp_path: Path) -> None:
    """The other's request is in flight at that moment, its id well known; its answer is its own all the same."""
    system = start(2, python=stand_in(tmp_path, "late_liar", tmp_path))
    gates = Gates(tmp_path)
    other: list[object] = []

    def wait() -> None:
        stream = system.dispatch.stream([("gate", gates["a"], 7)], module="tasks", function="double", timeout=SECONDS)
        other.extend(item.payload for item in stream)

    with beside(wait):
        (honest,) = gates.wait_begun("a")
        results = system.dispatch.run([("other",)], module="tasks", function="double", on_error="skip", timeout=SECONDS)
        assert isinstance(results[0].meta["error"], ProtocolError)
        assert other == []
        gates.open("a")
    assert other == [7]
    assert honest in pids(system)
    seen = counts(system)
    assert (seen.protocol_errors, seen.kills, seen.deaths) == ({"unasked": 1}, {"protocol": 1}, 1)


def test_an_answer_out_of_turn_kills_and_rest_is_redelivered(liar: System) -> None:
    """It answers the request behind the one that it is at, which has begun no more than any other."""
    payloads: list[object] = [n for n in range(30) for _ in (0, 1)]
    payloads[40:42] = ["of_another", 1]
    stream = liar.dispatch.stream(
        payloads, module="tasks", function="double", batch_size=2, on_error=Retry(2, then="skip", backoff=0)
    )
    results = list(stream)
    assert [item.id for item in results if "skipped" in item.meta] == [40, 41]
    assert [item.payload for item in results if item.id not in (40, 41)] == [
        2 * n for n in range(30) for _ in (0, 1) if n != 20
    ]
    seen = counts(liar)
    assert (seen.protocol_errors, seen.kills) == ({"unasked": 2}, {"protocol": 2})
    assert stream.statistics().retries == 1
