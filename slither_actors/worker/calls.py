"""Calls of any function by arguments, for the host's `slither_actors.futures`: what runs in the worker."""

from __future__ import annotations

import builtins
import pickle

from slither_actors.wire.codec import encode

from .adapter import Adapter
from .event_loop import plain
from .exception_record import failure_of
from .execution import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

# Bytes of the arguments of an exception, encoded, beyond which its text takes their place.
_MOST_ARGUMENTS: Final = 64 * 1024

_functions: dict[tuple[str, str], Callable[..., Any]] = {}


def call(request: Any) -> list[Any]:
    """Call a function, once or several times, and return what came of it.

    Args:
        request: module, name, the lists of positional arguments (one for each call) and the keyword arguments of all of
            them; or ``bytes``, which are the pickled function, arguments and keyword arguments.

    Returns:
        The list of the results and, where a call raised, behind it: kind, type, text and traceback of the exception,
        then the name and the arguments of a built-in one, else None. Nothing is called after that.

    Raises:
        SystemExit: unpickling asks for the end of the process.
    """
    kind = "load"
    try:
        if type(request) is bytes:
            kind = "decode"
            function, calls, keywords = pickle.loads(request)
            function = plain(function)
        else:
            module, name, calls, keywords = request
            function = _functions.get((module, name)) or _find(module, name)
    except BaseException as error:
        if kind == "decode" and isinstance(error, SystemExit):
            raise
        return [[], *_described(error, kind)]
    results: list[Any] = []
    try:
        for arguments in calls:
            results.append(function(*arguments, **keywords))  # noqa: PERF401 (those before an exception are wanted)
    except BaseException as error:  # SystemExit, too: it says nothing against the worker, and no future can raise it
        return [results, *_described(error, "user")]
    return [results]


class Initializer(Adapter):
    """Calls a function once in each worker, before it is ready."""

    def init(self, request: Any) -> None:
        """Call it.

        Args:
            request: as :func:`call` takes it.
        """
        if type(request) is bytes:
            pickled, calls, keywords = pickle.loads(request)
            function = plain(pickled)
        else:
            module, name, calls, keywords = request
            function = _find(module, name)
        for arguments in calls:
            function(*arguments, **keywords)


def _find(module: str, name: str) -> Callable[..., Any]:
    found = resolve(module, name)
    if not callable(found):
        raise TypeError(f"{module}.{name} is a {type(found).__name__}, not a function")
    function = _functions[module, name] = plain(found)
    return function


def _described(error: BaseException, kind: str) -> list[Any]:
    """Return kind, type, text and traceback of an exception; name and arguments of a built-in one, else None twice."""
    if isinstance(error, MemoryError):  # what the frames of the call hold is in the way of the description
        import traceback

        traceback.clear_frames(error.__traceback__)
    failure = failure_of(error, kind)
    message = failure.message
    if kind == "decode" and "__main__" in message:
        message += " (a worker has no __main__ of the host's: move it to a module that can be imported)"
    name = _built_in(type(error)) if kind == "user" else None
    arguments = None if name is None else _arguments(error, message)
    return [failure.kind, failure.type, message, failure.traceback, name, arguments]


def _built_in(cls: type) -> str | None:
    """Return the name of a built-in exception that the host can make, too; None for others."""
    name = cls.__name__
    if issubclass(cls, Exception) and vars(builtins).get(name) is cls:
        return name
    return None


def _arguments(error: BaseException, message: str) -> list[Any]:
    """Return what a built-in exception is made from; its text alone where that cannot be sent."""
    try:
        # Not `args`: those of OSError lack the file's name.
        arguments = list(type(error).__reduce__(error)[1])
        if len(encode(arguments)) <= _MOST_ARGUMENTS:
            return arguments
    except Exception:
        pass
    return [message]
