"""A run's place in its pool, made of its options."""

from __future__ import annotations

import copy
from typing import Any

from slither_actors import telemetry
from slither_actors.context import Context
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.spec import PoolSpec
from slither_actors.run_options import RunOptions
from slither_actors.runs.run import Run


def run_queue_of(
    run: Run,
    timeout: float | None,
    batch_timeout: float | None,
    affinity: str = "none",
    pool_name: str | None = None,
) -> RunQueue:
    """Return the place of a run; of one with an inline executor unless a pool is named."""
    options = run.options
    return RunQueue(
        max_in_flight=options.max_in_flight,
        ahead=options.prefetch > 0,
        timeout=timeout,
        batch_timeout=batch_timeout,
        session=options.context.session_id,
        affinity=affinity,
        ready=options.ready,
        kill=options.on_abandon == "kill",
        describe=description(options, pool_name, run.id),
    )


def pooled_queue(run: Run, spec: PoolSpec, pool_name: str) -> RunQueue:
    """Return the place of a run in a pool, whose spec says what its options do not."""
    timeout, batch_timeout = timeouts(run.options, spec)
    return run_queue_of(run, timeout, batch_timeout, affinity_of(run.options, spec), pool_name)


def timeouts(options: RunOptions, spec: PoolSpec) -> tuple[float | None, float | None]:
    """Return the seconds for a batch, or an item, and those for a batch in any case; None for no bound."""
    return (
        options.timeout if options.timeout_given else spec.timeout,
        options.batch_timeout if options.batch_timeout_given else spec.batch_timeout,
    )


def affinity_of(options: RunOptions, spec: PoolSpec) -> str:
    """Return the affinity of a run's session; "none" where it is one of the run's own."""
    return options.affinity or spec.affinity if options.context.session_given else "none"


def description(options: RunOptions, pool_name: str | None, run_id: int) -> dict[str, Any]:
    """Return what the telemetry events of a run's batches say of it."""
    context = options.context
    return {
        "executor": type(options.executor).__name__,
        "pipe": context.pipe,
        "stage": context.stage,
        "run": run_id,
        "pool": pool_name,
        "node": telemetry.node(),
    }


def own_session(options: RunOptions) -> RunOptions:
    """Return these options, which several runs share, with a session of one run: a new one unless it was given."""
    context = options.context
    if context.session_given:
        return options
    own = copy.copy(options)
    fresh = Context(context.pipe, context.stage, None, context.stores, context.metadata, context.runtime)
    object.__setattr__(own, "context", fresh)
    return own
