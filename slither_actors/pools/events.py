"""The telemetry events of batches, built only where somebody attached to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slither_actors import telemetry

if TYPE_CHECKING:
    from slither_actors.pools.job import Job
    from supervisors import Scheduler


def tell_start(scheduler: Scheduler, job: Job, pool: str | None) -> None:
    """A job goes to a worker of this pool (None: to a thread of an inline executor)."""
    if telemetry.attached(telemetry.BATCH_START):
        # 0: nobody wanted events when it was queued.
        waited = scheduler.now() - job.queued if job.queued else 0.0
        _emit(scheduler, telemetry.BATCH_START, job, {"queue_time": waited}, {"pool": pool})


def tell_stop(scheduler: Scheduler, job: Job) -> None:
    """A job has its results."""
    if telemetry.attached(telemetry.BATCH_STOP):
        _emit(scheduler, telemetry.BATCH_STOP, job, _times(scheduler, job), {"outcome": "ok"})


def tell_exception(scheduler: Scheduler, job: Job, error: Exception, outcome: str) -> None:
    """A job failed, and this is what the policy made of it."""
    if telemetry.attached(telemetry.BATCH_EXCEPTION):
        facts = {"outcome": outcome, "reason": error}
        _emit(scheduler, telemetry.BATCH_EXCEPTION, job, _times(scheduler, job), facts)


def _times(scheduler: Scheduler, job: Job) -> dict[str, float]:
    now = scheduler.now()
    began = job.began or now  # a batch that could not be encoded never began
    return {"duration": now - began, "queue_time": began - job.queued if job.queued else 0.0}


def _emit(scheduler: Scheduler, event: str, job: Job, times: dict[str, float], facts: dict[str, Any]) -> None:
    metadata = {**job.lane.describe, "batch_ref": job.ref, "attempt": job.attempt, **facts}
    telemetry.emit(event, {"size": job.count, **times}, metadata, scheduler.side.submit)
