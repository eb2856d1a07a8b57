"""Checks of values, and the words of the errors about them: the option's name, the value, what is allowed.

A short run opens in some 100 µs, so a value of the plain type is looked at before anything dearer.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.wording import did_you_mean, shown

MAX_SECONDS = 1e8
"""Three years. Timers and polls of the platform overflow somewhere beyond; None says "no limit"."""


def choice(name: str, value: object, allowed: Sequence[str]) -> str:
    """Return one of a few texts."""
    if isinstance(value, str) and value in allowed:
        return value
    message = f"{name} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}"
    if isinstance(value, str):
        raise OptionError(message + did_you_mean(value, allowed), name)
    raise OptionTypeError(message, name)


def whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return an integer within bounds. A bool is none; numpy's integers are."""
    if type(value) is int:  # isinstance with a protocol takes microseconds
        number = value
    elif isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise OptionTypeError(f"{name} must be a whole number, not {shown(value)}", name)
    else:
        number = value.__index__()
    if number < least:
        raise OptionError(f"{name} must be at least {least}, not {shown(value)}", name)
    if most is not None and number > most:
        raise OptionError(f"{name} must be at most {most}, not {shown(value)}", name)
    return number


def real(name: str, value: object, unit: str = "a number") -> float:
    """Return a finite number. A bool is none; numpy's numbers are."""
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise OptionTypeError(f"{name} must be {unit}, not {shown(value)}", name)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise OptionError(f"{name} must be {unit} that is finite, not {shown(value)}", name)
    return number


def seconds(name: str, value: object, *, zero: bool = False, none: bool = True) -> float:
    """Return a span of time in seconds.

    Args:
        name: of the option.
        value: as given.
        zero: whether 0 is allowed.
        none: whether None would mean "no limit", which the message then says.
    """
    unless = "; None: no limit" if none else ""
    if isinstance(value, float) and value == math.inf and none:
        raise OptionError(f"{name} must be finite, not inf; say {name}=None for no limit", name)
    number = real(name, value, "a number of seconds")
    if number < 0 or (number == 0 and not zero):
        least = "at least" if zero else "above"
        raise OptionError(f"{name} must be {least} 0 seconds, not {shown(value)}{unless}", name)
    if number > MAX_SECONDS:
        raise OptionError(f"{name} must be at most {MAX_SECONDS:g} seconds, not {shown(value)}{unless}", name)
    return number


def limit(name: str, value: object) -> float:
    """Return the longest that a call may wait, in seconds from 0: what a thread can wait for.

    Args:
        name: of the parameter.
        value: as given. Where None has a meaning, the caller has looked at that.
    """
    if isinstance(value, float) and value == math.inf:
        raise OptionError(
            f"{name} must be finite, not inf; leave it out for the default, or give at most {MAX_SECONDS:g} seconds",
            name,
        )
    return seconds(name, value, zero=True, none=False)


def flag(name: str, value: object) -> bool:
    """Return True or False; nothing else counts as one of them."""
    if not isinstance(value, bool):
        raise OptionTypeError(f"{name} must be True or False, not {shown(value)}", name)
    return value


def text(name: str, value: object) -> str:
    """Return text that is not empty and that UTF-8 can carry."""
    if not isinstance(value, str):
        raise OptionTypeError(f"{name} must be text, not {shown(value)}", name)
    if not value:
        raise OptionError(f"{name} must not be empty", name)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            f"{name} must be text that UTF-8 can carry, not {shown(value)}: {error.reason}", name
        ) from None
    return str(value)


def function(name: str, value: object, example: str) -> Callable[..., Any]:
    """Return something that can be called; the message has an example of such."""
    if not callable(value):
        raise OptionTypeError(f"{name} must be a function such as {example}, not {shown(value)}", name)
    return value
