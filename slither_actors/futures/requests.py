"""What a call is on its way to a worker: a function's names with its arguments, or all of them pickled. Pure."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Literal, Protocol

from slither_actors.executors.names import NotImportable, find_names
from slither_actors.futures.errors import UnsendableError
from slither_actors.wording import shown

Codec = Literal["msgpack", "pickle"]
CODECS: tuple[Codec, ...] = ("msgpack", "pickle")
Request = list[object] | bytes


class Encode(Protocol):
    """Turns calls of one function into a request."""

    def __call__(self, calls: Sequence[Iterable[object]], keywords: Mapping[str, object]) -> Request:
        """Return the request.

        Args:
            calls: the positional arguments of each call.
            keywords: the keyword arguments of all of them.

        Raises:
            UnsendableError: they cannot be pickled. What has no form on the wire is found later.
        """


def prepare(function: Callable[..., object], codec: Codec) -> tuple[str, Encode]:
    """Return the name of a function for messages, and what makes requests of its calls.

    Raises:
        UnsendableError: it is nothing that a worker could call; says why, and what to do.
    """
    if not callable(function):
        raise UnsendableError(f"submit takes a function first, not {shown(function)}")
    if codec == "pickle":
        return _named(function), functools.partial(_pickled, function)
    # asyncio.run_in_executor takes no keyword arguments: a partial is how these are given there.
    inner: Callable[..., object] = function
    before: tuple[object, ...] = ()
    bound: Mapping[str, object] = {}
    if type(function) is functools.partial:
        inner, before, bound = function.func, function.args, function.keywords
    module, name = _names(inner, ", or PoolExecutor(codec='pickle') if it can be pickled")

    def by_name(calls: Sequence[Iterable[object]], keywords: Mapping[str, object]) -> Request:
        return [module, name, [[*before, *arguments] for arguments in calls], {**bound, **keywords}]

    return f"{module}.{name}", by_name


def _names(function: Callable[..., object], instead: str = "") -> tuple[str, str]:
    found = find_names(function)
    if isinstance(found, NotImportable):
        remedy = found.remedy or "give the function that its module has under that name"
        if found.of_an_object:
            remedy = f"use a function of a module{instead}"
        raise UnsendableError(f"function {shown(function)} {found.why}, so workers cannot import it; {remedy}")
    return found


def _named(function: Callable[..., object]) -> str:
    """Return the name of a function that is to be pickled, which is refused if pickle would find it in the host only.

    Methods of objects, partials and objects with a ``__call__`` are pickled with what they hold.
    """
    owner = getattr(function, "__self__", None)
    if isinstance(function, FunctionType | type) or (
        isinstance(function, BuiltinFunctionType) and (owner is None or isinstance(owner, ModuleType))
    ):
        return ".".join(_names(function))
    return getattr(function, "__qualname__", None) or shown(function, 40)


def _pickled(
    function: Callable[..., object], calls: Sequence[Iterable[object]], keywords: Mapping[str, object]
) -> Request:
    try:
        return pickle.dumps((function, calls, keywords), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise UnsendableError(
            f"the call of {_named(function)} cannot be pickled: {type(error).__name__}: {error}; give it plain data, "
            "and make in the function what does not travel (locks, files, connections)"
        ) from error
