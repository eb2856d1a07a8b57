"""The names by which a worker imports a function: found, or refused with the remedy."""

from __future__ import annotations

import collections
import functools
import json
import operator
import os.path
from collections.abc import Callable
from typing import Any

import pytest

from slither_actors import OptionError
from slither_actors.executors.names import check_names, name_of


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (json.dumps, ("json", "dumps")),
        (json.JSONEncoder.default, ("json.encoder", "JSONEncoder.default")),
        (dict.fromkeys, None),
        (operator.neg, ("_operator", "neg")),
        (collections.OrderedDict, ("collections", "OrderedDict")),
        (os.path.join, (os.path.join.__module__, "join")),
    ],
)
def test_a_function_of_a_module_has_its_names(function: Callable[..., Any], names: tuple[str, str] | None) -> None:
    if names is None:
        with pytest.raises(OptionError, match="has no name"):
            name_of(function)
    else:
        assert name_of(function) == names
        assert check_names(*names) == names


def _local() -> Callable[[int], int]:
    def inside(payload: int) -> int:
        return payload

    return inside


def _replaced() -> None:
    pass


_original = _replaced


@functools.wraps(_original)
def _replaced() -> None:
    _original()


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda payload: payload, "a lambda"),
        (_local(), "inside another function"),
        (functools.partial(json.dumps, indent=1), "a partial"),
        ([].append, "a method of an object"),
        (_original, "is not what"),
    ],
)
def test_what_a_worker_cannot_import_is_refused(function: Callable[..., Any], why: str) -> None:
    with pytest.raises(OptionError, match=why) as caught:
        name_of(function)
    assert caught.value.option == "function"


@pytest.mark.parametrize(
    ("module", "function", "option", "remedy"),
    [
        (None, "a.b.c", "module", "module='a.b', function='c'"),
        (None, "c", "module", "module='package.module'"),
        ("a", "b:c", "function", "module='b', function='c'"),
        ("a", "b c", "function", "such as 'predict'"),
        ("a", 1, "function", "a name or a function"),
        (json, "dumps", "module", "'json'"),
        ("__main__", "b", "module", "of its own"),
        ("models/a.py", "b", "module", "leave out '.py'"),
        ("a-b", "c", "module", "dotted name"),
    ],
)
def test_names_that_cannot_be_are_refused(module: object, function: object, option: str, remedy: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_names(module, function)
    assert remedy in str(caught.value)
    assert caught.value.option == option
