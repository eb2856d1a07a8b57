"""The lane of a pool that requests with equal options share: their run queue, and where their outcomes come."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol

from slither_actors import telemetry
from slither_actors.errors import Overloaded, SystemStopped
from slither_actors.pools.assignment.job import Outcome, Replies, RunNotice, RunQueue
from slither_actors.pools.events import tell_exception, tell_stop
from slither_actors.pools.messages import QueueMessage
from slither_actors.runs.batch import Batch
from slither_actors.runs.live_runs import LiveRuns
from slither_actors.wire.header import REPLY, Frame
from supervisors import Ref, Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterable

SAFE_PEAK = 0.005
"""Seconds. Requests are sent ahead of a worker's reply only while no recent one of the lane took longer: then one that
is slow all of a sudden is the only thing that those behind it wait for."""
SHARE_OF_WORK = 10.0
"""Of the work that a run keeps in a pipe, 20 ms, a lane keeps this part: 2 ms. So a request waits for no more."""


class ReplyTo(Protocol):
    """Where a request came from, and its outcome goes."""

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Take the outcome. On the scheduler's thread: never blocks, calls no user code."""


class Request(Batch, kw_only=True, eq=False):
    """A run of one batch, with no actor of its own.

    Args:
        reply_to: gets the outcome.
        waiter: who waits for it, as `reply_to` knows it.
        outcome: kept here where the waiter cannot be given it.
        sent: it has been submitted to the pool.
        due: when it has had its time; 0: it has no `deadline`.
        answered: it has an outcome, so that it is not overdue any more. Kept where it has a deadline only.
    """

    reply_to: ReplyTo
    waiter: Any = None
    outcome: Any = None
    sent: bool = False
    due: float = 0.0
    answered: bool = False


class Lane(RunQueue):
    """The run queue of all requests with equal options. It is its own Collector: outcomes go straight to who waits.

    A request is in `pending` from before it is submitted until its caller has its outcome. It is taken out, and counted
    as ended, on the scheduler's thread: once, whatever interrupts its caller.

    Args:
        pool: its Pool.
        live: the runs of the System.
        scheduler: the System's.
        options: for `RunQueue`.
    """

    __slots__ = ("__weakref__", "checks", "encoders", "failed", "live", "pending", "pool", "scheduler")

    shared = True

    def __init__(self, pool: Ref[QueueMessage], live: LiveRuns, scheduler: Scheduler, **options: Any) -> None:
        super().__init__(max_in_flight=1 << 30, **options)
        self.collector = weakref.proxy(self)  # what is in its own hands alone is gone with the last request
        self.pool = pool
        self.live = live
        self.scheduler = scheduler
        self.pending: dict[Request, None] = {}
        self.encoders: list[Any] = []
        """Those that are not in use: what large buffers are put into is the pool's."""
        self.failed: Exception | None = None
        """Why it takes no more requests: its pool, or the System, is gone."""
        self.checks = False
        """Whether `entered` is to be called for each request: it has a deadline, or the lane takes no more."""

    def entered(self, request: Request) -> None:
        """Take note of a request that is in `pending` now, before it is submitted. From any thread."""

    def __del__(self) -> None:
        for encoder in getattr(self, "encoders", ()):
            encoder.close()

    def likely(self) -> float | None:
        """Seconds to reckon with for the next request; None: nothing is known. Many, where a recent one was slow."""
        average = self.average
        if average is None:
            return None
        return 1.0 if self.peak > SAFE_PEAK else SHARE_OF_WORK * average

    def tell(self, notice: RunNotice, /) -> None:
        """Take outcomes from the Pool. On the scheduler's thread."""
        if isinstance(notice, Replies):
            jobs: Any = notice.jobs
            self._replied(jobs)
        else:
            ended: Any = notice.ended
            for request, outcome in ended:
                if type(outcome) is Frame and outcome.kind == REPLY and outcome.count == request.count:
                    request.reply = outcome
                    self._replied([request])
                else:  # stays pending until its caller has made something of it, unless there is nothing to be made
                    if type(outcome) is Overloaded:
                        self.drop([request])
                        tell_exception(self.scheduler, request, outcome, "halt", request.count)
                    request.reply_to.finished(request, outcome)

    def _replied(self, requests: list[Request]) -> None:
        """Take replies with a result for each item."""
        pending = self.pending
        observed = telemetry.attached(telemetry.BATCH_STOP)
        count = 0
        for request in requests:
            reply: Any = request.reply
            count += pending.pop(request, self) is None
            if observed:
                request.took = reply.took
                tell_stop(self.scheduler, request)
            request.reply_to.finished(request, reply)
        self.live.request_ended(count)

    def is_alive(self) -> bool:
        """Return whether its pool is there."""
        return self.failed is None

    def fail(self, error: Exception) -> None:
        """End all that is pending: the pool, or the System, is gone. On the scheduler's thread."""
        if self.failed is not None:
            return
        # First: a request that is added from here on finds it.
        self.failed = self.over = error
        self.checks = True
        requests = list(self.pending)
        if isinstance(error, SystemStopped):
            self.live.cut_off += len(requests)
        self.drop(requests)
        for request in requests:
            request.reply_to.finished(request, error)

    def drop(self, requests: Iterable[Request]) -> None:
        """Take requests out whose callers are done with them, or gone. On the scheduler's thread."""
        count = 0
        for request in requests:
            count += self.pending.pop(request, self) is None
        self.live.request_ended(count)

    def hand_over(self, request: Request) -> None:
        """Take a request out that has become a run, which is counted for itself. On the scheduler's thread."""
        self.pending.pop(request, None)
