"""The clocks of the requests that a worker executes at the same time: their deadlines, and at which item each is."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from slither_actors.errors import BatchTimeout, LoadError, StartTimeout
from slither_actors.pools.assignment.job import Job
from slither_actors.pools.hosts.base import Progress, WorkerHost
from slither_actors.pools.worker.blame import WHOLE, Charge, Watch
from slither_actors.pools.worker.concurrent_queue import Charges, ConcurrentQueue
from slither_actors.pools.worker.head_clock import HeadClock
from slither_actors.pools.worker.lateness import timeout_of
from slither_actors.pools.worker.load_request import LoadRequest
from supervisors import LightActor

_NOT_SAID = Progress(0, 0, 0.0)


@final
class _Clock:
    """One request in execution: its deadline, None for none, and where it is if it is a batch."""

    __slots__ = ("at", "request", "watch")

    def __init__(self, request: Job | LoadRequest, at: float | None) -> None:
        self.request = request
        self.at = at
        self.watch = Watch()


class SlotClocks(HeadClock):
    """Times each request in execution from when it began, as far as can be known: when a place was free for it.

    Args:
        actor: owns the timers.
        requests: in the worker's pipe.
        start_timeout: seconds for a load, and for the start.
        overdue: called with the deadline that has come.
    """

    def __init__(
        self, actor: LightActor, requests: ConcurrentQueue, start_timeout: float, overdue: Callable[[float], object]
    ) -> None:
        super().__init__(actor, requests, start_timeout, overdue)
        self._in_pipe = requests
        self._clocks: dict[int, _Clock] = {}
        self._late: _Clock | None = None

    def restart(self, now: float) -> None:
        """Time those that began since the last call from now on; drop the clocks of those that ended."""
        before = self._clocks
        self._clocks = {}
        for request in self._in_pipe.begun():
            clock = before.get(request.request_id)
            self._clocks[request.request_id] = clock if clock is not None else self._begins(request, now)
        self._set()

    def _begins(self, request: Job | LoadRequest, now: float) -> _Clock:
        if isinstance(request, LoadRequest):
            return _Clock(request, now + self._start_timeout)
        request.began = now
        timeout = request.run_queue.deadline
        return _Clock(request, None if timeout is None else now + timeout)

    def _set(self) -> None:
        """Move the one deadline to that of the request which has the earliest."""
        first = min((clock.at for clock in self._clocks.values() if clock.at is not None), default=None)
        if first != self._deadline.at:
            self._deadline.set(first, 0.0 if first is None else max(0.0, first - self._actor.scheduler.now()))

    def time_start(self, now: float) -> None:
        """Time the start of a worker from now on: there is another one, which has no requests yet."""
        self._clocks = {}
        self._late = None
        super().time_start(now)

    def look(self, progress: Progress | None) -> None:
        """Take the worker's word on where it is in each batch."""
        now = self._actor.scheduler.now()
        said = {} if progress is None else {each.request_id: each for each in (progress, *progress.others)}
        for request_id, clock in self._clocks.items():
            if isinstance(clock.request, Job):
                told = None if progress is None else said.get(request_id, _NOT_SAID)
                clock.watch.look(clock.request, told, now)

    def goes_on(self, host: WorkerHost) -> bool:
        """Return whether no request is overdue, now that the worker was asked where it is in each batch."""
        self.look(host.progress())
        now = self._actor.scheduler.now()
        for clock in self._clocks.values():
            if clock.at is not None and clock.at <= now and not _goes_on(clock, now):
                self._late = clock
                return False
        self._set()
        return True

    def overdue_error(self) -> Exception:
        """Return why the worker is killed, now that a request has had its time."""
        late = self._late
        if late is None:  # the host could not be asked
            late = min(self._clocks.values(), key=lambda clock: clock.at if clock.at is not None else float("inf"))
            self._late = late
        if isinstance(late.request, LoadRequest):
            return LoadError(str(late.request.target), StartTimeout(self._start_timeout))
        return timeout_of(late.request, late.watch, self._actor.scheduler.now())

    def charge(self, error: Exception) -> Charge:
        """Return what the end of the worker costs each batch that it was at at the last look.

        Args:
            error: why it ends.
        """
        late = self._late if isinstance(error, BatchTimeout) else None
        each: dict[int, Charge] = {}
        done = 0
        for request in self._in_pipe.begun():
            clock = self._clocks.get(request.request_id)
            if clock is None or isinstance(request, LoadRequest):
                continue
            its = clock.watch.charge(request)
            if clock is late and (_of_batch(error) or clock.watch.index == request.count):
                its = WHOLE  # all items were done, and the reply took too long: another attempt is as slow
            each[request.request_id] = its
            done += its.index or 0
        return Charges(index=done, each=each, overdue=late.request.request_id if late is not None else 0)

    def _stood_still(self, seconds: float) -> None:
        """Take a standstill out of the time that all requests in execution have had."""
        now = self._actor.scheduler.now()
        for clock in self._clocks.values():
            if clock.at is not None:
                clock.at += seconds
            if isinstance(clock.request, Job):
                clock.watch.stood(clock.request, seconds, now)


def _of_batch(error: Exception) -> bool:
    """Return whether a batch as a whole has had its time, whatever its items took."""
    return isinstance(error, BatchTimeout) and error.option == "batch_timeout"


def _goes_on(clock: _Clock, now: float) -> bool:
    """Return whether a request whose deadline has come has come to another item, which has a deadline of its own."""
    job, watch = clock.request, clock.watch
    if isinstance(job, LoadRequest) or watch.index is None:
        return False
    bound = job.run_queue.batch_timeout
    at = [each for each in (watch.deadline(job), job.began + bound if bound else None) if each is not None]
    if not at or min(at) <= now:
        return False
    clock.at = min(at)
    return True
