"""What the failure of a user's function was probably about: said where it shows, and not elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slither_actors.worker.hints import about_result, clause, close, got, is_async


def raised(function: Callable[[Any], object], given: Any) -> Exception:
    try:
        function(given)
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def add_one(payload: Any) -> Any:
    return payload + 1


def upper(payload: Any) -> Any:
    return payload.upper()


def first(payloads: Any) -> Any:
    return next(iter(payloads))


def append(payloads: Any) -> Any:
    return payloads.append(1)


def own_list(payload: Any) -> Any:
    numbers = [1]
    return numbers + payload["n"]


@pytest.mark.parametrize("function", [add_one, upper])
def test_a_list_where_one_payload_was_meant(function: Callable[[Any], object]) -> None:
    given = [1, 2]
    assert "called with a list of 2" in clause(raised(function, given), given, False)


@pytest.mark.parametrize("function", [first, append])
def test_one_payload_where_a_list_was_meant(function: Callable[[Any], object]) -> None:
    assert "one payload, of type int" in clause(raised(function, 5), 5, True)


def test_an_index_into_a_map_is_one_payload_taken_for_a_list() -> None:
    given = {"a": 1}
    assert "of type dict" in clause(raised(lambda payloads: payloads[0], given), given, True)


def test_a_missing_key_of_the_data_is_not() -> None:
    given = {"a": 1}
    assert clause(raised(lambda payload: payload["b"], given), given, True) == ""


def test_a_list_of_the_function_may_be_the_reason_too() -> None:
    given = [{"n": 1}]
    assert clause(raised(lambda payloads: own_list(payloads[0]), given), given, False) == ""


def test_a_list_in_the_data_may_be_the_reason_too() -> None:
    given = [[1], {"a": (2,)}]
    assert clause(raised(lambda payloads: payloads[0] + 1, given), given, False) == ""


def test_another_error_says_nothing() -> None:
    given = [1]
    assert clause(raised(lambda payloads: 1 / 0, given), given, False) == ""
    assert clause(raised(lambda payload: 1 / 0, 1), 1, True) == ""


def test_a_call_with_a_list_is_named_where_no_list_came_back() -> None:
    assert "a list of 3" in got([1, 2, 3])
    assert got({"items": []}) == ""


@pytest.mark.parametrize(
    ("result", "words"),
    [(None, "is its return missing"), ({1}, "a set has no order"), (range(3), "list() of it"), ("text", ""), (5, "")],
)
def test_a_result_that_is_no_list(result: object, words: str) -> None:
    found = about_result(result)
    assert words in found
    assert bool(found) is bool(words)


def test_a_coroutine_is_known_and_closed() -> None:
    async def later() -> int:
        return 1

    async def several() -> Any:
        yield 1

    def plain() -> Iterator[int]:
        yield 1

    made = later()
    assert is_async(made)
    assert is_async(several())
    assert not is_async(plain())
    assert "make it `async def`" in about_result(made)
    assert "that yields cannot be awaited" in about_result(several())
    close(made)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        made.send(None)
