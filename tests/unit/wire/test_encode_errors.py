"""The place of the value that failed to encode, and the reason as text."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.ids import stable

from slither_actors.wire.encode_errors import explain
from slither_actors.wire.extension_codes import EncodeError, RefusedError

BAD = object()


def try_leaf(value: object) -> None:
    """Refuse `BAD` alone."""
    if value is BAD:
        raise RefusedError("it is bad")


def explained(value: object, leaf: Callable[[object], object] = try_leaf) -> EncodeError:
    return explain(value, ValueError("as a whole"), leaf)


def deep(levels: int, inside: Any) -> Any:
    for _ in range(levels):
        inside = [inside]
    return inside


@pytest.mark.parametrize(
    ("value", "path", "steps"),
    [
        (BAD, "", ()),
        ([BAD], "[0]", (0,)),
        ((1, BAD), "[1]", (1,)),
        ({"k": BAD}, "['k']", ("k",)),
        ({3: [0, {"k": BAD}]}, "[3][1]['k']", (3, 1, "k")),
        ({None: BAD}, "[None]", ("None",)),
        ({True: BAD}, "[True]", ("True",)),
        ({BAD: 1}, f" key {BAD!r}", ()),
        ([{BAD}], "[0]{...}", (0,)),
        (frozenset({BAD}), "{...}", ()),
        ({"x" * 58: BAD}, f"['{'x' * 58}']", ("x" * 58,)),
        ({"x" * 80: BAD}, f"['{'x' * 59}...]", ("x" * 80,)),
        ([[1], {"k": [2]}, BAD], "[2]", (2,)),
        ([BAD, [BAD]], "[0]", (0,)),
    ],
    ids=stable,
)
def test_the_first_value_that_fails_is_named(value: object, path: str, steps: tuple[int | str, ...]) -> None:
    error = explained(value)
    assert (error.path, error.steps, error.reason) == (path, steps, "it is bad")


def test_where_no_part_fails_the_whole_does() -> None:
    for value in (1, [1, {"k": (2,)}]):
        error = explained(value)
        assert (error.path, error.steps, error.reason) == ("", (), "ValueError: as a whole")


def test_subclasses_of_containers_are_not_looked_into() -> None:
    class Own(list[Any]):
        __slots__ = ()

    tried: list[object] = []
    own = Own([BAD])
    assert explained([own], tried.append).reason == "ValueError: as a whole"
    assert tried == [own]


@pytest.mark.parametrize(
    ("wrap", "last"),
    [(lambda inner: [inner], "[0]"), (lambda inner: {"k": inner}, "['k']"), (lambda inner: (inner,), "[0]")],
)
def test_a_value_that_contains_itself_is_named(wrap: Callable[[Any], Any], last: str) -> None:
    cycle: list[Any] = [0]
    cycle.append(wrap(cycle))
    error = explained([cycle])
    assert error.reason == "it contains itself"
    assert error.path == f"[0][1]{last}"


def test_the_whole_value_may_be_what_it_contains() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    error = explained(cycle)
    assert (error.path, error.reason) == ("[0]", "it contains itself")


def test_a_value_that_stands_twice_does_not_contain_itself() -> None:
    twice = [1]
    assert explained([twice, [twice, twice], BAD]).path == "[2]"


def test_values_are_looked_into_1024_levels_deep() -> None:
    assert explained(deep(1024, BAD)).path == "[0]" * 1024
    error = explained(deep(1025, BAD))
    assert error.reason == "it is nested more than 1024 levels deep"
    assert error.path == "[0]" * 8 + "..."
    assert error.steps == (0,) * 8


def raises(error: Exception) -> Callable[[object], object]:
    def leaf(value: object) -> None:
        raise error

    return leaf


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RefusedError("send text"), "send text"),
        (RecursionError("depth"), "it is nested too deeply, or contains itself"),
        (OverflowError("too big"), "OverflowError: too big"),
        (
            UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"),
            "the text 'a\\udcff' cannot be sent as UTF-8: surrogates not allowed at 1",
        ),
    ],
)
def test_an_error_is_put_into_words(error: Exception, reason: str) -> None:
    assert explained([1], raises(error)).reason == reason


def test_text_with_surrogates_is_not_what_failed() -> None:
    def leaf(value: object) -> None:
        str(value).encode()
        try_leaf(value)

    assert explained(["\udcff", BAD], leaf).path == "[1]"
    assert explained("\udcff", leaf).reason == "ValueError: as a whole"


def test_text_may_fail_for_another_reason() -> None:
    assert explained(["a"], raises(OverflowError("too long"))).path == "[0]"


def test_a_key_whose_repr_raises_is_named_by_type() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError

    key = Bad()
    name = f"{__name__}.{Bad.__qualname__}"
    assert explained({key: BAD}).path == f"[<{name}>]"
    assert explained({key: BAD}).steps == (f"<{name}>",)


def test_a_container_that_fails_to_be_walked_has_no_place() -> None:
    growing: dict[int, Any] = {0: 0}

    def leaf(value: object) -> None:
        growing[len(growing)] = value

    assert explained(growing, leaf).reason == "ValueError: as a whole"


class SoftLimit(Exception):
    """What a signal handler raises."""


@pytest.fixture
def interrupt() -> Iterator[Callable[..., object]]:
    def handler(number: int, frame: object) -> None:
        raise SoftLimit

    before = signal.signal(signal.SIGUSR1, handler)
    yield lambda *_: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("value", [1, [1], {"k": {2}}])
def test_what_a_signal_handler_raises_is_passed_on(value: object, interrupt: Callable[..., object]) -> None:
    with pytest.raises(SoftLimit):
        explained(value, interrupt)


def test_a_handler_that_raises_in_a_repr_is_passed_on(interrupt: Callable[..., object]) -> None:
    class Slow:
        def __repr__(self) -> str:
            interrupt()
            return "slow"

    with pytest.raises(SoftLimit):
        explained({Slow(): 1})
