"""Workers that break the protocol: garbage, huge announcements, halves of frames. No allocation, no partial result."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from support.evil import stand_in
from support.gates import SECONDS, Gates, alive, wait_gone
from support.memory import resident
from support.victims import beside, counts, executor, pids, pool, works

from slither_actors import BatchTimeout, DispatchError, ProtocolError, Retry, System, UnexpectedResponse, WorkerCrashed
from slither_actors.wire.header import VERSION

pytestmark = pytest.mark.fault(11)

Start = Callable[..., System]
MB = 1 << 20


def header(kind: int, request_id: int, body: int = 0, version: int = VERSION) -> bytes:
    return struct.pack("<2sBBHHQIQQIIQ", b"SA", version, kind, 0, 0, request_id, 0, body, 0, 0, 0, 0)


REPLY, READY = 7, 2


@pytest.fixture
def liar(start: Start, tmp_path: Path) -> System:
    """A pool of one worker that lies where a payload names a lie."""
    return start(1, python=stand_in(tmp_path, "liar"))


# --- a real worker, whose function writes into the reply pipe


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"this is no frame" * 10, "magic"),
        (b"S", "magic"),  # the reply's own header follows it
        (b"SA" + bytes([VERSION, 7]), "too_large"),  # half a header: the rest of it is what the reply's own begins with
        (header(REPLY, 1, body=1 << 32), "too_large"),
        (header(REPLY, 987_654), "unasked"),
        (header(200, 1), "kind"),
        (header(READY, 1), "unasked"),
        (header(REPLY, 1, version=9), "version"),
    ],
    ids=["text", "one byte", "half a header", "4 GiB", "never asked for", "unknown kind", "ready again", "version"],
)
def test_garbage_on_the_reply_pipe_costs_its_batch_and_worker(start: Start, garbage: bytes, reason: str) -> None:
    system = start()
    (before,) = pids(system)
    results = system.dispatch.run([garbage], module="scribbles", function="writes", on_error="skip", timeout=SECONDS)
    error = results[0].meta["error"]
    assert isinstance(error, ProtocolError)
    assert error.reason == reason
    assert works(system)
    assert not alive(before)
    seen = counts(system)
    assert (seen.protocol_errors, seen.kills) == ({reason: 1}, {"protocol": 1})
    assert (seen.exits, seen.deaths, seen.restarts) == ({"SIGKILL": 1}, 1, {0: 1})


def test_half_a_frame_then_death_is_a_crash_without_results(start: Start) -> None:
    system = start()
    reply = struct.pack("<2sBBHHQIQQIIQ", b"SA", VERSION, REPLY, 0, 1, 2, 0, 1000, 0, 1, 0, 9) + b"x" * 500
    results = system.dispatch.run([reply], module="scribbles", function="writes_and_dies", on_error="skip")
    error = results[0].meta["error"]
    assert isinstance(error, WorkerCrashed)
    assert error.exit_code == 0
    assert results[0].payload == reply
    assert works(system)
    seen = counts(system)
    assert (seen.protocol_errors, seen.kills, seen.exits, seen.deaths) == ({}, {}, {"exit 0": 1}, 1)


def test_half_a_frame_and_then_silence_is_over_its_deadline(start: Start) -> None:
    system = start()
    results = system.dispatch.run(
        [header(REPLY, 1, body=1000)], module="scribbles", function="writes_and_is_silent", on_error="skip", timeout=0.5
    )
    assert isinstance(results[0].meta["error"], BatchTimeout)
    assert works(system)
    seen = counts(system)
    assert (seen.protocol_errors, seen.kills, seen.deaths) == ({}, {"timeout": 1}, 0)


@pytest.mark.parametrize("function", ["closes_it_and_lives_on", "closes_it_and_returns"])
def test_a_worker_that_closes_its_reply_pipe(start: Start, function: str) -> None:
    system = start()
    (before,) = pids(system)
    results = system.dispatch.run([1], module="scribbles", function=function, on_error="skip", timeout=None)
    error = results[0].meta["error"]
    assert works(system)
    wait_gone(before)
    seen = counts(system)
    assert seen.deaths == 1
    if function == "closes_it_and_lives_on":
        assert isinstance(error, ProtocolError)
        assert (seen.protocol_errors, seen.kills) == ({"closed": 1}, {"protocol": 1})
    else:
        # It cannot write its answer, and ends of that before the host has lost patience.
        assert isinstance(error, WorkerCrashed)
        assert (seen.protocol_errors, seen.kills) == ({}, {})


def test_one_that_closes_its_reply_pipe_and_dies_has_crashed(start: Start) -> None:
    system = start()
    results = system.dispatch.run([1], module="scribbles", function="closes_it_and_dies", on_error="skip", timeout=None)
    assert results[0].meta["error"].exit_code == 5
    assert counts(system).protocol_errors == {}


def test_an_idle_worker_that_writes_garbage_costs_no_batch(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    system, gates = start(), Gates(tmp_path)
    (before,) = pids(system)
    data = b"nobody is asking"
    stream = system.dispatch.stream(
        [(1, gates["a"], data)], module="scribbles", function="writes_later_on", ordering="as_completed"
    )
    assert [item.payload for item in stream] == [1]
    gates.open("a")
    eventually(lambda: pids(system) not in ([], [before]), SECONDS)
    assert works(system)
    seen = counts(system)
    assert (seen.protocol_errors, seen.kills, seen.deaths, seen.redelivered) == ({"magic": 1}, {"protocol": 1}, 1, 0)


# --- a stand-in, which frames its lies well


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ("text", "magic"),
        ("announces_4_gib", "too_large"),
        ("unknown_kind", "kind"),
        ("kind_of_a_host", "kind"),
        ("other_version", "version"),
        ("ready_again", "unexpected"),
        ("loaded", "unexpected"),
        ("never_asked", "unasked"),
        ("cancelled", "unasked"),
        ("cancelled_itself", "unasked"),
        ("half_and_closed", "closed"),
    ],
)
def test_what_is_no_answer_costs_its_batch_and_the_worker(liar: System, lie: str, reason: str) -> None:
    (before,) = pids(liar)
    results = liar.dispatch.run(
        [lie, 1, 2, 3], module="tasks", function="double", batch_size=1, on_error="skip", timeout=SECONDS
    )
    error = results[0].meta["error"]
    assert isinstance(error, ProtocolError)
    assert error.reason == reason
    assert [item.payload for item in results[1:]] == [2, 4, 6]
    wait_gone(before)
    seen = counts(liar)
    assert (seen.protocol_errors, seen.kills) == ({reason: 1}, {"protocol": 1})
    assert (seen.exits, seen.deaths) == ({"SIGKILL": 1}, 1)


def test_with_retry_batch_is_executed_again_by_another_worker(liar: System) -> None:
    stream = liar.dispatch.stream(["text"], module="tasks", function="double", on_error=Retry(3, backoff=0))
    with pytest.raises(DispatchError) as caught:
        list(stream)
    assert isinstance(caught.value.reason, ProtocolError)
    assert stream.statistics().retries == 2
    assert counts(liar).protocol_errors == {"magic": 3}


@pytest.mark.parametrize("lie", ["half_and_dead", "half_a_header_and_dead"])
def test_half_an_answer_and_then_death(liar: System, lie: str) -> None:
    results = liar.dispatch.run(
        [lie, 1], module="tasks", function="double", batch_size=1, on_error="skip", timeout=None
    )
    error = results[0].meta["error"]
    assert isinstance(error, WorkerCrashed)
    assert error.exit_code == 9
    assert results[1].payload == 2
    seen = counts(liar)
    assert (seen.protocol_errors, seen.kills, seen.exits) == ({}, {}, {"exit 9": 1})


def test_half_an_answer_and_then_silence(liar: System) -> None:
    results = liar.dispatch.run(["half_and_silent"], module="tasks", function="double", on_error="skip", timeout=0.5)
    assert isinstance(results[0].meta["error"], BatchTimeout)
    assert results[0].payload == "half_and_silent"
    assert works(liar)
    assert (counts(liar).kills, counts(liar).protocol_errors) == ({"timeout": 1}, {})


def test_an_announced_gib_that_does_not_come_costs_no_memory(liar: System, eventually: Callable[..., None]) -> None:
    """Just within max_frame. Only what has come takes memory."""
    assert works(liar)
    before = resident()

    def look() -> None:
        eventually(lambda: executor(liar).in_pipe == 1, SECONDS)
        (pid,) = pids(liar)
        eventually(lambda: "pipe_read" in where(pid) or "read" in where(pid), SECONDS)
        assert resident() - before < 64 * MB
        os.kill(pid, signal.SIGKILL)

    with beside(look):
        results = liar.dispatch.run(
            ["announces_1_gib_and_is_silent"], module="tasks", function="double", on_error="skip", timeout=None
        )
    assert isinstance(results[0].meta["error"], WorkerCrashed)
    assert works(liar)
    assert resident() - before < 64 * MB


def where(pid: int) -> str:
    """What the process waits in, as the kernel tells."""
    return Path(f"/proc/{pid}/wchan").read_text()


def test_an_answer_in_single_bytes_is_an_answer(liar: System) -> None:
    results = liar.dispatch.run(["in_single_bytes", 2], module="tasks", function="double", timeout=SECONDS)
    assert [item.payload for item in results] == ["in_single_bytes", 2]
    assert counts(liar).exits == {}


def test_what_was_answered_before_the_garbage_counts(liar: System) -> None:
    stream = liar.dispatch.stream(
        ["answer_and_garbage", 1], module="tasks", function="double", batch_size=1, on_error=Retry(2, backoff=0)
    )
    assert [item.payload for item in stream] == ["answer_and_garbage", 2]
    seen = counts(liar)
    assert seen.protocol_errors == {"magic": 1}
    assert sum(each.done for each in pool(liar).executors) == 2


@pytest.mark.parametrize("lie", ["failed_items_out_of_range", "failed_items_without_a_table", "failure_is_no_failure"])
def test_well_framed_nonsense_is_an_error_of_its_batch(liar: System, lie: str) -> None:
    results = liar.dispatch.run([lie, 1], module="tasks", function="double", batch_size=2, on_error="skip")
    assert [item.payload for item in results] == [lie, 1]
    for item in results:
        assert isinstance(item.meta["error"], ProtocolError)
    assert works(liar)


@pytest.mark.parametrize("lie", ["body_is_no_value", "body_is_no_list"])
def test_a_body_that_holds_no_results_is_an_error_of_its_batch(liar: System, lie: str) -> None:
    """Bodies are decoded where the results are wanted, so that it shows late; but it shows."""
    given = [lie, 1, 2, 3]
    results = liar.dispatch.run(given, module="tasks", function="double", batch_size=2, on_error="skip")
    assert [item.payload for item in results] == [lie, 1, 4, 6]
    assert all(isinstance(item.meta["error"], (ProtocolError, UnexpectedResponse)) for item in results[:2])
    with pytest.raises(DispatchError) as caught:
        liar.dispatch.run(given[:2], module="tasks", function="double", batch_size=2)
    assert caught.value.unfinished == [0, 1]
    assert caught.value.partial_results == []
    assert "(2 items, 0 to 1) failed" in str(caught.value)
    assert works(liar)


def test_other_runs_do_not_notice(start: Start, tmp_path: Path) -> None:
    system = start(2, python=stand_in(tmp_path, "liar"))

    def lie() -> None:
        for name in ("text", "announces_4_gib", "half_and_dead", "never_asked"):
            system.dispatch.run([name], module="tasks", function="double", on_error="skip", timeout=SECONDS)

    with beside(lie):
        for _ in range(20):
            stream = system.dispatch.stream(range(100), module="tasks", function="double", batch_size=5)
            assert [item.payload for item in stream] == [2 * n for n in range(100)]
            assert stream.statistics().retries == 0
    assert counts(system).deaths == 4


def test_batch_that_worker_cancels_by_itself_is_not_waited_for(liar: System) -> None:
    """The one behind it was in its pipe: it has an outcome all the same, from the next worker at the latest."""
    results = liar.dispatch.run(
        [*range(20), "answered_and_cancelled", *range(20)],
        module="tasks",
        function="double",
        batch_size=1,
        on_error="skip",
        timeout=None,
    )
    assert len(results) == 41
    assert [item.payload for item in results[:20]] == [2 * number for number in range(20)]
    assert works(liar)
    assert counts(liar).protocol_errors == {"unasked": 1}
