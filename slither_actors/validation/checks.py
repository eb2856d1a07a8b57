"""Checks of what callers give, and the words of the errors about it: the name, the value, what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, SupportsIndex

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.wording import did_you_mean, shown

MAX_SECONDS = 1e8
"""Three years. Timers and polls of the platform overflow somewhere beyond; None is how to say "for ever"."""


def _refusal(kind: type[OptionError], name: str, text: str) -> OptionError:
    """The error about an option, which knows the option's name."""
    error = kind(text)
    error.mentions = {name: name, f"{name}=None": f"{name}=None", "None: no limit": f"{name}=None"}
    return error


def choice(name: str, value: object, allowed: Sequence[str]) -> str:
    """One of a few texts."""
    if isinstance(value, str) and value in allowed:
        return value
    near = did_you_mean(value, allowed) if isinstance(value, str) else ""
    error = OptionError if isinstance(value, str) else OptionTypeError
    raise _refusal(error, name, f"{name} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}{near}")


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number within bounds. A bool is none; numpy's integers are."""
    if type(value) is int:  # isinstance with a protocol takes microseconds, and a short run has only some hundred
        number = value
    elif isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise _refusal(OptionTypeError, name, f"{name} must be a whole number, not {shown(value)}")
    else:
        number = value.__index__()
    if number < least:
        raise _refusal(OptionError, name, f"{name} must be at least {least}, not {shown(value)}")
    if most is not None and number > most:
        raise _refusal(OptionError, name, f"{name} must be at most {most}, not {shown(value)}")
    return number


def real(name: str, value: Any, unit: str = "a number") -> float:
    """A finite number. A bool is none; numpy's are."""
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise _refusal(OptionTypeError, name, f"{name} must be {unit}, not {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refusal(OptionError, name, f"{name} must be {unit} that is finite, not {shown(value)}")
    return number


def seconds(name: str, value: Any, *, zero: bool = False, none: bool = True) -> float:
    """A span of time in seconds, above 0 unless `zero`; `none`: whether None may stand for "for ever"."""
    unless = "; None: no limit" if none else ""
    if isinstance(value, float) and value == math.inf and none:
        raise _refusal(OptionError, name, f"{name} must be finite, not inf; say {name}=None for no limit")
    number = real(name, value, "a number of seconds")
    if number < 0 or (number == 0 and not zero):
        least = "at least" if zero else "above"
        raise _refusal(OptionError, name, f"{name} must be {least} 0 seconds, not {shown(value)}{unless}")
    if number > MAX_SECONDS:
        raise _refusal(OptionError, name, f"{name} must be at most {MAX_SECONDS:g} seconds, not {shown(value)}{unless}")
    return number


def flag(name: str, value: Any) -> bool:
    """True or False, and nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise _refusal(OptionTypeError, name, f"{name} must be True or False, not {shown(value)}")
    return value


def text(name: str, value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str):
        raise _refusal(OptionTypeError, name, f"{name} must be text, not {shown(value)}")
    if not value:
        raise _refusal(OptionError, name, f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        text = f"{name} must be text that UTF-8 can carry, not {shown(value)}: {error.reason}"
        raise _refusal(OptionError, name, text) from None
    return str(value)


def function(name: str, value: Any, example: str) -> Any:
    """Something that can be called."""
    if not callable(value):
        raise _refusal(OptionTypeError, name, f"{name} must be a function such as {example}, not {shown(value)}")
    return value
