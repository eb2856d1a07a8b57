"""Words that error messages share: values cut to a readable length, and the known name that was probably meant.

A repr is user code: it may raise anything, and may be as long as memory allows.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable
from itertools import islice

from supervisors.runtime.interrupts import raised_by_handler

__all__ = ["closest", "did_you_mean", "shown", "text_of"]

_SHOWN = 80
# A comparison takes 10 µs, and more for long names: a hostile file could have thousands of either.
_MOST_COMPARED = 500
_LONGEST_COMPARED = 60


def shown(value: object, limit: int = _SHOWN) -> str:
    """Return the repr of a value, cut to a readable length, and something readable if its repr raises."""
    try:
        text = repr(value)
    except BaseException as error:  # a repr that raises must not end the supervisor whose error this is
        if threading.current_thread() is threading.main_thread() and raised_by_handler(error):
            raise
        return f"<{type(value).__name__} whose repr fails>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def no_reference(value: object) -> str:
    """Return the words for a value in the place of an actor's reference; for a handle by name with the remedy."""
    by_name = callable(getattr(value, "ref", None))
    return f"{shown(value)}; its ref() is that of the actor that has the name now" if by_name else shown(value)


def text_of(error: BaseException) -> str:
    """Return the message of an error, or its type's name if its ``__str__`` raises."""
    try:
        return str(error)
    except BaseException:
        return type(error).__name__


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like this one (case aside); None if none is alike.

    Args:
        name: as it was given.
        known: of these the first 500 are compared.
        cutoff: least similarity, from 0 to 1 (equal).
    """
    if len(name) > _LONGEST_COMPARED:
        return None
    folded = {each.lower(): each for each in islice(known, _MOST_COMPARED)}
    found = difflib.get_close_matches(name.lower(), list(folded), 1, cutoff)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], quote: Callable[[str], str] = repr) -> str:
    """Return ``", did you mean 'x'?"`` if one of the known names is like this one, else nothing.

    Args:
        name: as it was given.
        known: the names that there are.
        quote: how the name is written: `repr` as in Python, `str` as in YAML.
    """
    found = closest(name, known)
    return "" if found is None else f", did you mean {quote(found)}?"
