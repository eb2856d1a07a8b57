"""The Collector: the actor around a run's batch book."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

from slither_actors import telemetry
from slither_actors.errors import DeadlineExceeded, SystemStopped
from slither_actors.pools.assignment.job import Outcomes, Replies, RunQueue
from slither_actors.pools.events import tell_exception, tell_stop
from slither_actors.pools.messages import CancelJobs, CloseQueue, QueueMessage, Submit
from slither_actors.runs.batch import Batch
from slither_actors.runs.batch_book import BatchBook, Observer, RetryLater, StopInput
from slither_actors.runs.error_policy import Verdict
from slither_actors.runs.messages import (
    BatchesReady,
    BatchRequest,
    CloseRun,
    CollectorMessage,
    Deliver,
    Finished,
    ForBatcher,
    Routed,
    RunFailed,
)
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import CollectorStatistics
from supervisors import Crashed, Down, ExitReason, LightActor, Monitor, Normal, Ref, Scheduler, monitor


class Collector(LightActor):
    """Keeps the batch book of its run, and carries out what follows from it.

    Runs in: the scheduler's thread. Owns: the batch book. If it dies: its run fails with the cause; the consumer is
    notified from here, however the run ends.

    Args:
        run: whose Collector it is; the run has its reference from here on, before it starts.
        run_queue: of the run, in the pool.
        pool: the Pool (or the run's own InlinePool) that executes its batches.
        pool_error: from the reason for which `pool` ended to the error of the run.
        generated_session: no other run has the session id, so its stores may go with the run.
        ended: called at the end, with whether the System's stop cut the run off.
        book: of a run that has begun already; by default a new one.
    """

    def __init__(
        self,
        run: Run,
        run_queue: RunQueue,
        pool: Ref[QueueMessage],
        pool_error: Callable[[ExitReason], BaseException],
        generated_session: bool,
        ended: Callable[[bool], None],
        book: BatchBook | None = None,
    ) -> None:
        super().__init__()
        self._when_ended = ended
        self._run = run
        self._run_queue = run_queue
        self._pool = pool
        self._pool_error = pool_error
        self._generated_session = generated_session
        self._begun = book is not None
        self._book = book if book is not None else new_book(run, run_queue, self.scheduler)
        self._observer = self._book.observer
        self._finished = False
        self._monitors: list[Monitor] = []
        run_queue.collector = self.actor_ref
        run.start(run_queue, self.actor_ref)

    def on_start(self) -> None:
        """Monitor what the run depends on, so that it never waits for an actor that has ended."""
        roles = [role.monitored_by(self) for role in (self._run.batcher, self._run.producer) if role is not None]
        self._monitors = [watch for watch in (monitor(self._pool, self), *roles) if watch is not None]
        due = self._run.spec.due
        if due is not None:
            self.call_later(max(0.0, due - self.scheduler.now()), self._overdue)
        if self._begun:
            self._carry_out()

    def on_receive(self, message: CollectorMessage) -> None:
        """Serve the Batcher, the pool and the consumer."""
        if self._finished:
            return
        book = self._book
        if isinstance(message, Replies):
            self._observer.observes_stops = telemetry.attached(telemetry.BATCH_STOP)
            jobs: Any = message.jobs  # the Batches that were submitted
            book.replies(jobs)
        elif isinstance(message, BatchesReady):
            self._batches_ready(message)
        elif isinstance(message, Outcomes):
            self._observer.observes_stops = telemetry.attached(telemetry.BATCH_STOP)
            ended: Any = message.ended
            for batch, outcome in ended:
                book.outcome(batch, outcome)
        elif isinstance(message, Routed):
            book.routed(message.batch, message.positions, message.items)
        elif isinstance(message, CloseRun):
            self._let_go()
            return
        elif isinstance(message, RunFailed):
            self._finish(message.error, None)
            return
        elif isinstance(message, Down):
            self._down(message)
            return
        else:
            assert_never(message)
        self._carry_out()

    def _batches_ready(self, message: BatchesReady) -> None:
        self._book.batches_ready(message.batches, message.parent)
        end = message.input_end
        if end is not None:
            self._book.input_ended(end.total, end.error)
            if end.error is not None:
                self._run.ending.blame(end.error, _source_failed(end.total))

    def _carry_out(self) -> None:
        """Do what follows from the last event, and hand over what is due."""
        book = self._book
        if book.effects:
            for effect in book.effects:  # none of what is done here comes back to the book
                if isinstance(effect, Submit) or isinstance(effect, CancelJobs):  # noqa: SIM101  # no tuple to be made
                    self._pool.tell(effect)
                elif isinstance(effect, RetryLater):
                    self.call_later(effect.delay, self._retry, effect)
                elif isinstance(effect, StopInput):
                    self._run.source_done = True
                else:
                    self._ask_batcher(effect)
            book.effects.clear()
        if book.may_end and (end := book.end()) is not None:
            self._finish(end.error, end.batch)
        elif book.deliveries:
            deliveries, book.deliveries = book.deliveries, []
            self._run.inbox.put(Deliver(deliveries))

    def _retry(self, retry: RetryLater) -> None:
        if not self._finished:
            self._book.retry_due(retry)
            self._carry_out()

    def _ask_batcher(self, request: BatchRequest) -> None:
        batcher = self._run.batcher
        if batcher is not None:
            batcher.inbox_ref.tell(request)
        else:
            self._run.inbox.put(ForBatcher(request))

    def _down(self, down: Down) -> None:
        if down.ref is self._pool:
            self._finish(self._pool_error(down.reason), None)
        elif isinstance(down.reason, Crashed):
            self._finish(down.reason.exception, None)

    # -- the end

    def _overdue(self) -> None:
        """End the run at its deadline: what has not begun is not executed, and whatever it waits for is left."""
        if self._finished:
            return
        error = DeadlineExceeded(self._run.options.deadline or 0.0, where(self._book.open_batches, self._run_queue))
        hand_over_end(self._run, self._book, error, None)
        self._let_go(overdue=True)

    def _finish(self, error: BaseException | None, batch: Batch | None) -> None:
        """End the run: hand over what is due, and how it ended."""
        hand_over_end(self._run, self._book, error, batch)
        self._let_go()

    def _let_go(self, *, overdue: bool = False) -> None:
        """Let go of pool, Batcher and Producer. The consumer has been notified, or has closed the run itself."""
        run = self._run
        self._finished = True
        run.ending.closed = True
        run.ledger.awaiting_retry = 0
        self._pool.tell(CloseQueue(self._run_queue, self._generated_session, overdue))
        for role in (run.batcher, run.producer):
            if role is not None:
                role.inbox_ref.tell(CloseRun())
        self.exit(Normal())

    def on_exit(self, reason: ExitReason) -> None:
        """Notify the consumer, if that has not been done."""
        cut_off = False
        if not self._finished:
            cut_off = not isinstance(reason, Crashed)
            stopped = SystemStopped("the System was stopped during this run")
            self._finish(reason.exception if isinstance(reason, Crashed) else stopped, None)
        for watch in self._monitors:
            watch.cancel()  # the Pool outlives its runs, and must not keep them in memory
        self._monitors.clear()
        self._when_ended(cut_off)

    def statistics(self) -> CollectorStatistics:
        """Return what it holds now. Scheduler's thread only."""
        book = self._book
        return CollectorStatistics(
            batches=book.open_batches,
            items=book.open_items,
            remaking=book.rebuilding,
            kept_back=book.kept_back,
            halting=book.halting,
            ledger=self._run.statistics(),
        )


def where(open_batches: int, run_queue: RunQueue) -> str:
    """Return where a run is, for `DeadlineExceeded`.

    Args:
        open_batches: those without an outcome.
        run_queue: its place in its pool.
    """
    if not open_batches:
        return "waiting for its source, or for its reader"
    return "at its workers" if run_queue.in_pipes else "waiting for a worker, or for its next attempt"


def new_book(run: Run, run_queue: RunQueue, scheduler: Scheduler) -> BatchBook:
    """Return the batch book of a run. From any thread."""
    observer = TelemetryObserver(scheduler)
    observer.observes_stops = telemetry.attached(telemetry.BATCH_STOP)
    return BatchBook(run.options, run.ledger, run_queue, run.undelivered, run.next_ref, run.budget, observer)


def hand_over_end(run: Run, book: BatchBook, error: BaseException | None, batch: Batch | None) -> None:
    """Give a run's consumer what is due, and how the run ended.

    Args:
        run: which is over from here on.
        book: its batch book.
        error: why it failed; None if it did not.
        batch: the batch that failed, if it was one.
    """
    if book.deliveries:
        # The end follows at once: a task that is woken in between would wait for another turn of its event loop.
        run.inbox.put_quietly(Deliver(book.deliveries))
        book.deliveries = []
    run.ending.broken = error is not None
    run.ending.closed = True  # first, so that the consumer does not take this end for one that it has to make
    held = book.held_back() if error is not None else ()
    run.inbox.put(Finished(error, batch, held, book.limit))


class TelemetryObserver(Observer):
    """Emits the events of batches.

    Args:
        scheduler: on whose background thread the handlers run.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def stopped(self, batch: Batch) -> None:
        """Emit ``batch.stop``."""
        tell_stop(self._scheduler, batch)

    def failed(self, batch: Batch, error: Exception, verdict: Verdict, items: int) -> None:
        """Emit ``batch.exception``."""
        tell_exception(self._scheduler, batch, error, verdict.value, items)


def _source_failed(total: int) -> str:
    after = f"after {total} item{'s' if total > 1 else ''}" if total else "before its first item"
    return f"the source failed {after}"
