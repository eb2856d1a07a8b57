"""When a worker may be killed for unwanted work. Pure: the time is passed in."""

from __future__ import annotations

STARTS_BETWEEN = 10.0
"""A worker is killed so once in this many times what its start takes: so that callers who come and go leave it a tenth
of its time, at the most, for starting."""


def may_kill(last: float | None, now: float, start_seconds: float) -> bool:
    """Return whether a worker may be killed for what it executes.

    Args:
        last: when that was done in its place last; None: never.
        now: by the same clock.
        start_seconds: what its start took.
    """
    return last is None or now - last >= STARTS_BETWEEN * start_seconds
