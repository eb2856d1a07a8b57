"""When a batch is closed, and with how many calls. Pure."""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

ClosedBy: TypeAlias = Literal["idle", "full", "wait", "end"]

SPLIT_SECONDS: Final = 0.001
"""Work below which calls are not spread over several idle workers: a batch costs host and worker some 0.1 ms."""


def next_batch(
    waiting: int,
    *,
    full: bool,
    waited: bool,
    ending: bool,
    in_flight: int,
    workers: int,
    most: int,
    seconds: float,
) -> tuple[int, ClosedBy] | None:
    """Return how many calls the next batch takes, and why it is closed; None while it stays open.

    While a worker is idle nothing waits. While all are busy, one batch may wait behind each of them: a full one, or one
    whose calls have waited long enough. What comes beyond that fills the open batch.

    Args:
        waiting: calls, at least 1.
        full: they fill a batch, by number or weight.
        waited: the oldest has waited for `max_wait`.
        ending: no more calls come.
        in_flight: batches without an outcome.
        workers: of the pool.
        most: calls in a batch.
        seconds: what a call takes, about.
    """
    idle = workers - in_flight
    if idle > 0:
        parts = min(idle, waiting, 1 + int(waiting * seconds / SPLIT_SECONDS))
        return min(most, math.ceil(waiting / parts)), "idle"
    if idle > -workers:
        if full:
            return most, "full"
        if ending:
            return waiting, "end"
        if waited:
            return waiting, "wait"
    return None
