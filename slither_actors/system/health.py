"""Whether a System is fit for work, for probes; and what a drain came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from slither_actors.pools.statistics import PoolSnapshot
from slither_actors.telemetry import DetachedHandler


class Health(Struct, frozen=True):
    """What a probe wants to know.

    Args:
        live: the System's own machinery answers; where it does not, only a restart of the service helps.
        ready: new runs would be served: it runs, takes runs, and each pool has a worker that takes batches.
        reasons: why it is not live or not ready, for people; and which pools refuse more, as `max_waiting` wait there.
            That alone does not make it unready: it passes in a moment, and a probe that takes every replica out of
            service at once would make an outage of it.
        detached_handlers: telemetry handlers of this process that were detached because they raised, and what; the
            work goes on without them, so they count for neither.
    """

    live: bool
    ready: bool
    reasons: tuple[str, ...] = ()
    detached_handlers: tuple[DetachedHandler, ...] = ()


class DrainReport(Struct, frozen=True):
    """What became of the work that was under way when a drain began.

    Args:
        drained: whether all of it was finished in time: each run, and each actor of the System's own tree.
        completed: runs that ended by themselves.
        dropped: runs that were cut off at the deadline; their errors name what is unfinished.
        redelivered: batches that went to another worker meanwhile, because theirs died before it began them.
        stopped: whether everything of the System has ended.
        cut_actors: actors of the System's own tree that had not ended at the deadline, by their ids from the top
            ("feeds/news"); those that were to be asked after them are among them.
    """

    drained: bool
    completed: int
    dropped: int
    redelivered: int
    stopped: bool
    cut_actors: tuple[str, ...] = ()


OVER = {
    "stopped": "the System was stopped",
    "ended": "the System has ended: its supervisor gave up, or its actors were done",
    "forked": "the System was made before this process forked; start one here, as in the lifespan of a web service",
}


def judge(state: str, pools: Mapping[str, PoolSnapshot] | None, detached: tuple[DetachedHandler, ...] = ()) -> Health:
    """Return the health of a System.

    Args:
        state: of the System: "new", "starting", "running", "draining", "stopped"; "ended", if its supervisor gave up;
            "forked", in a process that was forked from its own.
        pools: what its pools hold; None where the scheduler does not answer.
        detached: the telemetry handlers that were detached because they raised.
    """
    if state in ("new", "starting"):
        return Health(True, False, (f"the System is {state}",), detached)
    if state in OVER:
        return Health(False, False, (OVER[state],), detached)
    if pools is None:
        return Health(False, False, ("the scheduler does not answer",), detached)
    reasons = [] if state == "running" else [f"the System is {state}"]
    full: list[str] = []
    for name, snapshot in pools.items():
        if snapshot.pool is None:
            reasons.append(f"pool {name!r} is not available")
        elif not snapshot.pool.ready:
            reasons.append(f"none of the {snapshot.pool.size} workers of pool {name!r} is ready")
        if snapshot.pool is not None and snapshot.pool.max_waiting is not None:
            most, unserved = snapshot.pool.max_waiting, snapshot.pool.unserved
            if most and unserved >= most:
                full.append(f"pool {name!r} refuses more: {unserved} runs and requests wait (max_waiting={most})")
    return Health(True, not reasons, (*reasons, *full), detached)
