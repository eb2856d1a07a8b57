"""The clause that an error gets where a function was called in the wrong way, and none where it was not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.worker import WorkerProcess, failure, results

from slither_actors.wire.frames import LOADED
from slither_actors.wire.messages import reply_failures


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as process:
        process.ready()
        yield process


def in_module(worker: WorkerProcess, module: str, function: str, payloads: list[Any], *, each: bool = False) -> Any:
    assert worker.load(1, function, module=module, each=each).kind == LOADED
    worker.request(1, payloads)
    return worker.receive()


def call(worker: WorkerProcess, function: str, payloads: list[Any], *, each: bool = False) -> Any:
    return in_module(worker, "mistaken", function, payloads, each=each)


ROWS = [{"x": 1}, {"x": 2}]
OF_A_LIST = "it was called with a list of 2: each=True (on the command line: --each) calls it with one"
OF_ONE = "it was called with one payload, of type {}; without, it gets a list of them"


@pytest.mark.parametrize(
    ("function", "payloads"),
    [
        ("gets", ROWS),
        ("indexes", ROWS),
        ("adds", [1, 2]),
        ("compares", [1, 2]),
        ("uppers", ["a", "b"]),
        ("root", [1, 2]),
        ("parses", ["1", "2"]),
        ("matches", ["1", "2"]),
        ("number", ["1", "2"]),
        ("gets", [[1], [2]]),
    ],
)
def test_a_function_for_one_says_that_it_got_a_list(worker: WorkerProcess, function: str, payloads: list[Any]) -> None:
    message = failure(call(worker, function, payloads), "user").message
    assert OF_A_LIST in message
    assert message.count("each=True") == 1


def test_a_function_in_c_says_so_too(worker: WorkerProcess) -> None:
    assert OF_A_LIST in failure(in_module(worker, "operator", "neg", [1, 2]), "user").message
    assert OF_A_LIST in failure(in_module(worker, "math", "sqrt", [1, 2]), "user").message


def test_one_result_for_a_list_says_so_too(worker: WorkerProcess) -> None:
    assert OF_A_LIST in failure(call(worker, "length", [1, 2]), "unexpected").message


@pytest.mark.parametrize(
    ("function", "payloads"),
    [
        ("own_list", ROWS),
        ("own_list_in_a_sum", ROWS),
        ("lists_inside", [{"tags": []}, {"tags": []}]),
        ("lists_inside_indexed", [{"tags": []}, {"tags": []}]),
        ("lists_inside_indexed", [{"tags": {"x": 1}}, {}]),
        ("unrelated", [[1], [2]]),
    ],
)
def test_a_list_of_the_functions_own_says_nothing(worker: WorkerProcess, function: str, payloads: list[Any]) -> None:
    assert "each" not in failure(call(worker, function, payloads), "user").message


@pytest.mark.parametrize(
    ("function", "payload", "kind"),
    [
        ("doubles", 1, "int"),
        ("measures", 1.5, "float"),
        ("first", True, "bool"),
        ("first", {"x": 1}, "dict"),
        ("sums", None, "NoneType"),
        ("doubles", None, "NoneType"),
    ],
)
def test_a_function_for_lists_says_that_it_got_one(
    worker: WorkerProcess, function: str, payload: Any, kind: str
) -> None:
    ((_, found),) = reply_failures(call(worker, function, [payload], each=True))
    assert OF_ONE.format(kind) in found.message


@pytest.mark.parametrize(
    ("function", "payload"), [("none_inside", {"x": None}), ("indexes", {"y": 1}), ("gets", 3), ("adds", {"x": 1})]
)
def test_another_mistake_with_one_says_nothing(worker: WorkerProcess, function: str, payload: Any) -> None:
    ((_, found),) = reply_failures(call(worker, function, [payload], each=True))
    assert "each" not in found.message


@pytest.mark.parametrize(("function", "remedy"), [("yields", "return a list"), ("wrapped", "make it `async def`")])
def test_what_is_not_awaited_names_the_remedy(worker: WorkerProcess, function: str, remedy: str) -> None:
    assert remedy in failure(call(worker, function, [1]), "unexpected").message
    found = reply_failures(call(worker, function, [1, 2], each=True))
    assert [index for index, _ in found] == [0, 1]
    assert all(remedy in failed.message for _, failed in found)


def test_an_async_function_is_awaited(worker: WorkerProcess) -> None:
    assert results(call(worker, "awaits", [1, 2])) == [1, 2]
    assert results(call(worker, "awaits", [1, 2], each=True)) == [1, 2]


def test_a_mistake_in_an_async_function_is_named(worker: WorkerProcess) -> None:
    found = failure(call(worker, "awaits_and_adds", [1]), "user")
    assert OF_A_LIST.replace("2", "1") in found.message
    assert "base_events" not in found.traceback  # of asyncio, whose frames say nothing of the mistake


def test_an_async_result_fails_its_item_alone(worker: WorkerProcess) -> None:
    frame = call(worker, "third_is_async", [0, 1, 2, 3], each=True)
    assert (frame.count, frame.failed) == (3, 1)
    assert [index for index, _ in reply_failures(frame)] == [2]


@pytest.mark.parametrize(
    ("function", "said"), [("a_set", "a set has no order"), ("a_view", "list() of it"), ("nothing", "return missing")]
)
def test_what_is_no_list_of_results_has_a_remedy(worker: WorkerProcess, function: str, said: str) -> None:
    assert said in failure(call(worker, function, [1]), "unexpected").message
    assert results(call(worker, "doubles", [1])) == [2]


@pytest.mark.parametrize(("function", "said"), [("generates", "send list() of it"), ("a_counter", "send dict() of it")])
def test_a_result_that_does_not_travel_has_one_too(worker: WorkerProcess, function: str, said: str) -> None:
    ((index, found),) = reply_failures(call(worker, function, [1], each=True))
    assert (index, found.kind) == (0, "encode")
    assert said in found.message
