"""The words of errors: those of `supervisors.wording`, and what this package adds to them.

`supervisors` is imported when an error is written: it loads Pykka, which values and errors do without.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence

__all__ = ["closest", "did_you_mean", "exception_text", "known_names", "shown", "signal_name"]

SHOWN = 80
"""Most characters of a value that an error shows."""


def shown(value: object, limit: int = SHOWN) -> str:
    """Return the repr of a value, cut to a readable length, and something readable if its repr raises."""
    from supervisors import wording

    return wording.shown(value, limit)


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like this one; None if none is. See `supervisors.wording.closest`."""
    from supervisors import wording

    return wording.closest(name, known, cutoff)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` if one of the known names is like this one, else nothing."""
    from supervisors import wording

    return wording.did_you_mean(name, known)


def exception_text(error: BaseException) -> str:
    """Return type and message of an exception, ``ValueError: bad``; readable even if its ``__str__`` raises."""
    from supervisors import wording

    kind, text = type(error).__name__, wording.text_of(error)
    return kind if text in ("", kind) else f"{kind}: {text}"


def known_names(known: Sequence[str]) -> str:
    """Return ``"known: a, b"``, in the order given."""
    return f"known: {', '.join(known)}" if known else "there is none"


def signal_name(number: int) -> str:
    """Return the name of a signal, or ``"signal NUMBER"`` for one without (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
