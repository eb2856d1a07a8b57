"""Time of the processor, as tests take it that must hold on a machine that is slower or busy."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

MOST_SECONDS = 0.1
"""That 64 KiB from outside may take."""
_SPIN_SECONDS = 0.006
_TRIES = 10


def settle() -> None:
    """Let full collections no longer look through what is there now, a quarter of a second for the whole suite.

    They come at any time, and would be counted to whatever is being looked at.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def processor_time(call: Callable[[], object], *, enough: float = MOST_SECONDS) -> float:
    """In seconds of a machine that does `_spin` in 6 ms: the best of some tries, or the first that is within `enough`.

    A machine that is slower, or busy, gets as much more as it takes longer for that.
    """
    taken = 9e9
    for _ in range(_TRIES):
        slower = max(1.0, _seconds(_spin) / _SPIN_SECONDS)
        taken = min(taken, _seconds(call) / slower)
        if taken <= enough:
            break
    return taken


def _seconds(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _spin() -> None:
    total = 0
    for number in range(200_000):
        total += number
