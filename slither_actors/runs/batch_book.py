"""The batch book: which batches of a run are open, what is delivered next, and when the run is over.

Pure: what happened goes in by method calls, and what is to be done comes out as `effects` and `deliveries`. The
Collector is the actor around it; a run without a Collector of its own can use it as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from slither_actors.errors import BatchTimeout, ProtocolError, QueueTimeout, UnexpectedResponse
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.item import Item
from slither_actors.policies import Retry
from slither_actors.pools.assignment.job import AtItem, Outcome, RunQueue
from slither_actors.pools.messages import CancelJobs, Submit
from slither_actors.pools.worker_errors import item_errors, worker_error
from slither_actors.run_options import RunOptions
from slither_actors.runs.batch import Batch
from slither_actors.runs.error_policy import Verdict, decide
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.flow.ordering_window import OrderingWindow
from slither_actors.runs.ledger import Ledger
from slither_actors.runs.messages import (
    AskRoute,
    BatchRequest,
    Delivery,
    ReadyItems,
    RebuildBatch,
    Results,
    Skipped,
    Split,
)
from slither_actors.wire.header import FAILURE, Frame


class RetryLater(Struct, frozen=True):
    """Call `BatchBook.retry_due` with this after `delay` seconds.

    Args:
        delay: the back-off.
        batch: that failed.
        indexes: of its items that failed.
        whole: all of them, so that the same bytes are sent again.
        front: they go before what already waits.
    """

    delay: float
    batch: Batch
    indexes: Sequence[int]
    whole: bool
    front: bool = True


class StopInput(Struct, frozen=True):
    """Pull nothing more: the run halts."""


class RunEnd(Struct, frozen=True):
    """The run is over.

    Args:
        error: why it failed; None if it did not.
        batch: the batch that failed, if it was one.
    """

    error: BaseException | None
    batch: Batch | None = None


Effect: TypeAlias = Submit | CancelJobs | BatchRequest | RetryLater | StopInput


class Observer:
    """Observes single batches, for telemetry. This one ignores everything."""

    observes_stops = False
    """Whether `stopped` is to be called."""

    def stopped(self, batch: Batch) -> None:
        """Record that a batch has its outcome."""

    def failed(self, batch: Batch, error: Exception, verdict: Verdict, items: int) -> None:
        """Record that so many items of a batch failed, and what the policy decided."""


class _Halt(Struct, frozen=True):
    position: int
    end: RunEnd


class BatchBook:
    """Keeps account of the batches of one run and applies its error policy.

    Not thread-safe: the scheduler's thread calls it.

    Args:
        options: of the run.
        ledger: whose outcome counters are written here.
        run_queue: the run's place in its pool, for the `Submit`s.
        undelivered: the run's table of batches that are not delivered.
        next_ref: gives the number of the next batch.
        budget: of the run, in bytes; None if it has none.
        observer: of single batches.
        jitter: a random number from 0 to 1, for back-offs.

    Attributes:
        observer: of single batches.
        effects: what is to be done, in order. The caller takes and clears it after each call.
        deliveries: what is due for the consumer, in order. The caller takes it after each call.
        may_end: the input has ended, or the run halts: `end` is to be asked from now on.
    """

    def __init__(
        self,
        options: RunOptions,
        ledger: Ledger,
        run_queue: RunQueue,
        undelivered: dict[int, Batch],
        next_ref: Callable[[], int],
        budget: ByteBudget | None = None,
        observer: Observer | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.effects: list[Effect] = []
        self.deliveries: list[Delivery] = []
        self._policy = options.on_error
        self._executor = options.executor
        self._ledger = ledger
        self._run_queue = run_queue
        self._undelivered = undelivered
        self._next_ref = next_ref
        self._budget = budget
        self.observer = observer if observer is not None else Observer()
        self._jitter = jitter
        self._window: OrderingWindow[Delivery] | None = OrderingWindow() if options.ordering == "preserve" else None
        self._open = 0  # batches without an outcome: those of `undelivered` that are live
        # Items that have no batch now, as the Batcher is about to make a new one: their positions, by the number of the
        # batch that failed.
        self._rebuilding: dict[int, Sequence[int]] = {}
        self._input_end: tuple[int, BaseException | None] | None = None
        self._halt: _Halt | None = None
        self.may_end = False

    # -- what it holds

    @property
    def open_batches(self) -> int:
        """Batches without an outcome."""
        return self._open

    @property
    def open_items(self) -> int:
        """Items in batches without an outcome."""
        return sum(batch.count for batch in self._live() if batch.ref not in self._rebuilding)

    @property
    def rebuilding(self) -> int:
        """Items of failed batches that the Batcher is to make a new batch of, or to ask a route for."""
        return sum(map(len, self._rebuilding.values()))

    @property
    def kept_back(self) -> int:
        """Items that the order keeps back."""
        return self._window.items if self._window is not None else 0

    @property
    def halting(self) -> bool:
        """Whether the run has failed, and only what comes before the failure is finished."""
        return self._halt is not None

    def end(self) -> RunEnd | None:
        """Return how the run ended; None while it goes on."""
        halt = self._halt
        if halt is not None:
            if self._window is not None and self._waits_for_earlier(halt.position):
                return None
            return halt.end
        if self._input_end is None:
            return None
        total, error = self._input_end
        if self._ledger.resolved >= total and not self._open and not self._rebuilding:
            return RunEnd(error)
        return None

    def held_back(self) -> list[Delivery]:
        """Take out what the order keeps back, for the error of a run that ends with gaps."""
        return [piece for _, piece in self._window.drain()] if self._window is not None else []

    @property
    def limit(self) -> int | None:
        """The position from which results are not handed out: that of the item that halted an ordered run."""
        return self._halt.position if self._halt is not None and self._window is not None else None

    # -- what happens

    def batches_ready(self, batches: Sequence[Batch], parent: int | None) -> None:
        """Enter new batches, and submit those that could be encoded.

        Args:
            batches: in order.
            parent: the number of the failed batch that they stand for; None for fresh ones.
        """
        if parent is not None:
            self._rebuilding.pop(parent, None)
        good: Sequence[Batch] = batches
        bad = False
        for batch in batches:
            batch.live = True
            if batch.error is not None:
                bad = True
        self._open += len(batches)
        if bad:
            good = [batch for batch in batches if batch.error is None]
            for batch in batches:
                if batch.error is not None and (self._halt is None or self._before_halt(batch)):
                    self._batch_failed(batch, batch.error)
        if self._halt is not None:
            good = [batch for batch in good if self._before_halt(batch)]
        if good:
            # Rebuilt ones go before fresh ones: the order waits for them, and their credit is taken already.
            self.effects.append(Submit(self._run_queue, good, front=parent is not None))

    def resume(self, batch: Batch, outcome: Outcome) -> None:
        """Enter the one batch of a run that was executed already, and how that ended."""
        batch.live = True
        self._open += 1
        self.input_ended(batch.count, None)
        self.outcome(batch, outcome)

    def input_ended(self, total: int, error: BaseException | None) -> None:
        """Record how many items the source has given, and what it raised after them."""
        self._input_end = total, error
        self.may_end = True

    def replies(self, batches: Sequence[Batch]) -> None:
        """Record replies, nearly always with a result for each item: nothing else is done for each of them."""
        good: list[Delivery] = []
        count = 0
        for batch in batches:
            reply: Any = batch.reply  # never None here; an assert would be paid for with each batch
            items = batch.count
            if reply.count != items or not batch.live:
                self._wrong_count(batch, reply)
                continue
            batch.live = False
            batch.body = b""
            batch.buffers = ()
            count += items
            good.append(batch)
        self._open -= len(good)
        self._ledger.resolved += count
        if self.observer.observes_stops or self._budget is not None:
            self._account(good)
        if self._window is None:
            self.deliveries += good
        else:
            self._window.extend(good, self.deliveries)

    def _account(self, batches: Sequence[Any]) -> None:
        """Do for batches with their replies what only some runs need."""
        for batch in batches:
            if self.observer.observes_stops:
                batch.took = batch.reply.took
                self.observer.stopped(batch)
            self._release_bytes(batch, batch.reply)

    def outcome(self, batch: Batch, outcome: Outcome) -> None:
        """Record how a batch ended.

        Args:
            batch: of this run.
            outcome: a frame, what went wrong, or the items that an inline executor gave.
        """
        if not batch.live:
            return
        if type(outcome) is Frame:
            batch.took = outcome.took
            if outcome.kind == FAILURE:
                if outcome.failed and self._named_by_index(batch):
                    self._items_refused(batch, outcome)
                else:
                    self._batch_failed(batch, worker_error(outcome))
            elif outcome.count + outcome.failed != batch.count:
                self._wrong_count(batch, outcome)
            elif outcome.failed:
                self._items_failed(batch, outcome)
            else:  # behind one that was more than a plain reply
                batch.reply = outcome
                self.replies([batch])
        elif isinstance(outcome, Exception):
            if type(outcome) is BatchTimeout and outcome.of == "item":
                outcome = outcome.at_item(batch.ids()[0])  # it was alone
            self._batch_failed(batch, outcome)
        elif type(outcome) is AtItem:
            self._item_charged(batch, outcome.index, outcome.error)
        else:
            assert isinstance(outcome, list)
            if self.observer.observes_stops:
                self.observer.stopped(batch)
            self._resolve(ReadyItems(batch, outcome, batch.positions))
            self._done(batch)

    def routed(self, batch: Batch, positions: Sequence[int], items: list[Item]) -> None:
        """Record the items that a route function gave for failed ones."""
        self._rebuilding.pop(batch.ref, None)
        self._ledger.routed += len(items)
        self._resolve(ReadyItems(batch, items, positions))
        self._done(batch)

    def retry_due(self, retry: RetryLater) -> None:
        """Start the next attempt of a batch, or of some of its items, whose back-off is over."""
        batch = retry.batch
        self._ledger.awaiting_retry -= len(retry.indexes)
        if self._halt is not None and not self._before_halt(batch):
            return
        if retry.whole:
            # The same bytes: only the header, made when it is sent, says which attempt this is.
            batch.attempt += 1
            batch.took = 0
            self.effects.append(Submit(self._run_queue, [batch], front=retry.front))
        else:
            self.effects.append(RebuildBatch(batch, retry.indexes, batch.attempt + 1))

    # -- failures

    def _wrong_count(self, batch: Batch, frame: Frame) -> None:
        """Fail a batch whose reply has another number of results than there are items."""
        batch.reply = None
        if batch.live:
            got = frame.count + frame.failed
            text = f"{batch.count} items went out, {got} results came back"
            target = batch.target
            if got > batch.count and target is not None and target.module is not None and not target.each:
                from slither_actors.worker.hints import EACH

                # `value * 2`, meant for one payload, doubles the list of them.
                text = f"{text}; it was called with a list of {batch.count}: {EACH} calls it with one"
            self._batch_failed(batch, UnexpectedResponse(text, expected=batch.count, got=got))

    def _items_failed(self, batch: Batch, frame: Frame) -> None:
        """Deliver the results of a reply in which some items failed alone, and give these to the policy."""
        try:
            indexes, errors = item_errors(frame)
        except ProtocolError as error:
            self._batch_failed(batch, error)
            return
        bad = set(indexes)
        good = [i for i in range(batch.count) if i not in bad]
        if good:
            # From here on its failed items stand for the batch, wherever unfinished ones are looked up.
            self._undelivered[batch.ref] = batch.subset(indexes, batch.ref)
            self._resolve(Results(batch, frame, good, [batch.positions[i] for i in good]))
        self._failure(batch, indexes, errors, alone=True)

    def _named_by_index(self, batch: Batch) -> bool:
        """Whether the n-th value of a request is the n-th item: what a user's executor sends only that knows."""
        return type(self._executor) in (SnakeBridge, Snakepit) or (batch.target is not None and batch.target.each)

    def _items_refused(self, batch: Batch, frame: Frame) -> None:
        """Give the items that a worker could not decode to the policy; it has executed none of the others."""
        if frame.count + frame.failed != batch.count:
            self._wrong_count(batch, frame)
            return
        try:
            indexes, errors = item_errors(frame)
        except ProtocolError as error:
            self._batch_failed(batch, error)
            return
        self._set_aside(batch, indexes, errors, 0)

    def _item_charged(self, batch: Batch, index: int, error: Exception) -> None:
        """Give the item at which a worker ended to the policy."""
        if isinstance(error, BatchTimeout):
            error = error.at_item(batch.ids()[index])
        self._set_aside(batch, [index], [error], index)

    def _set_aside(self, batch: Batch, indexes: Sequence[int], errors: list[Exception], at: int) -> None:
        """Give items to the policy; the others are executed again, as the same attempt, in two batches split there."""
        bad = set(indexes)
        rest = batch.subset([i for i in range(batch.count) if i not in bad], self._next_ref())
        if rest.count:
            # From here on the items stand for the batch, and the rest has a number of its own until it is rebuilt.
            rest.attempt = batch.attempt
            self._undelivered[rest.ref] = rest
            self._undelivered[batch.ref] = batch.subset(indexes, batch.ref)
        self._failure(batch, indexes, errors, alone=True)
        if rest.count and (self._halt is None or self._before_halt(rest)):
            self._rebuilding[rest.ref] = rest.positions
            # After a halt only what is before the first of them is wanted.
            self.effects.append(Split(rest, at if self._halt is None else indexes[0], batch.attempt))

    def _batch_failed(self, batch: Batch, error: Exception) -> None:
        self._failure(batch, range(batch.count), [error])

    def _failure(self, batch: Batch, indexes: Sequence[int], errors: list[Exception], *, alone: bool = False) -> None:
        """Apply the policy to items of a batch, which failed all with one error or (`alone`) each with its own."""
        ledger, count = self._ledger, len(indexes)
        ledger.failed += count
        # A split finds the bad items among many; where each failed by itself they are known.
        decision = decide(self._policy, errors[0], batch.attempt, 1 if alone else count)
        self.observer.failed(batch, errors[0], decision.verdict, count)
        whole = count == batch.count
        if decision.verdict is Verdict.HALT:
            position = batch.positions[indexes[0]]
            if self._halt is None or position < self._halt.position:
                self._begin_halt(position, errors[0], self._undelivered.get(batch.ref, batch))
            return
        if len(errors) < count:
            errors = errors * count
        if decision.verdict is Verdict.RETRY:
            assert decision.retry is not None
            ledger.retries += 1
            # What no worker had time for waits in line again: what came meanwhile has waited as long.
            self._retry(batch, indexes, decision.retry, whole, front=not isinstance(errors[0], QueueTimeout))
        elif decision.verdict is Verdict.SPLIT:
            ledger.retries += 1
            self._rebuilding[batch.ref] = batch.positions
            self._done(batch)
            self.effects.append(Split(batch, batch.count // 2))
        elif decision.verdict is Verdict.SKIP:
            positions = batch.positions if whole else [batch.positions[i] for i in indexes]
            ledger.skipped += count
            self._resolve(Skipped(batch, indexes, errors, positions))
            self._done(batch)
        else:
            assert decision.route is not None
            self._rebuilding[batch.ref] = [batch.positions[i] for i in indexes]
            if not whole:
                self._settle(batch)
            self.effects.append(AskRoute(batch, indexes, errors, decision.route))

    def _retry(self, batch: Batch, indexes: Sequence[int], retry: Retry, whole: bool, *, front: bool) -> None:
        delay = retry.delay(batch.attempt, self._jitter)
        self._ledger.awaiting_retry += len(indexes)
        if not whole:
            self._done(batch)
            self._rebuilding[batch.ref] = [batch.positions[i] for i in indexes]
        self.effects.append(RetryLater(delay, batch, indexes, whole, front))

    # -- delivery

    def _resolve(self, delivery: ReadyItems | Results | Skipped) -> None:
        self._ledger.resolved += len(delivery.positions)
        if self._window is None:
            self.deliveries.append(delivery)
        else:
            self._window.add(delivery.positions, delivery, self.deliveries)

    def _settle(self, batch: Batch) -> None:
        if batch.live:
            batch.live = False
            self._open -= 1

    def _done(self, batch: Batch) -> None:
        self._settle(batch)
        self._release_bytes(batch, None)
        batch.body, batch.buffers = b"", ()

    def _release_bytes(self, batch: Batch, reply: Frame | None) -> None:
        """Count the bytes of the reply in place of those of the request."""
        if self._budget is not None:
            size = reply.size if reply is not None else 0
            self._budget.change(size - batch.encoded)
            batch.encoded = size

    # -- halt

    def _live(self) -> list[Batch]:
        # A copy first: the Batcher adds and the consumer removes in other threads.
        return [batch for batch in list(self._undelivered.values()) if batch.live]

    def _waits_for_earlier(self, position: int) -> bool:
        """Whether anything before a halt is still to come, which an ordered run finishes."""
        return any(map(self._before_halt, self._live())) or any(
            positions[0] < position for positions in self._rebuilding.values()
        )

    def _before_halt(self, batch: Batch) -> bool:
        halt = self._halt
        assert halt is not None
        return self._window is not None and batch.positions[0] < halt.position and batch is not halt.end.batch

    def _begin_halt(self, position: int, error: BaseException, batch: Batch) -> None:
        """Send nothing new. With "preserve", what comes before the failure is finished first."""
        self._halt = _Halt(position, RunEnd(error, batch))
        self.may_end = True
        self.effects.append(StopInput())
        unwanted = [other for other in self._live() if not self._before_halt(other)]
        if unwanted:
            self.effects.append(CancelJobs(self._run_queue, unwanted))
