"""From a function and its arguments to a request: names, partials, and what is refused with which remedy."""

from __future__ import annotations

import functools
import math
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import called

from slither_actors.futures import UnsendableError
from slither_actors.futures.requests import Codec, prepare


def at_home() -> None:
    """Of a module that workers cannot import, where the test runs by another name; never called."""


def request(function: Callable[..., Any], *args: Any, codec: Codec = "msgpack", **kwargs: Any) -> Any:
    return prepare(function, codec)[1]([args], kwargs)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (called.add, ["support.called", "add"]),
        (called.Counter.named, ["support.called", "Counter.named"]),
        (called.Counter.plain, ["support.called", "Counter.plain"]),
        (pow, ["builtins", "pow"]),
        (str, ["builtins", "str"]),
        (math.sqrt, ["math", "sqrt"]),
        (os.path.join, [os.path.__name__, "join"]),
    ],
)
def test_functions_go_by_their_names(function: Callable[..., Any], name: list[str]) -> None:
    assert request(function, 1, x=2) == [*name, [[1]], {"x": 2}]
    assert prepare(function, "msgpack")[0] == ".".join(name)


def test_a_partial_is_what_it_binds_and_the_rest() -> None:
    inner = functools.partial(called.given, 1, a=2, b=3)
    assert request(functools.partial(inner, 4), 5, b=6) == ["support.called", "given", [[1, 4, 5]], {"a": 2, "b": 6}]


def test_a_chunk_has_the_arguments_of_each_call() -> None:
    _, request_of = prepare(called.add, "msgpack")
    assert request_of([(1, 2), (3,)], {"twice": True}) == [
        "support.called",
        "add",
        [[1, 2], [3]],
        {"twice": True},
    ]


def of_main() -> Callable[..., Any]:
    function = lambda: None  # noqa: E731
    function.__module__, function.__qualname__ = "__main__", "f"
    return function


REFUSED: dict[str, tuple[Any, str, str]] = {
    "lambda": (lambda: None, "is a lambda", "write it with def, at the top level of a module"),
    "closure": (functools.wraps(called.add)(lambda: None), "is not what", "give the function that its module has"),
    "main": (of_main(), "'__main__'", "move it to a module of its own"),
    "method": (called.Counter(1).count, "is a method of an object", "PoolExecutor(codec='pickle')"),
    "bound lock": (threading.Lock().acquire, "is a method of an object", "use a function of a module"),
    "object": (called.Counter(1), "has no name", "PoolExecutor(codec='pickle')"),
    "no function": (3, "not 3", "submit takes a function first"),
    "partial of a lambda": (functools.partial(lambda: None), "is a lambda", "write it with def"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_workers_cannot_import_is_refused_with_a_remedy(case: str) -> None:
    function, why, remedy = REFUSED[case]
    with pytest.raises(TypeError) as raised:
        prepare(function, "msgpack")
    assert isinstance(raised.value, UnsendableError)
    assert why in str(raised.value)
    assert remedy in str(raised.value)


def test_a_function_inside_another_is_refused() -> None:
    def inside() -> None: ...

    with pytest.raises(UnsendableError, match=r"is defined inside another function.*move it to the top level"):
        prepare(inside, "msgpack")
    with pytest.raises(UnsendableError, match="inside another function"):
        prepare(inside, "pickle")


@pytest.mark.parametrize("case", ["lambda", "closure", "main", "no function"])
def test_with_pickle_the_same_functions_are_refused(case: str) -> None:
    function, why, _ = REFUSED[case]
    with pytest.raises(UnsendableError, match=why):
        prepare(function, "pickle")


@pytest.mark.parametrize(
    "function",
    [called.add, called.Counter(1).count, called.Counter(1), functools.partial(called.add, 1), "x".upper, pow, int],
    ids=["function", "method", "object", "partial", "method in C", "function in C", "class"],
)
def test_with_pickle_objects_go_with_what_they_hold(function: Callable[..., Any]) -> None:
    made = request(function, 1, codec="pickle")
    loaded, calls, keywords = pickle.loads(made)
    assert (calls, keywords) == ([(1,)], {})
    assert type(loaded) is type(function)


def test_what_cannot_be_pickled_says_what_and_why() -> None:
    with pytest.raises(TypeError, match=r"the call of support.called.add cannot be pickled: TypeError.*lock") as raised:
        request(called.add, threading.Lock(), codec="pickle")
    assert isinstance(raised.value, pickle.PicklingError)
    assert isinstance(raised.value.__cause__, TypeError)
