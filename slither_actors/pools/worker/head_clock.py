"""The clock of the first request in a worker's pipe: its deadline, and at which of its items the worker is."""

from __future__ import annotations

from collections.abc import Callable

from slither_actors.errors import BatchTimeout
from slither_actors.pools.assignment.job import Job
from slither_actors.pools.assignment.stream_job import StreamJob
from slither_actors.pools.hosts.base import Progress, WorkerHost
from slither_actors.pools.worker.blame import WHOLE, Charge, Watch
from slither_actors.pools.worker.deadline import Deadline
from slither_actors.pools.worker.request_queue import RequestQueue
from supervisors import LightActor


class HeadClock:
    """Times the first request, which is the one in execution as far as can be known.

    Args:
        actor: owns the timers.
        requests: in the worker's pipe.
        start_timeout: seconds for a load, and for the start.
        overdue: called with the deadline that has come.
    """

    def __init__(
        self, actor: LightActor, requests: RequestQueue, start_timeout: float, overdue: Callable[[float], object]
    ) -> None:
        self._actor = actor
        self._requests = requests
        self._start_timeout = start_timeout
        self._deadline = Deadline(actor, overdue, self._stood_still)
        self._watch = Watch()
        self.since = 0.0
        """When the first request came to be the first."""
        self._idle_since: float | None = None  # the first request is a stream that waits for its reader

    @property
    def head(self) -> Job | None:
        """The first request, if it is a batch."""
        head = self._requests.head
        return head if isinstance(head, Job) else None

    def restart(self, now: float) -> None:
        """Time the first request from now on: there is another one."""
        self.since = now
        self._idle_since = None
        head = self._requests.head
        if head is None:
            self._deadline.at = None
        elif isinstance(head, Job):
            head.began = now
            timeout = head.run_queue.deadline
            if timeout is None:
                self._deadline.at = None
            else:
                self._deadline.set(now + timeout, timeout)
        else:
            self.time_start(now)

    def chunk_came(self, now: float) -> None:
        """Time the next chunk of the first request, or none while it waits for its reader.

        One that is cancelled keeps the time for its end.
        """
        head = self._requests.head
        if type(head) is not StreamJob or head.cancelled:
            return
        if head.window.open:
            self._time_chunk(head, now)
        else:
            self._idle_since = now
            self._deadline.at = None

    def credit_came(self, now: float) -> None:
        """Time the next chunk of the first request if it has waited for this, without the time that it has waited."""
        head, idle_since = self._requests.head, self._idle_since
        if idle_since is None or type(head) is not StreamJob or not head.window.open:
            return
        head.began += now - idle_since
        self._idle_since = None
        self._time_chunk(head, now)

    def _time_chunk(self, job: StreamJob, now: float) -> None:
        timeout, batch_timeout = job.run_queue.timeout, job.run_queue.batch_timeout
        ends = [at + bound for at, bound in ((now, timeout), (job.began, batch_timeout)) if bound is not None]
        if ends:
            self._deadline.set(min(ends), timeout or batch_timeout or 0.0)

    def time_end(self, job: Job, now: float) -> None:
        """Time the end of a stream that was cancelled; nothing to do unless it is the first request."""
        timeout = job.run_queue.deadline
        if job is self._requests.head and timeout is not None:
            self._idle_since = None
            self._deadline.set(now + timeout, timeout)

    def time_start(self, now: float) -> None:
        """Time the start of the worker, or a load, from now on."""
        self._deadline.set(now + self._start_timeout, self._start_timeout)

    def stop(self) -> None:
        """Take the deadline away."""
        self._deadline.set(None)

    def moved_since(self, deadline: float) -> bool:
        """Return whether the first request is no longer the one with this deadline."""
        return self._deadline.at != deadline

    def look(self, progress: Progress | None) -> None:
        """Take the worker's word on where it is in the first batch."""
        head = self.head
        if head is not None:
            self._watch.look(head, progress, self._actor.scheduler.now())

    def goes_on(self, host: WorkerHost) -> bool:
        """Return whether the worker has come to another item since the last look; that has a deadline of its own."""
        head = self.head
        if head is None:
            return False
        now = self._actor.scheduler.now()
        self._watch.look(head, host.progress(), now)
        if type(head) is StreamJob:
            return False  # its chunks have moved the deadline
        bound = head.run_queue.batch_timeout
        at = [each for each in (self._watch.deadline(head), head.began + bound if bound else None) if each is not None]
        if self._watch.index is None or not at or min(at) <= now:
            return False
        self._deadline.set(min(at), head.run_queue.deadline or 0.0)
        return True

    def overdue_error(self) -> Exception:
        """Return why the worker is killed, now that the first request has had its time."""
        return self._requests.overdue(self._start_timeout, self._watch, self._actor.scheduler.now())

    def charge(self, error: Exception) -> Charge:
        """Return what the end of the worker costs the batch that it was at at the last look.

        Args:
            error: why it ends.
        """
        head = self.head
        if head is None:
            return WHOLE
        if isinstance(error, BatchTimeout) and (error.option == "batch_timeout" or self._watch.index == head.count):
            return WHOLE  # all items were done, and the reply took too long: another attempt is as slow
        return self._watch.charge(head)

    def _stood_still(self, seconds: float) -> None:
        """Take a standstill out of the time that the first batch, and the item that the worker is at, have had."""
        head = self.head
        if head is not None:
            self._watch.stood(head, seconds, self._actor.scheduler.now())
