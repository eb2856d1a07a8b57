"""Names of parameters that are the same in each process, so that a test can be run again by its name."""

from __future__ import annotations

import re


def stable(value: object) -> str:
    """Return the start of a value's text without addresses; of what has a set, whose order differs, only its type."""
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    return type(value).__name__ if isinstance(value, set) or "frozenset({" in text else text[:40]
