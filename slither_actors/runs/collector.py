"""The Collector: knows every batch of its run, orders what comes back, and applies the error policy."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from slither_actors import telemetry
from slither_actors.errors import BatchTimeout, ProtocolError, SystemStopped, UnexpectedResponse
from slither_actors.policies import Retry
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.events import tell_exception, tell_stop
from slither_actors.pools.messages import AtItem, CancelJobs, CloseQueue, Outcomes, Replies, Submit
from slither_actors.pools.worker_errors import item_errors, worker_error
from slither_actors.runs.batch import Batch
from slither_actors.runs.error_policy import Verdict, decide
from slither_actors.runs.flow.ordering_window import OrderingWindow
from slither_actors.runs.messages import (
    AskRoute,
    BatchesReady,
    CloseRun,
    Deliver,
    Delivery,
    Finished,
    ForBatcher,
    InputEnded,
    ReadyItems,
    RebuildBatch,
    Results,
    Routed,
    RunFailed,
    Skipped,
    Split,
)
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import CollectorStatistics, snapshot
from slither_actors.wire.header import FAILURE, Frame
from supervisors import Crashed, Down, ExitReason, LightActor, Monitor, Normal, monitor


class Collector(LightActor):
    """The run's book-keeper.

    Runs in: the scheduler's thread. Owns: the batches of its run and the ordering window.
    If it dies: its run fails with the cause; the consumer is told from here, whatever the end.

    Args:
        run: whose Collector it is; it has its reference from here on, before it starts.
        lane: of the run, in the pool.
        pool: the Pool (or the run's own Crew of inline threads) that executes its batches.
        pool_error: what the run ends with where that ends, given its reason.
        generated_session: the session id is nobody else's, so its stores may go with the run.
        ended: told of the end, and whether the System's stop cut the run off.
    """

    def __init__(
        self,
        run: Run,
        run_queue: RunQueue,
        pool: Any,
        pool_error: Callable[[ExitReason], BaseException],
        generated_session: bool,
        ended: Callable[[bool], None],
    ) -> None:
        super().__init__()
        self._when_ended = ended
        self._run = run
        self._pool = pool
        self._pool_error = pool_error
        self._generated_session = generated_session
        self._window: OrderingWindow[Delivery] | None = OrderingWindow() if run.options.ordering == "preserve" else None
        self._open = 0  # batches without an outcome: those of `run.undelivered` that are live
        # Batches whose items have no batch now, as the Batcher is about to make a new one: by reference, the positions
        # of these items.
        self._remaking: dict[int, Sequence[int]] = {}
        self._total: int | None = None
        self._source_error: BaseException | None = None
        self._halt: tuple[int, BaseException, Batch | None] | None = None
        self._finished = False
        self._out: list[Delivery] = []
        self._monitors: list[Monitor] = []
        run.run_queue, run_queue.collector = run_queue, self.actor_ref
        run.collector = self.actor_ref  # last: who sees it may tell it to end

    def on_start(self) -> None:
        """Watch those on whom the run depends: it never waits for one that is gone."""
        roles = [role.monitored_by(self) for role in (self._run.batcher, self._run.producer) if role is not None]
        self._monitors = [watch for watch in (monitor(self._pool, self), *roles) if watch is not None]

    def _down(self, message: Down) -> None:
        if message.ref is self._pool:
            self._finish(self._pool_error(message.reason), None)
        elif isinstance(message.reason, Crashed):
            self._finish(message.reason.exception, None)

    def on_receive(self, message: Any) -> None:
        """Serve the Batcher, the pool and the consumer."""
        kind = type(message)
        if self._finished:
            return
        if kind is Replies:
            self._replies(message.jobs)
        elif kind is Outcomes:
            for batch, outcome in message.ended:
                self._outcome(batch, outcome)
        elif kind is BatchesReady:
            self._made(message)
        elif kind is InputEnded:
            self._total = message.total
            self._source_error = message.error
            if message.error is not None:
                self._run.blame(message.error, _source_failed(message.total))
        elif kind is Routed:
            self._remaking.pop(message.batch.ref, None)
            self._run.routed += len(message.items)
            self._resolve(ReadyItems(message.batch, message.items, message.positions))
            self._done(message.batch)
        elif kind is CloseRun:
            self._let_go()
        elif kind is RunFailed:
            self._finish(message.error, None)
        elif kind is Down:
            self._down(message)
        else:
            super().on_receive(message)
        self._after()

    def on_exit(self, reason: ExitReason) -> None:
        """The last word, if it was not said yet."""
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
        """What it holds now. Scheduler's thread only."""
        return CollectorStatistics(
            batches=self._open,
            items=sum(batch.count for batch in self._live() if batch.ref not in self._remaking),
            remaking=sum(map(len, self._remaking.values())),
            kept_back=self._window.items if self._window is not None else 0,
            halting=self._halt is not None,
            ledger=snapshot(self._run),
        )

    # -- batches

    def _made(self, message: BatchesReady) -> None:
        batches = message.batches
        if message.parent is not None:
            self._remaking.pop(message.parent, None)
        for batch in batches:
            batch.live = True
        self._open += len(batches)
        good = [batch for batch in batches if batch.error is None]
        if len(good) < len(batches):
            for batch in batches:
                if batch.error is not None and (self._halt is None or self._before_halt(batch)):
                    self._batch_failed(batch, batch.error)
        if self._halt is not None:
            good = [batch for batch in good if self._before_halt(batch)]
        if good:
            # Made anew they go before fresh ones: the order waits for them, and their credit is taken already.
            self._pool.tell(Submit(self._run.run_queue, good, front=message.parent is not None))

    def _live(self) -> list[Batch]:
        """The batches without an outcome."""
        return [batch for batch in list(self._run.undelivered.values()) if batch.live]

    def _replies(self, batches: list[Any]) -> None:
        """Batches have come back, nearly always with a result for each item: nothing else is done for them here."""
        run, budget = self._run, self._run.budget
        told = telemetry.attached(telemetry.BATCH_STOP)
        good: list[Delivery] = []
        count = 0
        for batch in batches:
            if batch.reply.count != batch.count or not batch.live:
                self._short(batch, batch.reply)
                continue
            batch.live = False
            batch.body, batch.buffers = b"", ()
            count += batch.count
            good.append(batch)
            if told:
                batch.took = batch.reply.took
                tell_stop(self.scheduler, batch)
            if budget is not None:
                self._release_bytes(batch, batch.reply)
        self._open -= len(good)
        run.resolved += count
        if self._window is None:
            self._out += good
        else:
            self._window.extend(good, self._out)

    def _short(self, batch: Batch, frame: Frame) -> None:
        """A reply with another number of results than there are items."""
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

    def _outcome(self, batch: Batch, outcome: Any) -> None:
        if not batch.live:
            return
        if type(outcome) is Frame:
            batch.took = outcome.took
            if outcome.kind == FAILURE:
                self._batch_failed(batch, worker_error(outcome))
            elif outcome.count + outcome.failed != batch.count:
                self._short(batch, outcome)
            elif outcome.failed:
                self._items_failed(batch, outcome)
            else:  # behind one that was more than a plain reply
                batch.reply = outcome
                self._replies([batch])
        elif isinstance(outcome, Exception):
            if type(outcome) is BatchTimeout and outcome.of == "item":
                outcome = outcome.at_item(batch.ids()[0])  # it was alone
            self._batch_failed(batch, outcome)
        elif type(outcome) is AtItem:
            self._item_charged(batch, outcome.index, outcome.error)
        else:  # an inline executor's items
            tell_stop(self.scheduler, batch)
            self._resolve(ReadyItems(batch, outcome, batch.positions))
            self._done(batch)

    def _items_failed(self, batch: Batch, frame: Frame) -> None:
        """Some items failed alone: their siblings are results, they go to the policy."""
        try:
            indexes, errors = item_errors(frame)
        except ProtocolError as error:
            self._batch_failed(batch, error)
            return
        bad = set(indexes)
        good = [i for i in range(batch.count) if i not in bad]
        if good:
            # From here on its failed items stand for the batch, wherever unfinished ones are looked up.
            self._run.undelivered[batch.ref] = batch.subset(indexes, batch.ref)
            self._resolve(Results(batch, frame, good, [batch.positions[i] for i in good]))
        self._failure(batch, indexes, errors, alone=True)

    def _item_charged(self, batch: Batch, index: int, error: Exception) -> None:
        """Its worker ended at this item, which goes to the policy; the others are executed again, as this attempt."""
        run = self._run
        if isinstance(error, BatchTimeout):
            error = error.at_item(batch.ids()[index])
        # From here on the item stands for the batch, and the rest has a reference of its own until it is made anew.
        rest = batch.subset([*range(index), *range(index + 1, batch.count)], run.next_ref())
        rest.attempt = batch.attempt
        run.undelivered[rest.ref] = rest
        run.undelivered[batch.ref] = batch.subset([index], batch.ref)
        self._failure(batch, [index], [error], alone=True)
        if self._halt is None or self._before_halt(rest):
            self._remaking[rest.ref] = rest.positions
            self._ask_batcher(Split(rest, index, batch.attempt))

    def _batch_failed(self, batch: Batch, error: Exception) -> None:
        self._failure(batch, range(batch.count), [error])

    def _failure(self, batch: Batch, indexes: Sequence[int], errors: list[Exception], *, alone: bool = False) -> None:
        """These items of a batch failed, all with one error or (`alone`) each with its own."""
        run = self._run
        run.failed += len(indexes)
        count = len(indexes)
        # Splitting finds the bad ones among many; where each failed by itself they are known.
        decision = decide(run.options.on_error, errors[0], batch.attempt, 1 if alone else count)
        tell_exception(self.scheduler, batch, errors[0], decision.verdict.value, count)
        whole = count == batch.count
        if decision.verdict is Verdict.HALT:
            position = batch.positions[indexes[0]]
            if self._halt is None or position < self._halt[0]:
                self._begin_halt(position, errors[0], self._run.undelivered.get(batch.ref, batch))
            return
        if len(errors) < count:
            errors = errors * count
        if decision.verdict is Verdict.RETRY:
            assert decision.retry is not None
            run.retries += 1
            self._again(batch, indexes, decision.retry, whole)
        elif decision.verdict is Verdict.SPLIT:
            run.retries += 1
            self._remaking[batch.ref] = batch.positions
            self._done(batch)
            self._ask_batcher(Split(batch))
        elif decision.verdict is Verdict.SKIP:
            positions = batch.positions if whole else [batch.positions[i] for i in indexes]
            run.skipped += count
            self._resolve(Skipped(batch, indexes, errors, positions))
            self._done(batch)
        else:
            assert decision.route is not None
            self._remaking[batch.ref] = [batch.positions[i] for i in indexes]
            if not whole:
                self._settled(batch)
            self._ask_batcher(AskRoute(batch, indexes, errors, decision.route))

    def _again(self, batch: Batch, indexes: Sequence[int], retry: Retry, whole: bool) -> None:
        delay = retry.delay(batch.attempt, random.random)
        run = self._run
        run.awaiting_retry += len(indexes)
        if not whole:
            self._done(batch)
            self._remaking[batch.ref] = [batch.positions[i] for i in indexes]
        self.call_later(delay, self._retry, batch, indexes, whole)

    def _retry(self, batch: Batch, indexes: Sequence[int], whole: bool) -> None:
        self._run.awaiting_retry -= len(indexes)
        if self._finished or (self._halt is not None and not self._before_halt(batch)):
            return
        if whole:
            # The same bytes: only the header, made when it is sent, says which attempt this is.
            batch.attempt += 1
            batch.took = 0
            self._pool.tell(Submit(self._run.run_queue, [batch], front=True))
        else:
            self._ask_batcher(RebuildBatch(batch, indexes, batch.attempt + 1))

    def _ask_batcher(self, message: Any) -> None:
        batcher = self._run.batcher
        if batcher is not None:
            batcher.actor_ref.tell(message)
        else:
            self._run.inbox.put(ForBatcher(message))

    # -- delivery

    def _resolve(self, delivery: Delivery) -> None:
        self._run.resolved += len(delivery.positions)
        self._hand_over(delivery)

    def _settled(self, batch: Batch) -> None:
        if batch.live:
            batch.live = False
            self._open -= 1

    def _done(self, batch: Batch) -> None:
        self._settled(batch)
        self._release_bytes(batch, None)
        batch.body, batch.buffers = b"", ()

    def _release_bytes(self, batch: Batch, frame: Frame | None) -> None:
        """The request's bytes go, the reply's come."""
        if self._run.budget is not None:
            self._run.budget.change((frame.size if frame is not None else 0) - batch.encoded)
            batch.encoded = frame.size if frame is not None else 0

    def _hand_over(self, delivery: Delivery) -> None:
        if self._window is None:
            self._out.append(delivery)
        else:
            self._window.add(delivery.positions, delivery, self._out)

    def _after(self) -> None:
        """After each message: hand over what is due, and see whether that was the end."""
        if self._finished:
            return
        run = self._run
        if self._halt is not None:
            position, error, batch = self._halt
            waited_for = any(map(self._before_halt, self._live())) or any(
                positions[0] < position for positions in self._remaking.values()
            )
            if self._window is None or not waited_for:
                self._finish(error, batch)
        elif self._total is not None and run.resolved >= self._total and not self._open and not self._remaking:
            self._finish(self._source_error, None)
        if self._out:
            run.inbox.put(Deliver(self._out))
            self._out = []

    # -- the end

    def _before_halt(self, batch: Batch) -> bool:
        assert self._halt is not None
        return self._window is not None and batch.positions[0] < self._halt[0] and batch is not self._halt[2]

    def _begin_halt(self, position: int, error: BaseException, batch: Batch) -> None:
        """Nothing new is sent; with `preserve` what comes before the failure is finished first."""
        self._halt = (position, error, batch)
        unwanted = [other for other in self._live() if not self._before_halt(other)]
        self._run.source_done = True
        if unwanted:
            self._pool.tell(CancelJobs(self._run.run_queue, unwanted))

    def _finish(self, error: BaseException | None, batch: Batch | None) -> None:
        held: list[Delivery] = []
        limit = self._halt[0] if self._halt is not None and self._window is not None else None
        if error is not None and self._window is not None:
            held = [piece for _, piece in self._window.drain()]
        if self._out:
            # The end is put right behind: a task woken in between would wait for another turn of its event loop.
            put = getattr(self._run.inbox, "put_quietly", self._run.inbox.put)
            put(Deliver(self._out))
            self._out = []
        self._run.broken = error is not None
        self._run.closed = True  # first, so that the consumer does not take this end for one that it has to make
        self._run.inbox.put(Finished(error, batch, held, limit))
        self._let_go()

    def _let_go(self) -> None:
        """Let go of pool, Batcher and Producer; the consumer has been told or does not care."""
        run = self._run
        self._finished = True
        run.closed = True
        run.awaiting_retry = 0
        self._pool.tell(CloseQueue(run.run_queue, self._generated_session))
        for role in (run.batcher, run.producer):
            if role is not None:
                role.actor_ref.tell(CloseRun())
        self.exit(Normal())


def _source_failed(total: int) -> str:
    after = f"after {total} item{'s' if total > 1 else ''}" if total else "before its first item"
    return f"the source failed {after}"
