"""The InlinePool: threads of one run for an inline executor, behind the messages of a Pool."""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from time import perf_counter_ns
from typing import Literal, TypeAlias, assert_never, cast

from slither_actors.errors import BatchTimeout, UnexpectedResponse
from slither_actors.executors import InlineExecutor
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Outcomes
from slither_actors.pools.events import tell_start
from slither_actors.pools.messages import CancelJobs, CloseQueue, QueueMessage, Submit
from slither_actors.run_options import RunOptions
from slither_actors.runs.batch import Batch
from slither_actors.runs.statistics import InlinePoolStatistics
from supervisors import ExitReason, LightActor, Normal, Timer
from supervisors.runtime.interrupts import Thread

InlineOutcome: TypeAlias = list[Item] | Exception


class InlinePool(LightActor):
    """Executes the batches of one run with an inline executor, on up to ``max_in_flight`` threads.

    Runs in: the scheduler's thread; the executor in threads of the run. Owns: those threads. A thread cannot be killed:
    at a timeout the batch fails, its thread is abandoned and replaced, and its late result is dropped.

    Args:
        options: of the run.
    """

    def __init__(self, options: RunOptions) -> None:
        super().__init__()
        self._options = options
        self._backlog: deque[Batch] = deque()
        self._idle: list[InlineThread] = []
        self._busy: set[InlineThread] = set()
        self._made = self._abandoned = 0

    def on_receive(self, message: QueueMessage) -> None:
        """Serve the run as a Pool would."""
        if isinstance(message, Submit):
            batches = cast("list[Batch]", message.jobs)
            now = self.scheduler.now()
            for batch in batches:
                batch.queued = now
            if message.front:
                self._backlog.extendleft(reversed(batches))
            else:
                self._backlog.extend(batches)
            self._assign()
        elif isinstance(message, CancelJobs):
            unwanted = set(message.jobs)
            self._backlog = deque(batch for batch in self._backlog if batch not in unwanted)
        elif isinstance(message, CloseQueue):
            self._backlog.clear()
            self.exit(Normal())
        else:
            assert_never(message)

    def _assign(self) -> None:
        while self._backlog and len(self._busy) < self._options.max_in_flight:
            if not self._idle:
                try:
                    self._idle.append(InlineThread(self, self._options, self._made + 1))
                except RuntimeError:  # the system has no thread left
                    if self._busy:
                        return  # those that there are execute one batch after the other
                    raise
                self._made += 1
            thread = self._idle.pop()
            batch = self._backlog.popleft()
            batch.began = self.scheduler.now()
            self._busy.add(thread)
            tell_start(self.scheduler, batch)
            thread.execute(batch)
            if (deadline := batch.run_queue.deadline) is not None:
                thread.alarm = self.call_later(deadline, self._overdue, thread)

    def done(self, thread: InlineThread, outcome: InlineOutcome, took: int) -> None:
        """Record that a thread has finished its batch. Scheduler's thread only.

        Args:
            thread: of this pool.
            outcome: of its batch.
            took: nanoseconds.
        """
        if thread not in self._busy:
            thread.end()  # abandoned at its timeout
            return
        self._busy.discard(thread)
        batch = thread.release()
        batch.took = took
        self._idle.append(thread)
        batch.run_queue.collector.tell(Outcomes([(batch, outcome)]))
        self._assign()

    def _overdue(self, thread: InlineThread) -> None:
        self._abandoned += 1
        self._busy.discard(thread)
        thread.end()
        batch = thread.release()
        run_queue = batch.run_queue
        option: Literal["timeout", "batch_timeout"] = "batch_timeout"
        if run_queue.deadline == run_queue.timeout:
            option = "timeout"
        error = BatchTimeout(run_queue.deadline or 0.0, inline=True, option=option, count=batch.count)
        run_queue.collector.tell(Outcomes([(batch, error)]))
        self._assign()

    def statistics(self) -> InlinePoolStatistics:
        """Return what it holds now. Scheduler's thread only."""
        return InlinePoolStatistics(len(self._backlog), len(self._busy), len(self._idle), self._abandoned)

    def on_exit(self, reason: ExitReason) -> None:
        """End the threads, each once the user's code returns."""
        for thread in [*self._idle, *self._busy]:
            thread.end()


class InlineThread:
    """A thread that executes one batch after the other until it is ended.

    Args:
        pool: which gets the outcomes.
        options: of the run.
        number: of the thread in its pool.
    """

    def __init__(self, pool: InlinePool, options: RunOptions, number: int) -> None:
        self._pool = pool
        self._options = options
        self._inbox: SimpleQueue[Batch | None] = SimpleQueue()
        self._batch: Batch | None = None
        self.alarm: Timer | None = None
        """The deadline of its batch."""
        Thread(self._work, f"slither-inline-{number}").start()

    def execute(self, batch: Batch) -> None:
        """Give it a batch. Only while it has none."""
        self._batch = batch
        self._inbox.put(batch)

    def release(self) -> Batch:
        """Take its batch back, and cancel the deadline: a timer would keep the batch in memory until it is due."""
        batch, self._batch = self._batch, None
        assert batch is not None
        if self.alarm is not None:
            self.alarm.cancel()
        return batch

    def end(self) -> None:
        """Have it end once it is idle."""
        self._inbox.put(None)

    def _work(self) -> None:
        scheduler = self._pool.scheduler
        scheduler.claim_thread()
        while (batch := self._inbox.get()) is not None:
            began = perf_counter_ns()
            outcome: InlineOutcome | None = execute(self._options, batch)
            scheduler.post(self._pool.done, self, outcome, perf_counter_ns() - began)
            batch = outcome = None  # an idle thread must not keep a batch in memory


def execute(options: RunOptions, batch: Batch) -> InlineOutcome:
    """Execute a batch by the run's inline executor. Raises nothing.

    Returns:
        As many Items as the batch has; or the error.
    """
    executor = options.executor
    assert isinstance(executor, InlineExecutor)
    name = type(executor).__name__
    try:
        items = list(executor.execute_batch(batch.items(), options.context, options))
        if len(items) != batch.count:
            raise UnexpectedResponse(f"{batch.count} items went in, {len(items)} came out of {name}")
        for item in items:
            if not isinstance(item, Item):
                raise UnexpectedResponse(f"{name} gave {item!r}, not an Item")
        return items
    except Exception as error:
        return error
    except BaseException as error:  # SystemExit and the like must not end more than the batch
        failure = UnexpectedResponse(f"{name}.execute_batch raised {error!r}")
        failure.__cause__ = error
        return failure
