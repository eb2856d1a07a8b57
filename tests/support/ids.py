"""Names of parameters that are the same in each process, so that a test can be run again by its name."""

from __future__ import annotations


def stable(value: object) -> str | None:
    """Return the start of a value's text, or None, which numbers it, where it has an address or the order of a set."""
    text = repr(value)
    return None if " at 0x" in text or isinstance(value, set) or "frozenset({" in text else text[:40]
