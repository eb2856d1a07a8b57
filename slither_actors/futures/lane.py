"""The way from an executor to the workers of a pool."""

from __future__ import annotations

from slither_actors.futures.pending import Lane
from slither_actors.system.system import System
from slither_actors.worker import calls


def lane_to(system: System, pool: str | None, timeout: float | None) -> Lane:
    """Return the lane to a pool: a prepared call of what calls functions in workers.

    Args:
        system: whose pool it is.
        pool: its name; None: "default", or the only one.
        timeout: seconds that a request may take; None: no limit.

    Raises:
        UnknownPool: naming the known ones.
    """
    # What an executor promises does not depend on the System's defaults.
    return system.dispatch.bind(
        function=calls.call, each=True, on_error="halt", timeout=timeout, batch_timeout=None, pool=pool
    )
