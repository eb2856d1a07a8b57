"""Calls that block the thread of an event loop: they work, and what else that thread serves stands still meanwhile."""

from __future__ import annotations

import sys
import warnings

_warned: set[str] = set()


class EventLoopBlocked(RuntimeWarning):
    """A blocking call was made in the thread of a running event loop: all that the loop serves waits for it.

    The warning names what to await instead. ``warnings.simplefilter("ignore", EventLoopBlocked)`` where that is meant.
    """


def warn_in_loop(call: str, remedy: str) -> None:
    """Warn if an event loop runs in this thread. `call` is about to block it; `remedy` does not.

    The warning is attributed to the first caller outside this package, so that Python's filters show it once for each
    place. In a Jupyter kernel, where a cell cannot but run in a loop, it is shown once for each call of ours.

    Args:
        call: as its user knows it.
        remedy: what to write instead.
    """
    events = sys.modules.get("asyncio.events")  # without asyncio there is no loop
    # By getattr: another thread may be in the middle of importing it.
    get = getattr(events, "_get_running_loop", None)
    if get is None or get() is None or ("ipykernel" in sys.modules and call in _warned):
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "slither_actors":
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"{call} blocks the event loop that runs in this thread, with everything that it serves: use {remedy}",
        EventLoopBlocked,
        stacklevel=level,
    )
    _warned.add(call)
