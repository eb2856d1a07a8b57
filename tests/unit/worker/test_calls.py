"""Calls in a worker: results, exceptions as data, and what pickle brings."""

from __future__ import annotations

import builtins
import pickle
from typing import Any

import pytest
from support import called

from slither_actors.wire.codec import encode
from slither_actors.worker.calls import Initializer, call

BUILT_IN = sorted(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)
)


def request(name: str, *calls: list[Any], module: str = "support.called", **keywords: Any) -> list[Any]:
    return [module, name, list(calls), keywords]


def error_of(name: str, *arguments: Any) -> list[Any]:
    results, *error = call(request(name, list(arguments)))
    assert results == []
    encode(error)  # all of it travels
    return error


def test_a_call_returns_a_list_of_its_result() -> None:
    assert call(request("add", [1, 2])) == [[3]]
    assert call(request("add", [1, 2], twice=True)) == [[6]]
    assert call(request("Counter.named", ["x"])) == [["counter x"]]


def test_the_calls_of_a_chunk_share_the_keywords() -> None:
    assert call(request("add", [1, 2], [3], twice=True)) == [[6, 6]]


def test_a_chunk_ends_at_the_first_exception() -> None:
    results, kind, name, text, trace, built_in, arguments = call(request("fail_at", [1, 2], [2, 2], [3, 2]))
    assert results == [1]
    assert (kind, name, text, built_in, arguments) == ("user", "ValueError", "no 2", "ValueError", ["no 2"])
    assert "in fail_at" in trace
    assert "calls.py" not in trace


def test_oserror_keeps_the_name_of_its_file() -> None:
    (*_, built_in, arguments) = call(request("open", ["/nowhere"], module="builtins"))
    assert (built_in, arguments) == ("FileNotFoundError", [2, "No such file or directory", "/nowhere"])


@pytest.mark.parametrize("name", ["ValueError", "KeyError", "TypeError", "RuntimeError"])
def test_arguments_without_a_form_become_the_text(name: str) -> None:
    error = error_of("raise_with_object", name)
    assert error[4] == name
    assert "<object object at" in error[5][0]


def test_large_arguments_become_the_text_shortened() -> None:
    error = error_of("raise_large", 1 << 20)
    assert error[4] == "ValueError"
    assert len(error[5][0]) <= 8 * 1024
    assert "left out" in error[5][0]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("raise_own", "support.called.Own"),
        ("raise_panic", "support.called.Panic"),
        ("raise_group", "ExceptionGroup"),
        ("recurse", "RecursionError"),
    ],
)
def test_any_exception_is_described(function: str, name: str) -> None:
    error = error_of(function)
    assert (error[0], error[1]) == ("user", name)
    assert error[4] == (name if name in BUILT_IN else None)


@pytest.mark.parametrize(("name", "arguments"), [("SystemExit", [3]), ("KeyboardInterrupt", []), ("GeneratorExit", [])])
def test_what_is_no_exception_has_no_class_of_the_host(name: str, arguments: list[Any]) -> None:
    error = error_of("raise_built_in", name, *arguments)
    assert (error[1], error[4], error[5]) == (name, None, None)


def test_memory_errors_are_described() -> None:
    assert error_of("raise_built_in", "MemoryError", "none")[1:3] == ["MemoryError", "none"]


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [
        ("no_such_module", "f", "ModuleNotFoundError"),
        ("support.called", "ad", "AttributeError"),
        ("support.called", "STATE", "TypeError"),
        ("__main__", "f", "LookupError"),
    ],
)
def test_what_is_no_function_is_an_error_of_loading(module: str, name: str, kind: str) -> None:
    results, *error = call(request(name, [], module=module))
    assert (results, error[0], error[1], error[4]) == ([], "load", kind, None)


def test_a_pickled_call_has_its_function() -> None:
    assert call(pickle.dumps((called.Counter(40).count, [[2]], {}))) == [[42]]
    assert call(pickle.dumps((called.add, [[1], [2]], {"twice": True}))) == [[2, 4]]


def test_what_cannot_be_unpickled_is_an_error_of_decoding() -> None:
    results, *error = call(pickle.dumps((called.add, [[called.Unloadable()]], {})))
    assert (results, error[:3], error[4]) == ([], ["decode", "ValueError", "no model there"], None)


def test_a_class_of_main_has_a_remedy() -> None:
    error = call(b"c__main__\nNo\n.")[1:]
    assert error[0] == "decode"
    assert error[2].endswith("move it to a module that can be imported)")


def test_unpickling_may_end_the_process() -> None:
    with pytest.raises(SystemExit):
        call(pickle.dumps((called.add, [[called.ExitsInWorker()]], {})))


@pytest.mark.parametrize("pickled", [False, True], ids=["by name", "pickled"])
def test_an_initializer_is_called(monkeypatch: pytest.MonkeyPatch, pickled: bool) -> None:
    monkeypatch.setattr(called, "STATE", {})
    Initializer().init(pickle.dumps((called.remember, [[5]], {})) if pickled else request("remember", [5]))
    assert called.recall() == 5


def test_an_initializer_that_raises_fails_the_start() -> None:
    with pytest.raises(ValueError, match="no model there"):
        Initializer().init(request("refuse_to_start", []))
