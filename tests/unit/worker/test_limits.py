"""What a worker may use: batches, resident memory, address space. Each test runs a real worker process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import pytest
from support.evil import EVIL
from support.replies import reply_results
from support.worker import WorkerProcess, failure, hello_of, results

from slither_actors.wire import frames
from slither_actors.wire.frames import Frame
from slither_actors.wire.messages import Load, Ready, reply_failures, retire_reason
from slither_actors.worker.limits import MAX_BATCHES, MAX_RSS, Limits, address_space

MB = 1 << 20
LINUX = sys.platform == "linux"
linux = pytest.mark.skipif(not LINUX, reason="RLIMIT_AS is kept on Linux only")


def limited(**limits: int) -> WorkerProcess:
    return WorkerProcess(hello_of(path=[str(EVIL)], **limits))


def retires(worker: WorkerProcess, reason: str) -> None:
    """It says so, says nothing more, and ends by itself."""
    frame = worker.receive()
    assert frame.kind == frames.RETIRE
    assert retire_reason(frame) == reason
    with pytest.raises(EOFError):
        worker.receive()
    assert worker.ended() == 0


def memory_error(frame: Frame) -> str:
    found = failure(frame, "user")
    assert found.type == "MemoryError"
    return found.traceback


# --- batches


def test_after_so_many_batches_it_retires_and_leaves_the_rest() -> None:
    with limited(max_batches=3) as worker:
        worker.ready()
        worker.load(1, "lengths", module="memory")
        ids = [worker.request(1, ["x" * n]) for n in range(5)]
        came = [worker.receive() for _ in range(3)]
        assert [frame.request_id for frame in came] == ids[:3]
        retires(worker, MAX_BATCHES)


def test_batches_that_fail_count_and_loads_do_not() -> None:
    with limited(max_batches=2) as worker:
        worker.ready()
        for target in range(5):
            assert worker.load(target, "lengths", module="memory").kind == frames.LOADED
        worker.request(1, [1])
        failure(worker.receive(), "user")
        worker.request(99, [1])
        failure(worker.receive(), "load")
        retires(worker, MAX_BATCHES)


def test_a_cancelled_batch_was_not_executed_and_does_not_count() -> None:
    with limited(max_batches=2) as worker:
        worker.ready()
        # All in one write, so that the cancel has come before its batch could begin.
        calls: list[bytes] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "send", calls.append)
            worker.send(frames.pack_frame(frames.LOAD, 100, Load(1, "memory", "lengths").to_body()))
            first, second, third = (worker.request(1, ["x"]) for _ in range(3))
            worker.send(frames.pack_frame(frames.CANCEL, second))
        worker.send(b"".join(calls))
        told = {frame.request_id: frame.kind for frame in (worker.receive() for _ in range(4))}
        assert told == {
            100: frames.LOADED,
            first: frames.REPLY,
            second: frames.CANCELLED,
            third: frames.REPLY,
        }
        retires(worker, MAX_BATCHES)


def test_an_adapter_of_a_worker_that_retires_is_terminated(tmp_path: object) -> None:
    marker = f"{tmp_path}/terminated"
    with WorkerProcess(hello_of(adapter="functions:Scorer", init={"marker": marker}, max_batches=1)) as worker:
        worker.ready()
        worker.request("score", {"items": [1]})
        assert results(worker.receive()) == [1]
        retires(worker, MAX_BATCHES)
    open(marker).close()


# --- resident memory


def test_one_that_has_grown_too_large_retires_after_its_batch() -> None:
    with limited(max_rss=150 * MB) as worker:
        worker.ready()
        worker.load(1, "keeps", module="memory")
        for _ in range(2):
            worker.request(1, [10 * MB])
            assert worker.receive().kind == frames.REPLY
        worker.request(1, [150 * MB])
        assert worker.receive().kind == frames.REPLY
        retires(worker, MAX_RSS)


@pytest.mark.skipif(not LINUX, reason="elsewhere the largest size counts")
def test_neither_what_a_batch_gave_back_nor_its_request_counts() -> None:
    with limited(max_rss=150 * MB) as worker:
        worker.ready()
        worker.load(1, "takes", module="memory")
        worker.load(2, "lengths", module="memory")
        for _ in range(2):
            worker.request(1, [300 * MB])
            assert results(worker.receive()) == [300 * MB]
            worker.request(2, [b"x" * (200 * MB)])
            assert results(worker.receive()) == [200 * MB]


def test_a_limit_below_bare_interpreter_is_one_batch_a_worker() -> None:
    with limited(max_rss=1) as worker:
        worker.ready()
        worker.load(1, "lengths", module="memory")
        worker.request(1, ["abc"])
        assert results(worker.receive()) == [3]
        retires(worker, MAX_RSS)


@pytest.fixture
def limits() -> Iterator[Callable[..., Limits]]:
    """Makes Limits of this process. One with max_rss has a descriptor for as long as its process lives."""
    made: list[Limits] = []

    def make(**values: int) -> Limits:
        made.append(Limits(**values))
        return made[-1]

    yield make
    for each in made:
        if each._statm >= 0:
            os.close(each._statm)


def test_the_limits_say_so_once_they_are_reached(limits: Callable[..., Limits]) -> None:
    three = limits(max_batches=3)
    assert [three.after_batch() for _ in range(4)] == [None, None, MAX_BATCHES, MAX_BATCHES]
    assert limits(max_rss=1).after_batch() == MAX_RSS
    assert limits(max_rss=1 << 50).after_batch() is None
    assert limits(max_batches=5, max_rss=1).after_batch() == MAX_RSS
    assert 5 * MB < limits(max_rss=1).resident() < 1 << 40


# --- address space


@linux
@pytest.mark.parametrize("size", [1, 8 * MB])
def test_a_memory_limit_that_is_too_small_is_a_failed_start(size: int) -> None:
    with limited(memory_limit=size) as worker:
        found = failure(worker.receive(), "start")
        assert found.type == "ValueError"
        assert f"memory_limit is {size} bytes, and the bare interpreter has taken" in found.message
        assert worker.ended() == 1


@linux
def test_a_memory_limit_too_low_to_get_ready_is_named() -> None:
    with WorkerProcess(hello_of(path=[str(EVIL)], preload=["hungry_import"], memory_limit=100 * MB)) as worker:
        found = failure(worker.receive(), "start")
        assert found.type == "MemoryError"
        assert found.message == f"memory_limit, {100 * MB} bytes, is not enough to get ready"
        assert "hungry_import" in found.traceback
        assert worker.ended() == 1


@linux
@pytest.mark.parametrize(("function", "payload"), [("takes", 1000 * MB), ("fills", 1)])
def test_over_the_memory_limit_a_batch_is_a_memory_error(function: str, payload: int) -> None:
    with limited(memory_limit=150 * MB) as worker:
        worker.ready()
        worker.load(1, function, module="memory")
        worker.load(2, "lengths", module="memory")
        for _ in range(2):
            worker.request(1, [payload])
            assert f"in {function}" in memory_error(worker.receive())
            worker.request(2, ["abc"])
            assert results(worker.receive()) == [3]


@linux
def test_an_item_that_takes_all_memory_fails_alone() -> None:
    with limited(memory_limit=150 * MB) as worker:
        worker.ready()
        worker.load(1, "fills_on_negative", module="memory", each=True)
        worker.request(1, [1, -1, 2, -1, 3])
        frame = worker.receive()
        assert frame.kind == frames.REPLY
        assert reply_results(frame)[0] == [1, 2, 3]
        assert [(index, one.type) for index, one in reply_failures(frame)] == [(1, "MemoryError"), (3, "MemoryError")]


@linux
@pytest.mark.parametrize("size", [200 * MB, 80 * MB])
def test_a_request_too_large_for_the_memory_limit_fails_alone(size: int) -> None:
    """Too large to be held at all, and too large to be held twice, as bytes and as values."""
    with limited(memory_limit=150 * MB) as worker:
        worker.ready()
        worker.load(1, "lengths", module="memory")
        first = worker.request(1, ["ab"])
        too_large = worker.request(1, [b"x" * size])
        last = worker.request(1, ["abc"])
        came = [worker.receive() for _ in range(3)]
        assert [frame.request_id for frame in came] == [first, too_large, last]
        assert results(came[0]) == [2]
        found = failure(came[1], "decode")
        assert "MemoryError" in found.type + found.message
        assert results(came[2]) == [3]


@linux
def test_results_beyond_the_memory_limit_fail_their_batch() -> None:
    with limited(memory_limit=150 * MB) as worker:
        worker.ready()
        worker.load(1, "makes", module="memory")
        worker.request(1, [90 * MB])
        found = failure(worker.receive(), "encode")
        assert "MemoryError" in found.message
        worker.request(1, [3])
        assert results(worker.receive()) == ["xxx"]


@linux
def test_resident_memory_is_at_most_the_address_space(limits: Callable[..., Limits]) -> None:
    assert address_space() > limits(max_rss=1).resident()


def test_a_worker_without_limits_never_retires() -> None:
    with limited() as worker:
        Ready.from_body(worker.ready().body)
        worker.load(1, "lengths", module="memory")
        ids = [worker.request(1, ["x"]) for _ in range(300)]
        assert [worker.receive().request_id for _ in ids] == ids
