"""From what came back of a call to the result or the exception of its future. Pure.

Nothing here unpickles, and no class is imported by a name that a worker sent: of exceptions only those are made that
`builtins` has.
"""

from __future__ import annotations

import builtins
import re
from typing import NamedTuple

from slither_actors.errors import (
    DispatchError,
    LoadError,
    PayloadError,
    UnexpectedResponse,
    WorkerCrashed,
    WorkerError,
)
from slither_actors.futures.errors import CallCrashed, UnsendableError
from slither_actors.wire.messages import FAILURE_KINDS
from slither_actors.wording import shown

_ARGUMENT = re.compile(r"\[2\]\[\d+\](\[\d+\].*)", re.DOTALL)
_KEYWORD = re.compile(r"\[3\](\[.*)", re.DOTALL)
# Item, list of results, call.
_RESULT = re.compile(r"at \[\d+\](?:\[0\]\[\d+\])?(.*?): ", re.DOTALL)


class Outcome(NamedTuple):
    """What came of the calls of one request: results up to the first exception, and that one."""

    results: list[object]
    error: BaseException | None = None


def outcome_of(reply: object, name: str, count: int = 1) -> Outcome:
    """Return what a worker's reply says.

    Args:
        reply: what `slither_actors.worker.calls.call` returned, or anything else that a worker sent.
        name: of the function.
        count: calls that it was asked for.
    """
    match reply:
        case [list() as results] if len(results) == count:
            return Outcome(results)
        case [list() as results, str() as kind, str() as type_, str() as text, str() as trace, built_in, arguments] if (
            kind in FAILURE_KINDS and len(results) < count
        ):
            told = WorkerError(type_, text, trace, kind=kind)
            if kind == "load":
                return Outcome(results, LoadError(name, told))
            made = _built_in(built_in, arguments)
            if made is None:
                return Outcome(results, told)
            made.__cause__ = told
            return Outcome(results, made)
    return Outcome([], UnexpectedResponse(f"what came back of {name} is no reply to {count} calls: {shown(reply)}"))


def _built_in(name: object, arguments: object) -> Exception | None:
    """Return the built-in exception of this name, made from these arguments; None if there is none such."""
    cls = vars(builtins).get(name) if isinstance(name, str) else None
    if not isinstance(cls, type) or not issubclass(cls, Exception) or not isinstance(arguments, list):
        return None
    try:
        return cls(*arguments)
    except Exception:  # an ExceptionGroup, say, whose exceptions did not travel
        return None


def error_of(error: BaseException, name: str) -> BaseException:
    """Return what the future of a call fails with, for the error of its request.

    Args:
        error: as a rule a DispatchError.
        name: of the function.
    """
    reason = error.reason if isinstance(error, DispatchError) and error.reason is not None else error
    if isinstance(reason, WorkerCrashed):
        return CallCrashed.of(reason)
    if isinstance(reason, PayloadError):
        made = UnsendableError(f"{_place(reason.path)} of {name} cannot be sent to a worker: {reason.reason}")
        made.__cause__ = reason
        return made
    if isinstance(reason, WorkerError) and reason.kind == "encode":
        found = _RESULT.match(reason.message)
        where = f", at {found[1]}" if found and found[1] else ""
        text = reason.message[found.end() :] if found else reason.message
        made = UnsendableError(f"the result of {name} cannot be sent back{where}: {text}")
        made.__cause__ = reason
        return made
    return reason


def _place(path: str) -> str:
    if found := _ARGUMENT.fullmatch(path):
        return f"args{found[1]}"
    if found := _KEYWORD.fullmatch(path):
        return f"kwargs{found[1]}"
    return "the call"
