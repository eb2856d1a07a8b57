"""The ways back to who waits for a request: a task of an event loop, a thread, a `concurrent.futures.Future`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slither_actors.pools.messages import CancelJobs, Submit
from slither_actors.requests.lane import Lane, Request
from slither_actors.runs.output.consumer import Consumer, check_may_wait
from supervisors import Scheduler

if TYPE_CHECKING:
    import asyncio

    from slither_actors.pools.assignment.job import Outcome


def cancel(lane: Lane, requests: list[Request]) -> None:
    """Withdraw requests whose callers are gone: what waits is not sent, what has begun runs out. From any thread."""
    lane.pool.tell(CancelJobs(lane, requests))
    lane.scheduler.post(lane.drop, requests)


def settled(request: Request, consumer: Consumer) -> None:
    """Note that a request is over; the run that it became, if it did, is counted for itself. May be repeated."""
    lane: Any = request.run_queue
    if consumer.run.has_started:
        lane.scheduler.post(lane.hand_over, request)
    else:
        lane.scheduler.post(lane.drop, [request])


class ThreadReplyTo:
    """To threads that are each blocked on a lock, `Request.waiter`.

    They are woken when the workers have their next requests: each of them wants the interpreter at once.

    Args:
        scheduler: of the System.
    """

    __slots__ = ("_done", "_scheduler")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._done: list[Any] = []

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Keep the outcome, and wake the thread later in this turn of the scheduler."""
        request.outcome = outcome
        if not self._done:
            self._scheduler.before_sleep(self._wake)
        self._done.append(request.waiter)

    def _wake(self) -> None:
        done, self._done = self._done, []
        for waiter in done:
            waiter.release()


class LoopReplyTo:
    """To the tasks of one event loop: requests of one turn leave together, outcomes of a burst come back with one wake.

    A request that is alone leaves at once, as there is nothing to wait for.

    Args:
        loop: theirs.
        scheduler: of the System.
    """

    __slots__ = ("_cancelled", "_done", "_out", "_scheduler", "_waking", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, scheduler: Scheduler) -> None:
        self.loop = loop
        self._scheduler = scheduler
        self._out: list[Request] = []
        self._cancelled: list[Request] = []
        self._done: deque[tuple[Request, Outcome]] = deque()
        self._waking = False

    def send(self, request: Request, lane: Lane) -> None:
        """Submit a request, now or at the end of this turn. In the loop's thread."""
        if len(lane.pending) < 2:
            lane.pool.tell(Submit(lane, [request]))
            return
        if not self._out:
            self.loop.call_soon(self._flush)
        self._out.append(request)

    def _flush(self) -> None:
        out, self._out = self._out, []
        lane: Any = out[0].run_queue
        requests: list[Request] = []
        for request in out:
            if request.answered or request.waiter.done():  # overdue, as this turn took so long; or cancelled
                continue
            if request.run_queue is not lane:
                if requests:
                    lane.pool.tell(Submit(lane, requests))
                requests, lane = [], request.run_queue
            requests.append(request)
        if requests:
            lane.pool.tell(Submit(lane, requests))

    def cancel(self, request: Request, lane: Lane) -> None:
        """Withdraw a request whose task was cancelled, now or at the end of this turn. In the loop's thread."""
        if not self._cancelled:
            try:
                self.loop.call_soon(self._flush_cancelled)
            except RuntimeError:  # the loop is closed, and its tasks are destroyed
                cancel(lane, [request])
                return
        self._cancelled.append(request)

    def _flush_cancelled(self) -> None:
        cancelled, self._cancelled = self._cancelled, []
        by_lane: dict[Any, list[Request]] = {}
        for request in cancelled:
            by_lane.setdefault(request.run_queue, []).append(request)
        for lane, requests in by_lane.items():
            cancel(lane, requests)

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Keep the outcome, and wake the loop when the workers have got their next requests."""
        self._done.append((request, outcome))
        if not self._waking:
            self._waking = True
            self._scheduler.before_sleep(self._wake)

    def _wake(self) -> None:
        from slither_actors.runs.output.asyncio_inbox import call_soon

        try:
            call_soon(self.loop, self._take)
        except RuntimeError:  # closed, with its tasks in the middle of things: no task waits
            self._waking = False
            self._done.clear()

    def _take(self) -> None:
        self._waking = False  # first: what comes from here on wakes again
        done = self._done
        while done:
            request, outcome = done.popleft()
            waiter = request.waiter
            if not waiter.done():
                waiter.set_result(outcome)


class EventLoops:
    """The ways back to the event loops that have sent requests to one System.

    Args:
        scheduler: of the System.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._known: dict[Any, LoopReplyTo] = {}
        self.last: LoopReplyTo | None = None
        """The way back that was asked for last."""
        self.running: Callable[[], Any] = _running_loop
        """Returns the running loop."""

    def current(self) -> LoopReplyTo:
        """Return the way back to the running loop.

        Raises:
            RuntimeError: none runs in this thread.
            WouldDeadlock: this is a scheduler's thread, which would have to make the results.
        """
        if self.running is _running_loop:
            from asyncio import get_running_loop

            self.running = get_running_loop
        loop = self.running()
        found = self._known.get(loop)
        if found is None:
            check_may_wait()
            for known in list(self._known):
                if known.is_closed():
                    self._known.pop(known, None)
            found = self._known.setdefault(loop, LoopReplyTo(loop, self._scheduler))
        self.last = found
        return found


def _running_loop() -> Any:
    """Stand for `asyncio.get_running_loop` until that is imported."""
    return None
