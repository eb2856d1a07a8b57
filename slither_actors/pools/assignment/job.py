"""What travels through a pool: jobs, where they are, and the messages that carry them.

A Job is one encoded batch, a RunQueue is one run's place in the pool, a WorkerSlot is one worker's. The three refer to
each other, and to those who hear of them, so they are in one module.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from slither_actors.item import Item
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.shared_memory import Lease
from slither_actors.wire.header import Frame
from supervisors import Ref

BINDING = ("strict", "fail_fast")
"""The affinities under which a session has one worker."""
PEAK_FADES = 0.98
PEAK_COUNTS = 8
"""Peak estimate of a job's seconds: half-life 34 jobs, weight 1/8."""
AVERAGE_WEIGHT = 0.25
"""Weight of a new sample in the average of a run: quick to see that batches became slow, not thrown by one of them."""

next_request_id = itertools.count(1).__next__
"""Request ids are unique in the process, so that a late reply can match nothing but its own request."""


class Job(Struct, eq=False):
    """One batch on its way through a pool. The pool reads these fields and leaves the rest to the run.

    Its body is encoded once; the header is made when it is sent, so a redelivery or a retry sends the same bytes.
    A Struct for what it costs to make one: 0.1 us, where a class with as many slots takes 0.8.

    Args:
        run_queue: the queue of its run in the pool.
        ref: its number in the run.
        count: items in it.
        target: what it calls.
        side: of its frame: target and session, encoded.
        body: of its frame.
        buffers: of its frame, beside the body; or where they are in the memory that the workers share.
        attempt: which execution the next one is, from 1.
        request_id: of the request that was sent last.
        avoid: the index of the worker that failed it.
        cancelled: its run does not want it any more.
        queued: when it came to the pool.
        began: when it was first in its worker's pipe.
        took: nanoseconds that its function took, as the worker says; 0: it has not said.
        worker: index of the worker that it went to last, while a telemetry handler is attached; else None.
        closed_by: why it has no more items: see the table in `slither_actors.telemetry`.
        reply: the frame with all its results, once it has come.
        spared: deaths of its worker that were charged to none of its items.
        deaths: of its worker that cost it an attempt while other batches were executed beside it.
        timed: it came to a pool that bounds how long a batch may wait, and did not come back to it.
        run: the number of its run, where several runs share a run queue; else that is in `RunQueue.describe`.
    """

    run_queue: RunQueue
    ref: int
    count: int
    target: Target | None = None
    side: bytes = b""
    body: bytes | memoryview = b""
    buffers: Sequence[Any] | Lease = ()
    attempt: int = 1
    request_id: int = 0
    avoid: int | None = None
    cancelled: bool = False
    queued: float = 0.0
    began: float = 0.0
    took: int = 0
    worker: int | None = None
    closed_by: str = "full"
    reply: Frame | None = None
    spared: int = 0
    deaths: int = 0
    timed: bool = False
    run: int = 0

    def unwanted(self) -> bool:
        """Return whether its worker is to be killed if it is in execution, as its run is gone."""
        return self.cancelled and self.run_queue.kill


class AtItem(Struct, frozen=True):
    """How a job ended: one item of it is charged with `error`, the others are executed again as the same attempt."""

    index: int
    error: Exception


Outcome: TypeAlias = Frame | Exception | AtItem | list[Item]
"""How a job ended: a REPLY or FAILURE frame, what went wrong (BatchTimeout, WorkerCrashed, ...), or the Items that an
inline executor gave."""


# Pool → a run


class Replies(Struct, frozen=True, gc=False):
    """Jobs that have come back, each with its `reply`, which says that no item failed alone."""

    jobs: list[Job]


class Outcomes(Struct, frozen=True):
    """Jobs that ended, each with how."""

    ended: Sequence[tuple[Job, Outcome]]


RunNotice: TypeAlias = Replies | Outcomes


# Pool → Executor


class Send(Struct, frozen=True, gc=False):
    """Put these jobs into the worker's pipe.

    Args:
        jobs: in order.
        forget: sessions whose stores the worker may drop before them; so those of runs that ended cost no write.
    """

    jobs: list[Job]
    forget: Sequence[str] = ()


class Cancel(Struct, frozen=True):
    """These jobs are not wanted any more: notify the worker, unless it has begun them.

    Args:
        jobs: of one run queue.
        kill: kill the worker if all that it executes is such.
    """

    jobs: list[Job]
    kill: bool = False


class Forget(Struct, frozen=True):
    """The worker may drop the stores of these sessions."""

    sessions: Sequence[str]


class Trim(Struct, frozen=True):
    """No run has been there for a while: give back the memory of large payloads."""


WorkerCommand: TypeAlias = Send | Cancel | Forget | Trim


class _NotStarted:
    """In the place of a Collector, before there is one."""

    def tell(self, message: RunNotice) -> None:
        raise AssertionError(f"{message} for a run that has not started")

    def is_alive(self) -> bool:
        return False


_NOT_STARTED = _NotStarted()


class RunQueue:
    """A run's place in its pool: what it may use, what waits, where its jobs are.

    Args:
        max_in_flight: workers that the run may occupy at a time.
        ahead: whether further jobs may wait in pipes of workers that it occupies.
        timeout: seconds a job may take once it is first in its worker's pipe, or, where the worker says at which item
            it is, an item; None for no bound.
        batch_timeout: seconds a job may take in any case; None for no bound.
        session: the session id that its jobs carry.
        affinity: "none", "hint", "strict" or "fail_fast"; "none" also where the session id was not given by the caller.
        ready: its one batch was given as it is, to `call_batch`.
        kill: what is in execution when it is left is to be killed, not finished.
    """

    __slots__ = (
        "affinity",
        "ahead",
        "average",
        "batch_timeout",
        "binds",
        "cancelling",
        "closed",
        "collector",
        "deadline",
        "describe",
        "hungry",
        "in_pipes",
        "kill",
        "max_in_flight",
        "new",
        "occupied",
        "open",
        "over",
        "peak",
        "place",
        "ready",
        "served_by",
        "session",
        "timeout",
        "turns",
        "waiting",
        "waits_for",
        "woken",
    )

    shared = False
    """Whether its jobs are runs of their own: each of them has a turn, where a run has one."""

    def __init__(
        self,
        *,
        max_in_flight: int,
        ahead: bool,
        timeout: float | None,
        batch_timeout: float | None = None,
        session: str | None = None,
        affinity: str = "none",
        describe: dict[str, Any] | None = None,
        ready: bool = False,
        kill: bool = False,
    ) -> None:
        self.collector: Ref[RunNotice] = _NOT_STARTED
        """Of the run; set before anything is sent."""
        self.max_in_flight, self.ahead = max_in_flight, ahead
        self.timeout = timeout
        self.batch_timeout = batch_timeout
        self.deadline = min((each for each in (timeout, batch_timeout) if each is not None), default=None)
        """Seconds after which a job is looked at first."""
        self.session = session
        self.affinity = affinity
        self.binds = affinity in BINDING  # its session has one worker
        self.describe, self.ready, self.kill = describe or {}, ready, kill
        self.waiting: deque[Job] = deque()
        self.occupied: dict[WorkerSlot, int] = {}  # how many of its jobs are where
        self.in_pipes = 0  # the sum of these
        self.open: dict[WorkerSlot, None] = {}  # of those, the ones that may have room for more of its jobs, in turn
        self.served_by: set[WorkerSlot] = set()
        self.average: float | None = None
        self.peak = 0.0
        self.cancelling = 0  # jobs of it in pipes that have been cancelled
        self.over: Exception | None = None  # its function cannot be loaded: nothing more of it is begun
        self.closed = False
        # Kept by the pool's Turns:
        self.place: OrderedDict[RunQueue, None] | None = None  # where it waits; None: it has nothing to be sent
        self.waits_for: Hashable = None  # what it was set aside for
        self.woken: Hashable = None  # what it was set aside for before it became due
        self.hungry = 0  # 1 while counted as one that waits without a job at any worker
        self.turns = 0  # of a shared one: jobs that came before the run that is next in line
        self.new = 0  # 1 if it had none when it joined, until it is served

    def took(self, seconds: float, jobs: int = 1) -> None:
        """So many jobs took `seconds` each: what decides how many of them are sent ahead."""
        if self.average is None:
            self.average = seconds
        else:
            self.average += (1.0 - (1.0 - AVERAGE_WEIGHT) ** jobs) * (seconds - self.average)
        self.peak = max(seconds, self.peak * PEAK_FADES**jobs)

    def likely(self) -> float | None:
        """Seconds to reckon with for the next job; None: nothing is known.

        Where now and then one takes much longer than the others, few are to wait behind the next such one.
        """
        average = self.average
        return None if average is None else max(average, self.peak / PEAK_COUNTS)


class WorkerSlot:
    """One worker's place in the pool, kept over the worker's deaths."""

    __slots__ = ("forget", "index", "jobs", "load", "pid", "quota", "ready", "ref", "run_queue")

    def __init__(self, index: int) -> None:
        self.index = index
        self.ref: Ref[WorkerCommand] | None = None
        self.pid: int | None = None
        self.ready = False
        self.load = 0
        self.run_queue: RunQueue | None = None
        """Whose jobs are in its pipe; None where they are of several runs, as sessions are bound to it."""
        self.quota = 0
        """Jobs that its run may still put into the pipe while other runs wait for a worker; renewed when it is idle."""
        self.jobs: list[Job] = []
        """Those in its pipe, and those on their way to its Executor, in order."""
        self.forget: list[str] = []
        """Sessions of runs that ended, whose stores the worker still has."""
