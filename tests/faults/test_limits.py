"""Workers that reach a limit of their pool: replaced between two batches, or an error for the batch alone."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.evil import EVIL, stand_in
from support.gates import SECONDS, Gates, wait_gone
from support.victims import Starts, beside, counts, counts_after, pids, pool, works
from support.worker import FUNCTIONS

from slither_actors import (
    Context,
    DispatchError,
    LoadError,
    PayloadError,
    PoolUnavailable,
    ProtocolError,
    Retry,
    SessionLost,
    System,
    WorkerError,
    WorkerRecycled,
)

pytestmark = pytest.mark.fault(10)

Start = Callable[..., System]
MB = 1 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept on Linux only")


# --- max_batches


@pytest.mark.parametrize(("lazy", "ordering"), [(True, "preserve"), (False, "as_completed")])
def test_workers_are_replaced_after_so_many_batches(
    start: Start, lazy: bool, ordering: str, eventually: Callable[..., None]
) -> None:
    system = start(2, max_batches=10, max_restarts=0)
    items = range(400)
    with Starts().watched() as starts:
        stream = system.dispatch.stream(
            (n for n in items) if lazy else items, module="tasks", function="pids", batch_size=4, ordering=ordering
        )
        results = list(stream)
        given_out = starts.all(100, eventually)
    assert Counter(item.id for item in results) == Counter(items)
    if ordering == "preserve":
        assert [item.id for item in results] == list(items)
    # Ten batches of four each, but for those that were at work at the end.
    executed = Counter(item.payload for item in results)
    assert max(executed.values()) == 40
    full = sum(n == 40 for n in executed.values())
    eventually(lambda: counts(system).exits == {"exit 0": full})  # those at the end may have just retired
    seen = counts(system)
    assert seen.recycled == {"max_batches": full}
    # What waited in the pipe of one that retired was given to another, as the same attempt.
    assert seen.redelivered == sum(times - 1 for times in given_out.values())
    assert max(attempt for _, attempt in given_out) == 1
    assert (seen.deaths, seen.kills, seen.restarts) == (0, {}, {})
    assert (stream.statistics().retries, stream.statistics().failed) == (0, 0)


def test_batches_in_a_retiring_workers_pipe_are_executed_once(
    start: Start, tmp_path: Path, sent_ahead: int, eventually: Callable[..., None]
) -> None:
    system, gates = start(1, max_batches=11), Gates(tmp_path)
    payloads: list[object] = list(range(20))
    payloads[10] = (10, gates["a"])  # the last one that it executes
    with Starts().watched() as starts:

        def go_on() -> None:
            gates.wait_begun("a")
            eventually(lambda: pool(system).executors[0].in_pipe == sent_ahead, SECONDS)
            gates.open("a")

        with beside(go_on):
            results = system.dispatch.run(payloads, module="tasks", function="through_gates", batch_size=1)
        given_out = starts.all(20, eventually)
    assert [item.payload for item in results] == list(range(20))
    seen = counts(system)
    # One more may have been sent when the answer had come and the retirement had not.
    assert seen.redelivered == sum(times - 1 for times in given_out.values())
    assert seen.redelivered in (sent_ahead - 1, sent_ahead)
    assert {attempt for _, attempt in given_out} == {1}
    assert (seen.recycled, seen.deaths, len(gates.begun("a"))) == ({"max_batches": 1}, 0, 1)


def test_one_batch_a_worker(start: Start) -> None:
    system = start(1, max_batches=1)
    results = system.dispatch.run(range(5), module="tasks", function="pids", batch_size=1)
    assert len({item.payload for item in results}) == 5
    assert counts(system).recycled["max_batches"] >= 4


def test_a_stop_that_comes_while_a_worker_retires_ends_in_time(start: Start, tmp_path: Path) -> None:
    system = start(1, max_batches=1, python=stand_in(tmp_path, "liar"), shutdown=0.6)
    (pid,) = pids(system)
    stream = system.dispatch.stream(["retires_and_never_ends"], module="tasks", function="double")
    assert [item.payload for item in stream] == ["retires_and_never_ends"]
    assert pool(system).executors[0].state == "retiring"
    assert system.stop()
    wait_gone(pid)
    seen = counts_after(system)
    assert (seen.recycled, seen.started, seen.exits) == ({"max_batches": 1}, 1, {"SIGTERM": 1})


def test_a_retiring_worker_that_never_ends_is_pushed(start: Start, tmp_path: Path) -> None:
    system = start(1, python=stand_in(tmp_path, "liar"), shutdown=0.6, max_restarts=0)
    results = system.dispatch.run(["retires_and_never_ends", 1, 2], module="tasks", function="double", batch_size=1)
    assert [item.payload for item in results] == ["retires_and_never_ends", 2, 4]
    seen = counts(system)
    assert (seen.recycled, seen.exits, seen.deaths) == ({"max_batches": 1}, {"SIGTERM": 1}, 0)


def test_workers_that_only_retire_are_no_endless_loop(start: Start, tmp_path: Path) -> None:
    system = start(1, python=stand_in(tmp_path, "liar"), max_restarts=3, max_seconds=600.0)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            ["retires_before_it_answers"], module="tasks", function="double", on_error=Retry(100, backoff=0)
        )
    assert isinstance(caught.value.reason, PoolUnavailable)
    seen = counts(system)
    assert (seen.protocol_errors, seen.recycled, seen.deaths) == ({"unexpected": 4}, {}, 4)


def test_a_retirement_for_nonsense_is_a_protocol_error(start: Start, tmp_path: Path) -> None:
    system = start(1, python=stand_in(tmp_path, "liar"))
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(["retires_for_nonsense"], module="tasks", function="double")
    assert isinstance(caught.value.reason, ProtocolError)
    assert works(system)
    seen = counts(system)
    assert (seen.protocol_errors, seen.kills, seen.recycled) == ({"body": 1}, {"protocol": 1}, {})
    assert seen.deaths == 1


def test_a_worker_killed_as_it_retires_costs_nothing(start: Start, tmp_path: Path) -> None:
    system = start(1, python=stand_in(tmp_path, "liar"), shutdown=60.0, max_restarts=0)
    (pid,) = pids(system)
    assert system.dispatch.run(["retires_and_never_ends"], module="tasks", function="double")
    assert pool(system).executors[0].state == "retiring"
    os.kill(pid, signal.SIGKILL)
    assert works(system)
    seen = counts(system)
    assert (seen.recycled, seen.exits, seen.deaths) == ({"max_batches": 1}, {"SIGKILL": 1}, 0)


def test_a_strict_session_is_lost_with_a_recycled_worker(start: Start) -> None:
    system = start(2, max_batches=3, affinity="strict")
    stream = system.dispatch.stream(
        range(8), module="tasks", function="counts", batch_size=1, on_error="skip", context=Context.new(session_id="s")
    )
    results = list(stream)
    lost = [item for item in results if "skipped" in item.meta]
    # Three batches, then the session is notified that what they had stored is gone; it is not sent that batch.
    assert [item.id for item in lost] == [3, 7]
    for item in lost:
        assert isinstance(item.meta["error"], SessionLost)
        assert isinstance(item.meta["error"].__cause__, WorkerRecycled)
        assert item.meta["error"].__cause__.reason == "max_batches"
    assert [item.payload for item in results if item not in lost] == [1, 2, 3, 1, 2, 3]
    assert counts(system).recycled == {"max_batches": 2}


# --- max_rss


def test_a_worker_that_leaks_is_replaced_before_it_is_too_large(start: Start) -> None:
    system = start(1, max_rss=150 * MB, max_restarts=0)
    results = system.dispatch.run([40 * MB] * 12, module="memory", function="keeps", batch_size=1)
    executed = Counter(item.payload for item in results)
    assert sum(executed.values()) == 12
    # The interpreter takes some 20 MB: with the fourth batch, or the third on a heavier system, there are too many.
    assert max(executed.values()) in (3, 4)
    seen = counts(system)
    assert seen.recycled["max_rss"] >= 2
    assert (seen.deaths, seen.kills) == (0, {})


def test_a_limit_below_the_interpreter_still_makes_progress(start: Start) -> None:
    system = start(1, max_rss=1 * MB)
    results = system.dispatch.run(range(5), module="tasks", function="pids", batch_size=1)
    assert len({item.payload for item in results}) == 5
    assert counts(system).recycled["max_rss"] >= 4


# --- memory_limit


@linux
def test_a_memory_limit_that_is_too_small_fails_the_start(make: Start) -> None:
    system = make(1, memory_limit=4 * MB)
    with pytest.raises(LoadError, match="memory_limit is 4194304 bytes, and the bare interpreter has taken"):
        system.start()


@linux
@pytest.mark.parametrize("function", ["takes", "fills"])
def test_over_the_memory_limit_a_batch_is_a_memory_error(start: Start, function: str) -> None:
    system = start(1, memory_limit=150 * MB)
    (before,) = pids(system)
    for _ in range(2):
        with pytest.raises(DispatchError) as caught:
            system.dispatch.run([1000 * MB], module="memory", function=function, on_error=Retry(2, backoff=0))
        reason = caught.value.reason
        assert isinstance(reason, WorkerError)
        assert reason.type == "MemoryError"
        assert f"in {function}" in reason.traceback
        assert works(system)
    seen = counts(system)
    assert (pids(system), seen.exits, seen.deaths, seen.kills) == ([before], {}, 0, {})


@linux
def test_an_item_over_the_memory_limit_is_found_by_split(start: Start) -> None:
    system = start(1, memory_limit=150 * MB)
    stream = system.dispatch.stream(
        [1000 * MB if n == 5 else 1 for n in range(16)],
        module="memory",
        function="takes",
        batch_size=16,
        on_error=Retry(2, split=True, then="skip", backoff=0),
    )
    results = list(stream)
    assert [item.id for item in results if "skipped" in item.meta] == [5]
    assert counts(system).exits == {}


@linux
@pytest.mark.parametrize("position", [0, 10], ids=["first", "behind others"])
def test_a_batch_that_the_worker_cannot_even_read_fails_alone(start: Start, sent_ahead: int, position: int) -> None:
    """Behind others it is read while they wait to be executed; they are not what is too large."""
    system = start(1, memory_limit=150 * MB)
    payloads = [b"x" * (200 * MB if n == position else 10) for n in range(20)]
    results = system.dispatch.run(payloads, module="memory", function="lengths", batch_size=1, on_error="skip")
    assert [item.id for item in results if "skipped" in item.meta] == [position]
    error = results[position].meta["error"]
    assert isinstance(error, WorkerError)
    assert (error.type, error.kind) == ("MemoryError", "decode")
    assert "use smaller batches" in error.message
    assert [item.payload for item in results if item.id != position] == [10] * 19
    seen = counts(system)
    assert (seen.exits, seen.deaths) == ({}, 0)


@linux
def test_a_leak_under_a_memory_limit_ends_the_worker_at_last(start: Start) -> None:
    system = start(1, memory_limit=150 * MB, max_restarts=None)
    results = system.dispatch.run(
        [30 * MB] * 12, module="memory", function="keeps", batch_size=1, on_error=Retry(5, then="skip", backoff=0)
    )
    # Whatever is over the limit is an error of its batch; nothing waits for a worker that has no memory left.
    assert len(results) == 12
    assert any("skipped" not in item.meta for item in results)
    for item in results:
        if "skipped" in item.meta:
            assert isinstance(item.meta["error"], WorkerError)
            assert item.meta["error"].type == "MemoryError"


@linux
def test_memory_limit_and_largest_size_replace_the_worker(start: Start) -> None:
    system = start(1, memory_limit=400 * MB, max_rss=150 * MB)
    results = system.dispatch.run([60 * MB] * 10, module="memory", function="keeps", batch_size=1)
    assert len(results) == 10
    assert set(counts(system).recycled) == {"max_rss"}


# --- max_frame


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
def test_a_request_beyond_max_frame_fails_and_is_never_sent(start: Start, lazy: bool) -> None:
    system = start(1, max_frame=100_000)
    payloads = [b"x" * 60_000, b"y" * 200_000, b"z" * 60_000]
    stream = system.dispatch.stream(
        (each for each in payloads) if lazy else payloads,
        module="memory",
        function="lengths",
        batch_size=1,
        on_error="skip",
    )
    first, second, third = stream
    assert (first.payload, third.payload) == (60_000, 60_000)
    error = second.meta["error"]
    assert isinstance(error, PayloadError)
    assert error.item_id == 1
    assert "max_frame is 100000" in error.reason
    assert second.payload == payloads[1]
    seen = counts(system)
    assert (seen.exits, seen.protocol_errors) == ({}, {})
    assert sum(each.done for each in pool(system).executors) == 2


def test_with_halt_it_ends_run_and_another_attempt_is_not_made(start: Start) -> None:
    system = start(1, max_frame=100_000)
    stream = system.dispatch.stream(
        [b"x", b"y" * 200_000, b"z"], module="memory", function="lengths", batch_size=3, on_error=Retry(5, backoff=0)
    )
    with pytest.raises(DispatchError) as caught:
        list(stream)
    assert isinstance(caught.value.reason, PayloadError)
    assert caught.value.reason.item_id == 1
    assert "give the pool a larger one" in str(caught.value.reason)
    assert stream.statistics().retries == 0
    assert works(system)


def test_with_split_a_batch_that_is_too_large_is_halved(start: Start) -> None:
    system = start(1, max_frame=100_000)
    stream = system.dispatch.stream(
        [b"x" * 40_000] * 7 + [b"y" * 200_000],
        module="memory",
        function="lengths",
        batch_size=8,
        on_error=Retry(3, split=True, then="skip"),
    )
    results = list(stream)
    assert [item.payload for item in results[:7]] == [40_000] * 7
    assert isinstance(results[7].meta["error"], PayloadError)
    # The large one alone, which is final at once. Of the others 7, then 3 and 4.
    assert (stream.statistics().retries, stream.statistics().failed) == (3, 1 + 7 + 3 + 4)
    assert counts(system).exits == {}


def test_a_reply_beyond_max_frame_is_an_error_of_its_batch_too(start: Start) -> None:
    system = start(1, max_frame=100_000)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([200_000], module="memory", function="makes")
    reason = caught.value.reason
    assert isinstance(reason, WorkerError)
    assert reason.kind == "encode"
    assert "max_frame is 100000" in reason.message
    assert works(system)
    assert counts(system).exits == {}


def test_limits_of_one_pool_are_not_those_of_another() -> None:
    path = [FUNCTIONS, EVIL]
    specs = {"limited": {"size": 1, "max_batches": 1, "path": path}, "default": {"size": 1, "path": path}}
    with System(specs, name="faults") as system:
        for name in specs:
            system.dispatch.run(range(4), module="tasks", function="pids", batch_size=1, pool=name)
        recycled = {name: each.counts.recycled for name, each in system.statistics().pools.items()}
    assert recycled["default"] == {}
    assert recycled["limited"]["max_batches"] >= 3
