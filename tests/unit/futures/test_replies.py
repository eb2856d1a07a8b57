"""From replies to results and exceptions: built-in ones by name only, and nothing that a worker sent is trusted."""

from __future__ import annotations

import builtins
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest
from support import called

from slither_actors import (
    BatchTimeout,
    DispatchError,
    LoadError,
    PayloadError,
    UnexpectedResponse,
    WorkerCrashed,
    WorkerError,
)
from slither_actors.futures import CallCrashed, UnsendableError
from slither_actors.futures.replies import error_of, outcome_of
from slither_actors.wire.codec import decode, encode
from slither_actors.worker.calls import call

BUILT_IN = [value for value in vars(builtins).values() if isinstance(value, type) and issubclass(value, Exception)]
# What each is made from where text alone will not do.
ARGUMENTS: dict[str, list[Any]] = {
    "UnicodeDecodeError": ["utf-8", b"\xff", 0, 1, "no"],
    "UnicodeEncodeError": ["utf-8", "\ud800", 0, 1, "no"],
    "UnicodeTranslateError": ["x", 0, 1, "no"],
}


def told(name: object, arguments: object, kind: str = "user") -> Any:
    return outcome_of([[], kind, "SomeError", "text", "trace", name, arguments], "m.f").error


def test_a_reply_has_the_results() -> None:
    assert outcome_of([[1, 2]], "m.f", 2) == ([1, 2], None)


@pytest.mark.parametrize("cls", sorted(set(BUILT_IN) - {ExceptionGroup}, key=lambda cls: cls.__name__))
def test_each_built_in_exception_comes_back(cls: type[Exception]) -> None:
    given = ARGUMENTS.get(cls.__name__, ["no"])
    reply = decode(encode(call(["support.called", "raise_built_in", [[cls.__name__, *given]], {}])))
    error = outcome_of(reply, "m.f").error
    assert type(error) is cls
    assert error.args == tuple(given)
    assert isinstance(error.__cause__, WorkerError)
    assert "In the worker:" in str(error.__cause__)


def test_what_is_before_an_exception_is_kept() -> None:
    results, error = outcome_of([[1], "user", "KeyError", "'x'", "trace", "KeyError", ["x"]], "m.f", 2)
    assert (results, type(error), str(error)) == ([1], KeyError, "'x'")


@pytest.mark.parametrize(
    "name",
    [None, 3, "SystemExit", "KeyboardInterrupt", "BaseException", "GeneratorExit", "eval", "print", "nothing", "int"],
)
def test_only_built_in_exceptions_are_made(name: object) -> None:
    error = told(name, ["raise SystemExit"])
    assert type(error) is WorkerError
    assert (error.type, error.message, error.traceback, error.kind) == ("SomeError", "text", "trace", "user")


@pytest.mark.parametrize("arguments", [None, "text", {"a": 1}, [1, 2, 3, 4, 5, 6]])
def test_arguments_that_do_not_fit_leave_a_worker_error(arguments: object) -> None:
    assert type(told("UnicodeDecodeError", arguments)) is WorkerError


def test_a_group_of_exceptions_is_a_worker_error() -> None:
    error = outcome_of(decode(encode(call(["support.called", "raise_group", [[]], {}]))), "m.f").error
    assert type(error) is WorkerError
    assert error.type == "ExceptionGroup"


def test_a_function_that_cannot_be_loaded_is_named() -> None:
    error = told(None, None, kind="load")
    assert isinstance(error, LoadError)
    assert str(error).startswith("cannot load m.f: SomeError: text")


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        [1],
        [[]],
        [[1, 2]],
        [[1], "user", "KeyError", "'x'", "trace", "KeyError", ["x"]],
        {"results": []},
        [[], "user"],
        [[], "no kind", "t", "m", "", None, None],
        [[], "user", 1, "m", "", None, None],
        [[], "user", "t", "m", "", None, None, None],
        b"\x80\x04.",
    ],
)
def test_what_is_no_reply_is_an_error(reply: object) -> None:
    results, error = outcome_of(reply, "m.f")
    assert (results, type(error)) == ([], UnexpectedResponse)


def failed(reason: BaseException) -> BaseException:
    return error_of(DispatchError("the run failed", reason=reason), "m.f")


def test_a_crash_is_a_broken_pool_for_its_call() -> None:
    crash = WorkerCrashed(signal=9, stderr_tail="bye")
    error = failed(crash)
    assert isinstance(error, CallCrashed)
    assert isinstance(error, BrokenProcessPool)
    assert isinstance(error, WorkerCrashed)
    assert (str(error), error.signal, error.stderr_tail) == (str(crash), 9, "bye")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("[2][0][1]", "args[1] of m.f"),
        ("[2][3][0]['x'][1]", "args[0]['x'][1] of m.f"),
        ("[3]['key'][0]", "kwargs['key'][0] of m.f"),
        ("", "the call of m.f"),
        ("[2]...", "the call of m.f"),
    ],
)
def test_an_argument_without_a_form_is_named(path: str, place: str) -> None:
    reason = PayloadError(0, path, "objects of type Lock cannot be sent; send plain data")
    error = failed(reason)
    assert isinstance(error, UnsendableError)
    assert str(error) == f"{place} cannot be sent to a worker: {reason.reason}"
    assert error.__cause__ is reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at [0][0][0]: it is a function", "the result of m.f cannot be sent back: it is a function"),
        ("at [0][0][5]['a: b'][1]: it is a", "the result of m.f cannot be sent back, at ['a: b'][1]: it is a"),
        ("at [0]: the reply takes 9 bytes", "the result of m.f cannot be sent back: the reply takes 9 bytes"),
        ("no memory", "the result of m.f cannot be sent back: no memory"),
    ],
)
def test_a_result_without_a_form_is_named(text: str, said: str) -> None:
    reason = WorkerError("EncodeError", text, kind="encode")
    error = failed(reason)
    assert isinstance(error, UnsendableError)
    assert str(error) == said
    assert error.__cause__ is reason


def test_other_reasons_are_raised_as_they_are() -> None:
    timeout = BatchTimeout(1.0)
    assert failed(timeout) is timeout
    other = RuntimeError("no lane")
    assert error_of(other, "m.f") is other
    alone = DispatchError("without a reason")
    assert error_of(alone, "m.f") is alone


def test_the_class_of_a_worker_is_never_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(called, "STATE", {})
    for name in ("support.called.Own", "called.Own", "Own", "support.called"):
        assert type(told(name, [])) is WorkerError
    assert called.STATE == {}
