"""Which options are remembered, and which calls have to be runs."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.requests.memo import MOST, Memo


class Made:
    """What a Memo made, and of what."""

    def __init__(self) -> None:
        self.of: list[dict[str, Any]] = []
        self.memo = Memo(self.make)

    def make(self, options: Any) -> Any:
        self.of.append(dict(options))
        return object()


def test_equal_options_are_parsed_once() -> None:
    made = Made()
    first = made.memo.find({"function": len, "timeout": 1.0})
    assert made.memo.find({"function": len, "timeout": 1.0}) is first
    assert made.of == [{"function": len, "timeout": 1.0}]


@pytest.mark.parametrize("other", [1, True, "1", None])
def test_values_that_mean_something_else_are_other_options(other: object) -> None:
    made = Made()
    assert made.memo.find({"timeout": 1.0}) is not made.memo.find({"timeout": other})


@pytest.mark.parametrize("value", [[], {}, object(), ("a",), type("Str", (str,), {})("a")])
def test_a_value_that_may_change_needs_a_run(value: object) -> None:
    made = Made()
    assert made.memo.find({"strategy": value}) is None
    assert made.of == []


def test_that_no_request_can_be_made_is_remembered_too() -> None:
    calls: list[Any] = []
    memo = Memo(calls.append)
    assert memo.find({"each": True}) is None
    assert memo.find({"each": True}) is None
    assert len(calls) == 1


def test_it_does_not_grow_without_end() -> None:
    made = Made()
    for number in range(3 * MOST):
        made.memo.find({"timeout": number})
    assert len(made.memo._known) <= MOST
