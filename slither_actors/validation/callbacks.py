"""Checks of callbacks: a mistake shows at the call that takes the callback, not at its first use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType, MethodType

from slither_actors.errors import OptionTypeError
from slither_actors.wording import shown

_STARRED = inspect.CO_VARARGS
_LAZY = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def check_call(
    name: str,
    function: Callable[..., object],
    parameters: tuple[str, ...],
    *,
    lazy: bool = False,
    option: str | None = None,
) -> None:
    """Refuse a function that cannot be called with so many positional arguments, or does not run when it is called.

    Args:
        name: the option or method, for the message.
        function: the callback. One without a signature, such as many written in C, is accepted.
        parameters: the names of the arguments.
        lazy: whether a generator function is accepted.
        option: the option that the error is about.

    Raises:
        OptionTypeError: it takes other arguments, or is an async or a generator function.
    """
    flags, fits = _code_of(function, len(parameters))
    if flags & _ASYNC:
        raise OptionTypeError(
            f"{name} must be a plain function, not the async one {shown(function)}: nothing awaits what it returns; "
            "asyncio.run() inside a plain one will do",
            option,
        )
    if flags & _LAZY and not lazy:
        raise OptionTypeError(
            f"{name} must be a plain function, not the generator function {shown(function)}: use return, not yield",
            option,
        )
    if fits is None:
        fits = _binds(function, len(parameters))
    if not fits:
        calls = f"called as {name.rpartition('.')[2] if '.' in name else 'fn'}({', '.join(parameters)})"
        try:
            has = f", and takes {inspect.signature(function)}"
        except Exception:
            has = ""
        raise OptionTypeError(f"{name} is {calls}{has}: {shown(function)}", option)


def _code_of(function: Callable[..., object], count: int) -> tuple[int, bool | None]:
    """Return the flags of the code behind a callable (0 if there is none) and whether it fits (None if unknown).

    Reading the code of a plain function takes 1/30 of what `inspect.signature` does, and a short run has some 100 µs.
    """
    bound = 0
    if type(function) is MethodType:
        function, bound = function.__func__, 1
    if type(function) is not FunctionType:
        call = getattr(type(function), "__call__", None)  # noqa: B004 (its code is wanted)
        partial = getattr(function, "func", None)  # of functools.partial
        inner = call if type(call) is FunctionType else partial
        return (inner.__code__.co_flags if type(inner) is FunctionType else 0), None
    code = function.__code__
    if hasattr(function, "__signature__"):
        return code.co_flags, None
    required = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
    least = code.co_argcount - len(function.__defaults__ or ())
    enough = count + bound <= code.co_argcount or bool(code.co_flags & _STARRED)
    return code.co_flags, enough and least <= count + bound and required <= 0


def _binds(function: Callable[..., object], count: int) -> bool:
    try:
        # A wrapped function is not followed: a decorator may take other arguments than it passes on.
        signature = inspect.signature(function, follow_wrapped=False)
    except Exception:  # it has no signature
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
