"""The Crew: threads of one run for an inline executor. It stands where a Pool stands, and speaks as one."""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from time import perf_counter_ns
from typing import Any

from slither_actors.errors import BatchTimeout, UnexpectedResponse
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Job
from slither_actors.pools.events import tell_start
from slither_actors.pools.messages import CancelJobs, CloseQueue, Outcomes, Submit
from slither_actors.run_options import RunOptions
from slither_actors.runs.statistics import InlinePoolStatistics
from supervisors import ExitReason, LightActor, Normal, Timer
from supervisors.runtime.interrupts import Thread


class _Thread:
    """A thread that executes one batch after the other until it is told to end."""

    def __init__(self, crew: InlinePool, number: int) -> None:
        self._crew = crew
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self.job: Any = None
        self.alarm: Timer | None = None
        Thread(self._work, f"slither-inline-{number}").start()

    def give(self, job: Any) -> None:
        self.job = job
        self._inbox.put(job)

    def end(self) -> None:
        self._inbox.put(None)

    def _work(self) -> None:
        crew = self._crew
        crew.scheduler.claim_thread()
        options = crew.options
        executor: Any = options.executor
        while (batch := self._inbox.get()) is not None:
            given = batch.items()
            began = perf_counter_ns()
            try:
                items = executor.execute_batch(given, options.context, options)
                items = list(items)
                if len(items) != batch.count:
                    raise UnexpectedResponse(
                        f"{batch.count} items went in, {len(items)} came out of {type(executor).__name__}"
                    )
                for item in items:
                    if not isinstance(item, Item):
                        raise UnexpectedResponse(f"{type(executor).__name__} gave {item!r}, not an Item")
                outcome: Any = items
            except Exception as error:
                outcome = error
            except BaseException as error:  # SystemExit and the like must not end more than the batch
                outcome = UnexpectedResponse(f"{type(executor).__name__}.execute_batch raised {error!r}")
                outcome.__cause__ = error
            crew.scheduler.post(crew.done, self, outcome, perf_counter_ns() - began)
            batch = given = items = outcome = item = None  # an idle thread must not keep a batch alive


class InlinePool(LightActor):
    """Executes the batches of one run with an inline executor, on up to ``max_in_flight`` threads.

    Runs in: the scheduler's thread; the executor in threads of the run. Owns: those threads. A thread cannot be killed:
    at a timeout the batch fails, its thread is left alone and replaced, and what it gives later is dropped.
    """

    def __init__(self, options: RunOptions) -> None:
        super().__init__()
        self.options = options
        self._queue: deque[Job] = deque()
        self._idle: list[_Thread] = []
        self._busy: set[_Thread] = set()
        self._made = self._given_up = 0

    def on_receive(self, message: Any) -> None:
        """Serve the run as a Pool would."""
        kind = type(message)
        if kind is Submit:
            now = self.scheduler.now()
            for job in message.jobs:
                job.queued = now
            if message.front:
                self._queue.extendleft(reversed(message.jobs))
            else:
                self._queue.extend(message.jobs)
            self._assign()
        elif kind is CancelJobs:
            unwanted = set(message.jobs)
            self._queue = deque(job for job in self._queue if job not in unwanted)
        elif kind is CloseQueue:
            self._queue.clear()
            self.exit(Normal())
        else:
            super().on_receive(message)

    def _assign(self) -> None:
        while self._queue and len(self._busy) < self.options.max_in_flight:
            if not self._idle:
                try:
                    self._idle.append(_Thread(self, self._made + 1))
                except RuntimeError:  # the system has no thread left
                    if self._busy:
                        return  # they do it all, one batch after the other
                    raise
                self._made += 1
            thread = self._idle.pop()
            job = self._queue.popleft()
            job.began = self.scheduler.now()
            self._busy.add(thread)
            tell_start(self.scheduler, job)
            thread.give(job)
            if job.run_queue.deadline is not None:
                thread.alarm = self.call_later(job.run_queue.deadline, self._overdue, thread)

    def done(self, thread: _Thread, outcome: Any, took: int) -> None:
        """A thread has finished its batch, in so many nanoseconds."""
        if thread not in self._busy:
            thread.end()  # given up at its timeout
            return
        self._busy.discard(thread)
        if thread.alarm is not None:
            thread.alarm.cancel()  # or batches would be kept alive as long as their timers
        job, thread.job = thread.job, None
        job.took = took
        self._idle.append(thread)
        job.run_queue.collector.tell(Outcomes([(job, outcome)]))
        self._assign()

    def statistics(self) -> InlinePoolStatistics:
        """What it holds now. Scheduler's thread only."""
        return InlinePoolStatistics(len(self._queue), len(self._busy), len(self._idle), self._given_up)

    def _overdue(self, thread: _Thread) -> None:
        self._given_up += 1
        self._busy.discard(thread)
        thread.end()
        job, thread.job = thread.job, None
        run_queue = job.run_queue
        option: Any = "timeout" if run_queue.deadline == run_queue.timeout else "batch_timeout"
        error = BatchTimeout(run_queue.deadline or 0.0, inline=True, option=option, count=job.count)
        job.run_queue.collector.tell(Outcomes([(job, error)]))
        self._assign()

    def on_exit(self, reason: ExitReason) -> None:
        """The threads end, each once the user's code lets it."""
        for thread in [*self._idle, *self._busy]:
            thread.end()
