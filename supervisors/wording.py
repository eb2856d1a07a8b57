"""Values in messages. A repr is user code: it may raise, and may be as long as memory allows."""

from __future__ import annotations

__all__ = ["shown", "text_of"]

_SHOWN = 200


def shown(value: object) -> str:
    """Return the repr of a value, cut to a readable length, and something readable if its repr raises."""
    try:
        text = repr(value)
    except BaseException:  # it would end the supervisor whose error this is
        return f"<{type(value).__name__} whose repr fails>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def text_of(error: BaseException) -> str:
    """Return what an error says, and its type's name if it cannot say it."""
    try:
        return str(error)
    except BaseException:
        return type(error).__name__
