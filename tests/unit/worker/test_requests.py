"""What a worker does with requests; each test runs a real worker process over pipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.replies import reply_results
from support.worker import WorkerProcess, failure, hello_of, results

from slither_actors.wire import frames
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import pack_frame
from slither_actors.wire.messages import MAX_MESSAGE, MAX_TRACEBACK, reply_failures


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as process:
        process.ready()
        yield process


@pytest.fixture
def scorer(tmp_path: Path) -> Iterator[WorkerProcess]:
    init = {"factor": 3, "marker": str(tmp_path / "terminated")}
    with WorkerProcess(hello_of(adapter="functions:Scorer", init=init)) as process:
        process.ready()
        yield process


def test_a_call_gives_the_results_in_order(worker: WorkerProcess) -> None:
    frame = worker.call("double", [1, 2, 3])
    assert results(frame) == [2, 4, 6]
    assert frame.count == 3


def test_requests_in_the_pipe_are_answered_in_their_order(worker: WorkerProcess) -> None:
    worker.load(1, "double")
    ids = [worker.request(1, [n]) for n in range(50)]
    came = [worker.receive() for _ in ids]
    assert [frame.request_id for frame in came] == ids
    assert [results(frame) for frame in came] == [[2 * n] for n in range(50)]


def test_types_survive_both_ways(worker: WorkerProcess) -> None:
    value = [(1, 2), {3}, b"x", 2**70, 1j, None, {"a": (1,)}]
    back = results(worker.call("echo", value))
    assert back == value
    assert [type(item) for item in back] == [type(item) for item in value]
    assert results(worker.call("types", value)) == [type(item).__name__ for item in value]


@pytest.mark.parametrize("function", ["as_tuple", "as_generator"])
def test_a_tuple_or_a_generator_of_results_will_do(worker: WorkerProcess, function: str) -> None:
    assert results(worker.call(function, [1, 2])) == [1, 2]


@pytest.mark.parametrize(
    ("function", "named"), [("as_none", "NoneType"), ("as_text", "str"), ("as_coroutine", "coroutine")]
)
def test_something_else_than_results_is_named(worker: WorkerProcess, function: str, named: str) -> None:
    assert named in failure(worker.call(function, [1]), "unexpected").message
    assert results(worker.call("double", [1])) == [2]


def test_large_payloads_and_arrays_go_both_ways(worker: WorkerProcess) -> None:
    big = b"x" * 3_000_000
    assert results(worker.call("echo", [big, big])) == [big, big]
    array = np.arange(200_000, dtype=float)
    changed, zeros, scalar = results(worker.call("zeros", [array]))
    array[0] = 5.0
    assert (changed == array).all()
    assert zeros.shape == (3, 100_000)
    assert scalar == 1.5
    assert type(scalar) is np.float32


def test_a_static_method_can_be_loaded_by_its_dotted_name(worker: WorkerProcess) -> None:
    assert results(worker.call("Holder.triple", [1])) == [3]


def test_an_exception_has_the_users_part_of_the_traceback(worker: WorkerProcess) -> None:
    found = failure(worker.call("raises", [1]), "user")
    assert (found.type, found.message) == ("LookupError", "nothing here")
    assert "in inner" in found.traceback
    assert "execution.py" not in found.traceback


def test_an_exception_without_text_is_still_a_failure(worker: WorkerProcess) -> None:
    found = failure(worker.call("raises_odd", [1]), "user")
    assert found.type == "functions.Odd"
    assert "SystemExit" in found.message
    assert results(worker.call("double", [1])) == [2]


def test_what_travels_of_an_exception_is_bounded(worker: WorkerProcess) -> None:
    for function in ("raises_long", "recurses"):
        found = failure(worker.call(function, [1]), "user")
        assert len(found.message.encode()) <= MAX_MESSAGE
        assert len(found.traceback.encode()) <= MAX_TRACEBACK
    assert results(worker.call("double", [1])) == [2]


def test_each_fails_items_alone(worker: WorkerProcess) -> None:
    frame = worker.call("odd_ones_fail", [0, 1, 2, 3, 4], each=True)
    assert (frame.count, frame.failed) == (3, 2)
    assert reply_results(frame)[0] == [0, 20, 40]
    assert [(index, f.type, f.message) for index, f in reply_failures(frame)] == [
        (1, "ValueError", "odd: 1"),
        (3, "ValueError", "odd: 3"),
    ]
    assert "odd_ones_fail" in reply_failures(frame)[0][1].traceback


def test_exception_instances_among_the_results_fail_items_alone(worker: WorkerProcess) -> None:
    frame = worker.call("odd_ones_are_exceptions", [1, 2, 4])
    assert reply_results(frame)[0] == [2, 4]
    assert [(index, f.message) for index, f in reply_failures(frame)] == [(0, "odd: 1")]


def test_all_items_may_fail(worker: WorkerProcess) -> None:
    frame = worker.call("odd_ones_are_exceptions", [1, 3])
    assert (frame.count, frame.failed) == (0, 2)
    assert reply_results(frame)[0] == []


@pytest.mark.parametrize(("function", "path"), [("unsendable", "[1]['deep'][0]"), ("unsendable_and_exceptions", "[2]")])
def test_a_result_without_a_form_fails_the_batch_and_says_where(
    worker: WorkerProcess, function: str, path: str
) -> None:
    assert path in failure(worker.call(function, [1]), "encode").message
    assert results(worker.call("double", [1])) == [2]


def test_a_reply_over_max_frame_fails_the_batch() -> None:
    with WorkerProcess(hello_of(max_frame=100_000)) as worker:
        worker.ready()
        worker.load(1, "double")
        worker.request(1, ["x" * 60_000])
        assert "max_frame" in failure(worker.receive(), "encode").message
        assert results(worker.call("double", [1])) == [2]


def test_a_body_that_is_no_value_is_a_failure(worker: WorkerProcess) -> None:
    worker.load(1, "double")
    worker.send(pack_frame(frames.CALL, 9, b"\xc1", side=encode([1, None]), count=1))
    failure(worker.receive(), "decode")
    assert results(worker.call("double", [1])) == [2]


@pytest.mark.parametrize(
    ("module", "function", "said"),
    [
        ("functions", "nope", "module functions has no nope"),
        ("functions", "doubel", "module functions has no doubel, did you mean 'double'?"),
        ("functions", "doubel.inner", "did you mean 'double.inner'"),
        ("functions", "double.__nam__", "did you mean 'double.__name__'?"),
        ("os", "path.bsename", "module os has no path.bsename, did you mean 'path.basename'?"),
        ("no_such_module", "f", "No module named 'no_such_module'"),
        ("exits_when_imported", "f", "usage: something else"),
        ("functions", "NOT_A_FUNCTION", "int, not a function"),
        ("__main__", "f", "__main__"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_a_failure(
    worker: WorkerProcess, module: str, function: str, said: str
) -> None:
    found = failure(worker.load(1, function, module=module), "load")
    assert said in found.message
    assert "execution.py" not in found.traceback
    assert results(worker.call("double", [1])) == [2]


def test_a_name_that_is_not_found_is_named_once(worker: WorkerProcess) -> None:
    found = failure(worker.load(1, "nope"), "load")
    assert (found.type, found.traceback) == ("AttributeError", "")
    assert "exits_when_imported.py" in failure(worker.load(2, "f", module="exits_when_imported"), "load").traceback


def test_a_target_that_was_never_loaded_is_a_failure(worker: WorkerProcess) -> None:
    worker.request(17, [1])
    assert "17" in failure(worker.receive(), "load").message


def test_a_target_can_be_loaded_again(worker: WorkerProcess) -> None:
    assert results(worker.call("double", [1])) == [2]
    assert results(worker.call("Holder.triple", [1])) == [3]


def test_commands(scorer: WorkerProcess) -> None:
    scorer.request("score", {"items": [1, 2], "note": "n"})
    frame = scorer.receive()
    assert frame.count == 2
    assert reply_results(frame) == ([3, 6], {"items": [3, 6], "note": "n"})


def test_items_of_a_command_may_fail_alone(scorer: WorkerProcess) -> None:
    scorer.request("partly", {"items": [1, 2]})
    frame = scorer.receive()
    assert reply_results(frame) == ([2], {"items": [2], "more": 1})
    assert [index for index, _ in reply_failures(frame)] == [0]


@pytest.mark.parametrize("name", ["wrong", "wrong_items"])
def test_a_command_that_returns_no_items_is_unexpected(scorer: WorkerProcess, name: str) -> None:
    scorer.request(name, {"items": [1]})
    failure(scorer.receive(), "unexpected")


def test_an_unknown_command_names_the_known_ones(scorer: WorkerProcess, worker: WorkerProcess) -> None:
    scorer.request("scor", {"items": [1]})
    assert "'other-name', 'partly', 'score'" in failure(scorer.receive(), "load").message
    worker.request("score", {"items": [1]})
    assert "no adapter" in failure(worker.receive(), "load").message


def test_a_session_keeps_its_store_until_it_is_forgotten(worker: WorkerProcess, scorer: WorkerProcess) -> None:
    assert results(worker.call("counts", [1, 2], session="a")) == [2, 2]
    assert results(worker.call("counts", [1], session="a")) == [3]
    assert results(worker.call("counts", [1], session="b")) == [1]
    worker.send(pack_frame(frames.FORGET, 0, encode("a")))
    assert results(worker.call("counts", [1], session="a")) == [1]
    for n in (1, 2):
        scorer.request("other-name", {"items": [0, 0]}, session="s")
        assert results(scorer.receive()) == ["s", n]


def test_a_call_without_session_leaves_nothing_to_the_next(worker: WorkerProcess) -> None:
    assert results(worker.call("counts", [1])) == [1]
    assert results(worker.call("counts", [1])) == [1]


def test_a_cancel_takes_back_what_has_not_begun(worker: WorkerProcess, tmp_path: Path, eventually: object) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    worker.load(1, "waits")
    worker.load(2, "double")
    first = worker.request(1, [str(begun), str(go)])
    eventually(begun.exists)  # type: ignore[operator]
    second, third = worker.request(2, [1]), worker.request(2, [2])
    for request_id in (second, first, 999):  # one that waits, one that is being executed, one that never was
        worker.send(pack_frame(frames.CANCEL, request_id))
    go.touch()
    came = [worker.receive() for _ in range(3)]
    assert [(frame.kind, frame.request_id) for frame in came] == [
        (frames.REPLY, first),
        (frames.CANCELLED, second),
        (frames.REPLY, third),
    ]
    assert came[1].attempt == 3


def test_a_cancel_in_the_same_write_is_honoured(worker: WorkerProcess) -> None:
    worker.load(1, "double")
    request = pack_frame(frames.CALL, 7, encode([1]), side=encode([1, None]), count=1)
    worker.send(request + pack_frame(frames.CANCEL, 7))
    assert worker.receive().kind == frames.CANCELLED


def test_a_stop_leaves_what_is_queued_and_terminates_adapter(scorer: WorkerProcess, tmp_path: Path) -> None:
    request = pack_frame(frames.COMMAND, 7, encode({"items": [1]}), side=encode(["score", None]), count=1)
    scorer.send(request + pack_frame(frames.STOP))
    with pytest.raises(EOFError):
        scorer.receive()
    assert scorer.ended() == 0
    assert (tmp_path / "terminated").exists()


def test_the_end_of_the_request_pipe_is_the_end_of_the_worker(scorer: WorkerProcess, tmp_path: Path) -> None:
    scorer.close_requests()
    assert scorer.ended() == 0
    assert (tmp_path / "terminated").exists()
