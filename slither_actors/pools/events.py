"""The telemetry events of batches, built only where a handler is attached."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from slither_actors import telemetry
from slither_actors.errors import WorkerError

if TYPE_CHECKING:
    from slither_actors.pools.assignment.job import Job
    from supervisors import Scheduler


def tell_start(scheduler: Scheduler, job: Job) -> None:
    """Emit ``batch.start``: a job goes to a worker of its pool, or to a thread of an inline executor."""
    if telemetry.attached(telemetry.BATCH_START):
        # 0: no handler was attached when it was queued.
        waited = scheduler.now() - job.queued if job.queued else 0.0
        _emit(scheduler, telemetry.BATCH_START, job, {"queue_time": waited}, {})


def tell_stop(scheduler: Scheduler, job: Job) -> None:
    """Emit ``batch.stop``: a job has its results."""
    if telemetry.attached(telemetry.BATCH_STOP):
        _emit(scheduler, telemetry.BATCH_STOP, job, _times(scheduler, job), {"outcome": "ok"})


def tell_exception(scheduler: Scheduler, job: Job, error: Exception, outcome: str, size: int) -> None:
    """Emit ``batch.exception``: a job, or so many items of it, failed; `outcome` is the policy's decision."""
    if telemetry.attached(telemetry.BATCH_EXCEPTION):
        facts = {"outcome": outcome, "reason": error, "cause": _cause(error)}
        _emit(scheduler, telemetry.BATCH_EXCEPTION, job, {**_times(scheduler, job), "size": size}, facts)


def _times(scheduler: Scheduler, job: Job) -> dict[str, float]:
    now = scheduler.now()
    began = job.began or now  # a batch that could not be encoded never began
    # Of a crash or a timeout the worker has not said how long it took: then it is the time that the host waited for it.
    took = job.took / 1e9 if job.took else now - began
    return {"duration": took, "queue_time": began - job.queued if job.queued else 0.0}


def _cause(error: Exception) -> str:
    """Return the type of what went wrong: of the worker's exception, where it is one of the user's function."""
    return error.type.removeprefix("builtins.") if isinstance(error, WorkerError) else type(error).__name__


def _emit(scheduler: Scheduler, event: str, job: Job, times: dict[str, float], facts: dict[str, Any]) -> None:
    metadata = {
        **job.run_queue.describe,
        **({"run": job.run} if job.run else {}),
        "batch_ref": job.ref,
        "attempt": job.attempt,
        "worker": job.worker,
        "closed_by": job.closed_by,
        **facts,
    }
    measurements = {"time": time.time(), "size": job.count, **times}
    telemetry.emit(event, measurements, metadata, scheduler.background.submit)
