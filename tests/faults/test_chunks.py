"""Streams whose worker dies, hangs or does not end, and streams whose reader stalls."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.chunks import Notes, stream_one
from support.gates import wait_gone
from support.victims import counts, kill_and_wait, pids, works

from slither_actors import (
    BatchTimeout,
    DispatchError,
    ReaderTimeout,
    Retry,
    StreamBroken,
    System,
    WorkerCrashed,
)

Start = Callable[..., System]


# --- death


@pytest.mark.fault(4)
def test_a_death_in_mid_stream_is_an_error_with_the_count(start: Start) -> None:
    system = start()
    got: list[Any] = []
    with pytest.raises(StreamBroken, match="broke after 3 chunks: WorkerCrashed") as caught:
        got.extend(stream_one(system, 3, function="dies_after", on_error=Retry(5, backoff=0)))
    assert (got, caught.value.delivered) == ([0, 1, 2], 3)
    assert isinstance(caught.value.reason, WorkerCrashed)
    assert caught.value.reason.signal == signal.SIGKILL
    assert works(system)
    assert counts(system).redelivered == 0


@pytest.mark.fault(4)
def test_a_death_before_the_first_chunk_is_retried(start: Start, tmp_path: Path) -> None:
    system = start()
    stream = stream_one(system, (str(tmp_path / "once"), 4), function="dies_once", on_error=Retry(2, backoff=0))
    assert list(stream) == [0, 1, 2, 3]
    assert counts(system).deaths == 1


@pytest.mark.fault(4)
def test_without_a_retry_such_a_death_is_the_error(start: Start) -> None:
    system = start()
    with pytest.raises(DispatchError) as caught:
        list(stream_one(system, 0, function="dies_after"))
    assert not isinstance(caught.value, StreamBroken)
    assert isinstance(caught.value.reason, WorkerCrashed)
    assert works(system)


@pytest.mark.fault(5)
def test_a_worker_killed_while_it_waits_for_its_reader(start: Start, tmp_path: Path) -> None:
    system, notes = start(), Notes(tmp_path)
    stream = stream_one(system, (str(notes.path), 10**9), function="noted", max_ahead=2)
    assert next(stream) == 0
    (pid,) = pids(system)
    kill_and_wait(pid)
    with pytest.raises(StreamBroken) as caught:
        list(stream)
    assert isinstance(caught.value.reason, WorkerCrashed)
    assert 1 <= caught.value.delivered == stream.delivered <= 3
    assert works(system)


@pytest.mark.fault(5)
def test_a_worker_killed_after_its_reader_left_costs_nothing(start: Start) -> None:
    system = start()
    stream = stream_one(system, 1, function="hangs_at_the_end", timeout=None)
    (pid,) = pids(system)
    next(stream)
    stream.close()
    kill_and_wait(pid)
    assert works(system)


# --- time


@pytest.mark.fault(6)
def test_a_chunk_that_does_not_come_in_time_kills_the_worker(start: Start) -> None:
    system = start()
    (pid,) = pids(system)
    text = r"the next chunk of a stream was not there within its timeout of 0.5 s \(3 chunks had come\); the worker was"
    with pytest.raises(StreamBroken, match=text) as caught:
        list(stream_one(system, 3, function="hangs_after", timeout=0.5, on_error=Retry(3)))
    assert caught.value.delivered == 3
    assert isinstance(caught.value.reason, BatchTimeout)
    assert "hangs_after" in caught.value.reason.stack
    wait_gone(pid)
    assert works(system)
    assert (counts(system).kills, counts(system).deaths) == ({"timeout": 1}, 0)


@pytest.mark.fault(6)
def test_the_first_chunk_has_the_timeout_too_and_is_retried(start: Start) -> None:
    system = start()
    with pytest.raises(DispatchError, match="0 chunks had come") as caught:
        list(stream_one(system, 0, function="hangs_after", timeout=0.3, on_error=Retry(2, backoff=0)))
    assert not isinstance(caught.value, StreamBroken)
    assert counts(system).kills == {"timeout": 2}
    assert works(system)


@pytest.mark.fault(6)
def test_batch_timeout_bounds_the_whole_stream(start: Start) -> None:
    system = start()
    with pytest.raises(StreamBroken, match="not done, without the time that it waited for its reader") as caught:
        list(stream_one(system, (0.05, 1000), function="naps", batch_timeout=0.6))
    assert isinstance(caught.value.reason, BatchTimeout)
    assert caught.value.reason.option == "batch_timeout"
    assert works(system)


# --- the end


@pytest.mark.fault(6)
def test_a_function_that_does_not_end_in_time_is_killed(start: Start) -> None:
    system = start()
    (pid,) = pids(system)
    for _ in stream_one(system, 1, function="hangs_at_the_end", timeout=0.5):
        break
    wait_gone(pid)
    assert works(system)
    assert counts(system).kills == {"timeout": 1}


@pytest.mark.fault(6)
def test_a_function_that_hangs_before_its_next_yield_is_killed(start: Start) -> None:
    system = start()
    (pid,) = pids(system)
    stream = stream_one(system, 1, function="hangs_after", timeout=0.5)
    assert next(stream) == 0
    stream.close()
    wait_gone(pid)
    assert works(system)


@pytest.mark.fault(6)
def test_a_generator_that_ignores_its_end_costs_no_worker(start: Start) -> None:
    system = start()
    before = pids(system)
    for number in stream_one(system, 1, function="swallows"):
        if number == 100:
            break
    assert works(system)
    assert pids(system) == before


# --- readers


@pytest.mark.fault(28)
def test_a_reader_that_stalls_loses_its_stream(start: Start, tmp_path: Path, eventually: Callable[..., None]) -> None:
    system, notes = start(), Notes(tmp_path)
    before = pids(system)
    stream = stream_one(system, (str(notes.path), 10**9), function="noted", max_ahead=4, reader_timeout=0.3)
    assert next(stream) == 0
    eventually(lambda: notes.ended == "closed")
    assert works(system)
    assert pids(system) == before
    got: list[Any] = []
    with pytest.raises(StreamBroken, match=r"the reader took no chunk for 0\.3 s") as caught:
        got.extend(stream)
    assert got == [1, 2, 3]  # what had come is handed out first
    assert caught.value.delivered == 4
    assert isinstance(caught.value.reason, ReaderTimeout)
    assert caught.value.reason.timeout == 0.3


@pytest.mark.fault(28)
def test_a_finished_stream_waits_for_its_reader_without_end(start: Start) -> None:
    system = start()
    stream = stream_one(system, 3, function="count", reader_timeout=0.1)
    assert next(stream) == 0
    list(stream_one(system, (0.1, 5), function="naps"))
    assert list(stream) == [1, 2]


@pytest.mark.fault(28)
def test_a_stopped_worker_process_is_no_stalled_reader(start: Start) -> None:
    system = start()
    stream = stream_one(system, 10**9, function="count", max_ahead=2, reader_timeout=60.0, timeout=0.4)
    assert next(stream) == 0
    (pid,) = pids(system)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(StreamBroken) as caught:
        list(stream)
    assert isinstance(caught.value.reason, BatchTimeout)
    assert works(system)
