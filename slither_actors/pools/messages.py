"""The messages between the actors of a pool, and from the runs that use it. Those to a run or a worker are in `job`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from slither_actors.pools.assignment.job import Job, Outcome, RunQueue, WorkerCommand
from slither_actors.pools.assignment.stream_job import Credit
from slither_actors.pools.hosts.base import Death, Spawned, SpawnFailed
from supervisors import Down, Ref

TRIM_AGAIN = 5.0
"""Seconds after which `Trim` is tried again where something was still in use."""

# A run → Pool


class Submit(Struct, frozen=True, gc=False):
    """Execute these jobs, in this order; `front` for those that go before what already waits."""

    run_queue: RunQueue
    jobs: Sequence[Job]
    front: bool = False


class CancelJobs(Struct, frozen=True):
    """Send none of these any more, and cancel those that have not begun; `overdue`: requests that had their time."""

    run_queue: RunQueue
    jobs: Sequence[Job]
    overdue: bool = False


class CloseQueue(Struct, frozen=True):
    """The run has ended. What waits is dropped, what has not begun is cancelled, late replies are dropped.

    Args:
        run_queue: its place.
        forget_session: no other run has its session.
        overdue: it had its time.
    """

    run_queue: RunQueue
    forget_session: bool
    overdue: bool = False


QueueMessage: TypeAlias = Submit | CancelJobs | CloseQueue
"""What a run sends to what executes its batches: a Pool, or an InlinePool."""


# To a Pool


class WhenReady(Struct, frozen=True):
    """Anyone → Pool: call `answer` once all workers are ready (None), or with the first error of one."""

    answer: Callable[[Exception | None], None]


class WorkerUp(Struct, frozen=True):
    """Executor → Pool: the worker is ready for jobs."""

    index: int
    ref: Ref[WorkerCommand]
    pid: int | None
    commands: Sequence[str]


class WorkerReplied(Struct, frozen=True, gc=False):
    """Executor → Pool: these jobs, the first ones in the worker's pipe, have a `reply` in which no item failed alone.

    Args:
        index: of the worker.
        jobs: in order.
        seconds: what one of them took, about.
    """

    index: int
    jobs: list[Job]
    seconds: float


class WorkerDone(Struct, frozen=True):
    """Executor → Pool: these jobs have left the worker's pipe, each with how it ended."""

    index: int
    ended: Sequence[tuple[Job, Outcome]]
    seconds: float


class WorkerGone(Struct, frozen=True):
    """Executor → Pool: the worker is dead, and what it had not begun is to be redelivered.

    Args:
        index: of the worker.
        ended: what it was executing, and why that failed.
        error: why it died.
        planned: a timeout, a recycling or unwanted work, after which the Executor starts the next worker itself; else
            it exits.
        kept: what it will still answer: it is not dead yet, but begins nothing more.
    """

    index: int
    ended: Sequence[tuple[Job, Outcome]]
    error: Exception
    planned: bool
    kept: Sequence[Job] = ()


class WorkerUnstartable(Struct, frozen=True):
    """Executor → Pool: the worker could not be made ready, and why."""

    index: int
    error: Exception


PoolMessage: TypeAlias = (
    QueueMessage | WhenReady | WorkerUp | WorkerReplied | WorkerDone | WorkerGone | WorkerUnstartable | Down
)
ExecutorMessage: TypeAlias = WorkerCommand | Credit | Spawned | SpawnFailed | Death
