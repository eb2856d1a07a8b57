"""A worker process that executes several batches at a time, as a host drives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gates import Gates
from support.worker import WorkerProcess, failure, hello_of, results

from slither_actors.wire import frames as wire
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import Frame, pack_frame
from slither_actors.wire.messages import reply_failures, retire_awaits, retire_reason
from slither_actors.worker import concurrent_execution, concurrent_loop, shared_channel

WHAT_IS_TESTED = (concurrent_execution, concurrent_loop, shared_channel)
"""In the worker's process."""

both = pytest.mark.parametrize("waits", ["waits", "waits_on_threads"])


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess(hello_of(concurrency=3)) as process:
        process.ready()
        yield process


def load(worker: WorkerProcess, target: int, function: str, *, each: bool = False) -> None:
    assert worker.load(target, function, module="several", each=each).kind == wire.LOADED


def answers(worker: WorkerProcess, count: int) -> dict[int, Frame]:
    """So many answers, by request id."""
    return {frame.request_id: frame for frame in (worker.receive() for _ in range(count))}


@pytest.mark.parametrize("function", ["meet", "meet_on_threads"])
def test_as_many_as_there_are_places_are_executed(worker: WorkerProcess, function: str) -> None:
    load(worker, 1, function)
    ids = [worker.request(1, ["a 3"]) for _ in range(7)]
    came = answers(worker, 7)
    assert [results(came[request_id]) for request_id in ids] == [[3]] * 7


def test_both_kinds_share_the_places(worker: WorkerProcess) -> None:
    load(worker, 1, "meet")
    load(worker, 2, "meet_on_threads")
    ids = [worker.request(1 + number % 2, ["a 3"]) for number in range(3)]
    assert sorted(answers(worker, 3)) == ids


@both
def test_answers_come_as_they_are_ready(worker: WorkerProcess, gates: Gates, waits: str) -> None:
    load(worker, 1, waits)
    ids = [worker.request(1, [gates[number]]) for number in range(5)]
    for number in range(3):
        gates.wait_begun(number)
    assert gates.begun(3) == []
    gates.open(1)
    assert worker.receive().request_id == ids[1]
    gates.wait_begun(3)  # they begin in their order
    gates.open(3, 0, 2, 4)
    assert sorted(answers(worker, 4)) == [ids[0], *ids[2:]]


@both
def test_what_waits_is_cancelled_and_what_has_begun_is_not(worker: WorkerProcess, gates: Gates, waits: str) -> None:
    load(worker, 1, waits)
    ids = [worker.request(1, [gates[0]]) for _ in range(4)]
    gates.wait_begun(0, times=3)
    for request_id in (ids[3], ids[0]):
        worker.send(pack_frame(wire.CANCEL, request_id))
    frame = worker.receive()
    assert (frame.kind, frame.request_id) == (wire.CANCELLED, ids[3])
    gates.open(0)
    assert {frame.kind for frame in answers(worker, 3).values()} == {wire.REPLY}


@both
def test_a_batch_of_which_it_is_told_is_alone(worker: WorkerProcess, gates: Gates, waits: str) -> None:
    load(worker, 1, waits)
    before = worker.request(1, [gates[0]])
    worker.send(pack_frame(wire.ALONE, 50))
    alone = worker.request(1, [gates[1]], request_id=50)
    after = [worker.request(1, [gates[2]]) for _ in range(2)]
    gates.wait_begun(0)
    gates.open(0)
    assert worker.receive().request_id == before
    gates.wait_begun(1)
    assert gates.begun(2) == []
    gates.open(1)
    assert worker.receive().request_id == alone
    gates.wait_begun(2, times=2)
    gates.open(2)
    assert sorted(answers(worker, 2)) == after


def test_a_cancelled_one_holds_up_nothing(worker: WorkerProcess, gates: Gates) -> None:
    load(worker, 1, "waits")
    first = worker.request(1, [gates[0]])
    gates.wait_begun(0)
    worker.send(pack_frame(wire.ALONE, 50))
    worker.request(1, [gates[1]], request_id=50)
    worker.send(pack_frame(wire.CANCEL, 50))
    assert (worker.receive().kind, gates.begun(1)) == (wire.CANCELLED, [])
    second = worker.request(1, [gates[2]])
    gates.wait_begun(2)  # beside the first one
    gates.open(0, 2)
    assert sorted(answers(worker, 2)) == [first, second]


def test_item_by_item_what_has_begun_is_cancelled(worker: WorkerProcess, gates: Gates) -> None:
    load(worker, 1, "wait_for", each=True)
    request_id = worker.request(1, [gates[0], gates[1]])
    gates.wait_begun(0)
    worker.send(pack_frame(wire.CANCEL, request_id))
    load(worker, 2, "one")  # what comes behind the cancel has been read
    gates.open(0)
    assert worker.receive().kind == wire.CANCELLED
    assert gates.begun(1) == []


def test_items_fail_alone_in_an_async_function(worker: WorkerProcess) -> None:
    load(worker, 1, "one", each=True)
    worker.request(1, [1, -2, 3])
    frame = worker.receive()
    ((index, failed),) = reply_failures(frame)
    assert (frame.count, index, failed.type) == (2, 1, "ValueError")
    assert "for_workers/several.py" in failed.traceback


def test_what_a_call_cannot_be_is_its_failure(worker: WorkerProcess) -> None:
    load(worker, 1, "nothing")
    worker.request(1, [1])
    assert "expected a list of results" in failure(worker.receive(), "unexpected").message
    worker.request(9, [1])
    assert "no function is loaded" in failure(worker.receive(), "load").message
    worker.request("score", {"items": [1]})
    assert "there is no command" in failure(worker.receive(), "load").message
    worker.send(pack_frame(wire.CALL, 99, b"\xc1", side=encode([1, None]), count=1))
    failure(worker.receive(), "decode")
    load(worker, 1, "unsendable")
    worker.request(1, [1])
    assert "cannot be sent" in failure(worker.receive(), "encode").message


@pytest.mark.parametrize("function", ["exits_awaited", "exits_by_system_exit"])
def test_an_exit_is_that_of_the_worker(worker: WorkerProcess, gates: Gates, function: str) -> None:
    load(worker, 1, "waits")
    load(worker, 2, "waits_on_threads")
    load(worker, 3, function)
    worker.request(1, [gates[0]])
    worker.request(2, [gates[0]])
    gates.wait_begun(0, times=2)
    worker.request(3, [1])
    assert worker.ended() == 7


@pytest.mark.parametrize("function", ["forks", "forks_awaited"])
@pytest.mark.parametrize("each", [False, True])
def test_a_forked_child_that_comes_back_ends(worker: WorkerProcess, function: str, each: bool) -> None:
    load(worker, 1, function, each=each)
    load(worker, 2, "one", each=True)
    worker.request(1, [1])
    assert results(worker.receive()) == [1]
    worker.request(2, [5])
    assert results(worker.receive()) == [5]


def test_an_adapter_with_commands_of_both_kinds() -> None:
    with WorkerProcess(hello_of(concurrency=2, adapter="several:Meeting", init={"start": 5})) as worker:
        worker.ready()
        ids = [
            worker.request("awaited", {"items": [1]}, session="a"),
            worker.request("plain", {"items": [1]}, session="b"),
        ]
        came = answers(worker, 2)
        assert [results(came[request_id]) for request_id in ids] == [[(5, "a")], [(5, "b")]]
        worker.request("wrong", {"items": [1]})
        assert '"items"' in failure(worker.receive(), "unexpected").message
        worker.send(pack_frame(wire.STOP, 0))
        assert worker.ended() == 0
        assert "terminated in order" in worker.stderr


def test_calls_of_one_session_share_its_store(worker: WorkerProcess) -> None:
    load(worker, 1, "remember")
    for number in (1, 2):
        worker.request(1, [number], session="s")
    came = sorted((results(frame)[0] for frame in answers(worker, 2).values()), key=len)
    assert came[1] in ([1, 2], [2, 1])
    worker.send(pack_frame(wire.FORGET, 0, encode("s")))
    load(worker, 2, "seen")
    worker.request(2, [0], session="s")
    assert results(worker.receive()) == [{}]


# --- the end


@both
def test_a_stop_waits_for_what_is_executed(worker: WorkerProcess, gates: Gates, waits: str) -> None:
    load(worker, 1, waits)
    ids = [worker.request(1, [gates[0]]) for _ in range(3)]
    gates.wait_begun(0, times=3)
    worker.send(pack_frame(wire.STOP, 0))
    gates.open(0)
    assert sorted(answers(worker, 3)) == ids
    with pytest.raises(EOFError):
        worker.receive()
    assert worker.ended() == 0


@pytest.mark.parametrize("function", ["wait_for", "wait_for_on_threads"])
def test_a_stop_takes_effect_between_two_items(worker: WorkerProcess, gates: Gates, function: str) -> None:
    load(worker, 1, function, each=True)
    worker.request(1, [gates[0], gates[1]])
    gates.wait_begun(0)
    worker.send(pack_frame(wire.STOP, 0))
    gates.open(0)
    with pytest.raises(EOFError):
        worker.receive()
    assert worker.ended() == 0
    assert gates.begun(1) == []


def test_one_with_nothing_to_do_stops_at_once(worker: WorkerProcess) -> None:
    worker.send(pack_frame(wire.STOP, 0))
    assert worker.ended() == 0


def test_a_host_that_is_gone_ends_it(worker: WorkerProcess, gates: Gates) -> None:
    load(worker, 1, "waits_on_threads")
    worker.request(1, [gates[0]])
    gates.wait_begun(0)
    worker.close_requests()
    assert worker.ended() == 0


def test_a_frame_out_of_place_ends_it(worker: WorkerProcess) -> None:
    worker.send(pack_frame(wire.HELLO, 0, hello_of().to_body()))
    assert worker.ended() == 1
    assert "a hello frame came to a worker that is ready" in worker.stderr


@both
def test_at_its_limit_it_says_what_it_will_still_answer(gates: Gates, waits: str) -> None:
    with WorkerProcess(hello_of(concurrency=3, max_batches=2)) as worker:
        worker.ready()
        load(worker, 1, waits)
        ids = [worker.request(1, [gates[0]]) for _ in range(4)]
        retire = worker.receive()
        assert (retire.kind, retire_reason(retire)) == (wire.RETIRE, "max_batches")
        assert retire_awaits(retire) == frozenset(ids[:2])
        gates.open(0)
        assert sorted(answers(worker, 2)) == ids[:2]
        assert worker.ended() == 0


def test_one_that_has_grown_too_large_retires() -> None:
    with WorkerProcess(hello_of(concurrency=3, max_rss=1)) as worker:
        worker.ready()
        load(worker, 1, "one", each=True)
        worker.request(1, [1])
        assert worker.receive().kind == wire.REPLY
        retire = worker.receive()
        assert (retire_reason(retire), retire_awaits(retire)) == ("max_rss", frozenset())
        assert worker.ended() == 0


def test_a_function_that_closes_the_pipes_ends_it(worker: WorkerProcess) -> None:
    load(worker, 1, "closes")
    worker.request(1, [os.getpid()])
    with pytest.raises(EOFError):
        worker.receive()
    assert worker.ended() == 121
