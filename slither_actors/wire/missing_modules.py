"""What to do where a value cannot be decoded as a module is missing. Loaded when the first such value comes."""

from __future__ import annotations

import sys


def remedy(error: BaseException, verb: str) -> str:
    """Return a clause that names the missing module and this interpreter; "" if that is not behind the error.

    Args:
        error: what decoding raised.
        verb: what the other side has done with the value: "send" or "return".
    """
    missing = missing_module(error)
    if missing is None:
        return ""
    return f"; install {missing} for {sys.executable}, too, or {verb} plain data (numpy: .tolist())"


def missing_module(error: BaseException | None) -> str | None:
    """Return the top-level module that could not be imported, if that is behind the error."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition(".")[0]
        error = error.__cause__
    return None
