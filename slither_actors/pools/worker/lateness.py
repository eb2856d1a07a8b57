"""The error of a batch, an item or a stream that has had its time. Pure."""

from __future__ import annotations

from typing import Any

from slither_actors.errors import BatchTimeout
from slither_actors.pools.assignment.job import Job
from slither_actors.pools.assignment.stream_job import StreamJob
from slither_actors.pools.worker.blame import Watch


def timeout_of(job: Job, watch: Watch, now: float) -> BatchTimeout:
    """Return the error for a batch that has had its time, with what is known of how far it is."""
    run_queue, index = job.run_queue, watch.index
    if type(job) is StreamJob:
        if job.cancelled:
            return BatchTimeout(run_queue.deadline or 0.0, of="end", done=job.arrived)
        if run_queue.batch_timeout is not None and now >= job.began + run_queue.batch_timeout:
            return BatchTimeout(run_queue.batch_timeout, option="batch_timeout", of="stream", done=job.arrived)
        return BatchTimeout(run_queue.timeout or 0.0, of="chunk", done=job.arrived)
    average = run_queue.average / job.count if run_queue.average is not None else None
    if index:
        average = (watch.since - job.began) / index
    facts: dict[str, Any] = {"count": job.count, "done": index, "average": average, "ready": run_queue.ready}
    if watch.is_over(job, now):
        return BatchTimeout(run_queue.timeout or 0.0, of="item", **facts)
    if run_queue.batch_timeout is not None and now >= job.began + run_queue.batch_timeout:
        return BatchTimeout(run_queue.batch_timeout, option="batch_timeout", **facts)
    return BatchTimeout(run_queue.timeout or 0.0, **facts)
