"""What the actors of a pool, and of the runs that use it, say to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pykka

    from slither_actors.item import Item
    from slither_actors.pools.assignment.job import Job, RunQueue
    from slither_actors.wire.frames import Frame

    Outcome: TypeAlias = "Frame | Exception | AtItem | list[Item]"
    """How a job ended: a REPLY or FAILURE frame, what went wrong (BatchTimeout, WorkerCrashed, ...), or the Items
    that an inline executor gave."""


class AtItem:
    """How a job ended: one item of it is charged with this, the others are to be executed again as if nothing was."""

    __slots__ = ("error", "index")

    def __init__(self, index: int, error: Exception) -> None:
        self.index = index
        self.error = error


class Submit:
    """A run → Pool: jobs to be done, in this order; `front` for those that go before what already waits."""

    __slots__ = ("front", "jobs", "run_queue")

    def __init__(self, run_queue: RunQueue, jobs: Sequence[Job], front: bool = False) -> None:
        self.run_queue = run_queue
        self.jobs = jobs
        self.front = front


class CancelJobs:
    """A run → Pool: send none of these any more, and cancel those that have not begun."""

    __slots__ = ("jobs", "run_queue")

    def __init__(self, run_queue: RunQueue, jobs: Sequence[Job]) -> None:
        self.run_queue = run_queue
        self.jobs = jobs


class CloseQueue:
    """A run → Pool: it has ended. What waits is dropped, what has not begun is cancelled, replies go nowhere."""

    __slots__ = ("forget_session", "run_queue")

    def __init__(self, run_queue: RunQueue, forget_session: bool) -> None:
        self.run_queue = run_queue
        self.forget_session = forget_session


class Replies:
    """Pool → a run: jobs that have come back, each with its `reply`, which says that no item failed alone."""

    __slots__ = ("jobs",)

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs


class Outcomes:
    """Pool → a run: jobs that ended, each with how."""

    __slots__ = ("ended",)

    def __init__(self, ended: list[tuple[Job, Outcome]]) -> None:
        self.ended = ended


class WhenReady:
    """Anyone → Pool: call `answer` once all workers are ready (None), or with the first error of one."""

    __slots__ = ("answer",)

    def __init__(self, answer: Callable[[Exception | None], None]) -> None:
        self.answer = answer


TRIM_AGAIN = 5.0
"""Seconds after which `Trim` is tried again where something was still in use."""


class Trim:
    """Pool → Executor: no run has been there for a while, so the memory of large payloads is to be given back."""

    __slots__ = ()


class Send:
    """Pool → Executor: put these jobs into the worker's pipe."""

    __slots__ = ("jobs",)

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs


class Cancel:
    """Pool → Executor: these jobs of yours are not wanted; tell the worker unless it is at them already."""

    __slots__ = ("jobs",)

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs


class Forget:
    """Pool → Executor: the worker may drop this session's store."""

    __slots__ = ("session",)

    def __init__(self, session: str) -> None:
        self.session = session


class WorkerUp:
    """Executor → Pool: my worker is ready for jobs."""

    __slots__ = ("commands", "index", "pid", "ref")

    def __init__(self, index: int, ref: pykka.ActorRef[Any], pid: int | None, commands: Sequence[str]) -> None:
        self.index = index
        self.ref = ref
        self.pid = pid
        self.commands = commands


class WorkerReplied:
    """Executor → Pool: these jobs, the first ones in my worker's pipe, have a `reply` in which no item failed alone.

    `seconds`: what one of them took, about.
    """

    __slots__ = ("index", "jobs", "seconds")

    def __init__(self, index: int, jobs: list[Job], seconds: float) -> None:
        self.index = index
        self.jobs = jobs
        self.seconds = seconds


class WorkerDone:
    """Executor → Pool: these jobs have left my worker's pipe, one way or another."""

    __slots__ = ("ended", "index", "seconds")

    def __init__(self, index: int, ended: list[tuple[Job, Outcome]], seconds: float) -> None:
        self.index = index
        self.ended = ended
        self.seconds = seconds


class WorkerGone:
    """Executor → Pool: my worker is dead. `ended`: what it was at, and why that failed; all else only waited.

    `planned`: a timeout or a recycling, after which I start the next worker myself; otherwise I am about to exit.
    """

    __slots__ = ("ended", "error", "index", "planned")

    def __init__(self, index: int, ended: list[tuple[Job, Outcome]], error: Exception, planned: bool) -> None:
        self.index = index
        self.ended = ended
        self.error = error
        self.planned = planned


class WorkerUnstartable:
    """Executor → Pool: my worker could not be made ready, and why."""

    __slots__ = ("error", "index")

    def __init__(self, index: int, error: Exception) -> None:
        self.index = index
        self.error = error
