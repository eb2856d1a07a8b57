"""The words of errors: values cut to a readable length, and the known name that was perhaps meant."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable, Sequence

SHOWN = 80
"""Most characters of a value that an error shows."""


def shown(value: object, limit: int = SHOWN) -> str:
    """A value for an error's message: its repr, cut, and something readable even if its repr fails."""
    try:
        text = repr(value)
    except Exception as error:
        from supervisors.runtime.interrupts import raised_by_handler

        if raised_by_handler(error):
            raise
        text = f"<{type(value).__name__} whose repr fails>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def exception_text(error: BaseException) -> str:
    """Type and message of an exception: ``ValueError: bad``; readable even if its ``__str__`` fails."""
    try:
        text = str(error)
    except Exception:
        text = "(it cannot be printed)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: object, known: Iterable[str]) -> str:
    """ ", did you mean 'x'?" if one of `known` looks like `name`, else nothing."""
    close = difflib.get_close_matches(str(name), list(known), 1)
    return f", did you mean {close[0]!r}?" if close else ""


def known_names(known: Sequence[str]) -> str:
    """ "known: a, b", in the order given."""
    return f"known: {', '.join(known)}" if known else "there is none"


def signal_name(number: int) -> str:
    """The name of a signal, or ``"signal NUMBER"`` for one without (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
