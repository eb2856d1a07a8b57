"""A run: what it was asked for, its ledger, its limits, how it ended, and the references of its actors."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from operator import length_hint
from typing import Literal

from msgspec import Struct

from slither_actors.item import Item
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.run_options import RunOptions
from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.flow.credit import Credit
from slither_actors.runs.ledger import Ledger
from slither_actors.runs.messages import BlockingInbox, CollectorMessage, ConsumerInbox
from slither_actors.runs.roles import BatcherRole, ProducerRole
from slither_actors.runs.statistics import RunStatistics
from supervisors import Ref, Scheduler

next_run_id = itertools.count(1).__next__
"""Gives the number of the next run in this process."""


class RunSpec(Struct, frozen=True):
    """What does not change during a run.

    Args:
        id: its number in this process.
        options: validated.
        scheduler: of the System that it runs in.
        pid: of the process that opened it.
        report_straggler: called for each role that is still inside user code some time after the end.
        due: when it has had its time, by the scheduler's clock; None: it has no `deadline`.
    """

    id: int
    options: RunOptions
    scheduler: Scheduler
    pid: int
    report_straggler: Callable[[ProducerRole | BatcherRole], None]
    due: float | None = None


class Ending:
    """How a run ends: written by whichever thread ends it, read by all.

    Attributes:
        closed: nothing more is pulled or sent. Set by the consumer when it closes, and by the Collector at the end.
        broken: the Collector has ended it with an error.
    """

    __slots__ = ("_blamed", "_cut", "broken", "closed")

    def __init__(self) -> None:
        self.closed = False
        self.broken = False
        # Failed ("halt"), or closed by its consumer: what was not handed out is dropped.
        self._cut: dict[str, Literal["halt", "close"]] = {}
        self._blamed: list[tuple[BaseException, str]] = []

    @property
    def cut_short(self) -> Literal["halt", "close"] | None:
        """How the run was cut short; None if it was not."""
        return self._cut.get("how")

    def cut(self, how: Literal["halt", "close"]) -> bool:
        """Mark the run as cut short. Returns False if the other reason was recorded first.

        `setdefault` is one step of the interpreter, so of two threads that call this one comes first.
        """
        return self._cut.setdefault("how", how) == how

    def blame(self, error: BaseException, failed: str) -> None:
        """Record which part raised `error`, as in "the source failed after 3 items". The first record counts."""
        self._blamed.append((error, failed))

    def blamed(self, error: BaseException) -> str | None:
        """Return what was recorded for `error`; None if nothing was."""
        return next((failed for known, failed in self._blamed if known is error), None)

    def forget_blame(self) -> None:
        """Drop the recorded errors, whose tracebacks would keep the run alive."""
        self._blamed.clear()


class Run:
    """What the actors of one run and its consumer share.

    Everything here is set before the run starts, or has one writer:

    Attributes:
        spec: what does not change.
        ledger: the counters of its items.
        ending: how it ends.
        credit: the window, in items.
        budget: the bound in bytes; None if the run has none.
        inbox: where the run's actors put what they have for the consumer. Replaced by the driver before the start.
        next_ref: gives the number of the next batch.
        undelivered: batches that exist and are not delivered, by number. The Batcher adds, the consumer removes; where
            some items of a batch are delivered the Collector leaves the rest of it here. So at any time it names what
            is on its way.
        reading: the piece that the consumer is handing out.
        settled: it was a request, and is over without ever needing a Collector.
        starving: the Batcher waits for an event that only another role can report. Written by the Batcher.
        source_done: nothing more is pulled. Written by the role that pulls, and by the Collector when the run halts.
        batcher: the Batcher with a thread of its own; None where the consumer plays that role.
        producer: what pulls a lazy source; None where the consumer does.
    """

    __slots__ = (
        "__weakref__",
        "_collector",
        "_run_queue",
        "batcher",
        "budget",
        "credit",
        "ending",
        "inbox",
        "ledger",
        "next_ref",
        "producer",
        "reading",
        "settled",
        "source_done",
        "spec",
        "starving",
        "undelivered",
    )

    def __init__(
        self,
        options: RunOptions,
        scheduler: Scheduler,
        report_straggler: Callable[[ProducerRole | BatcherRole], None] = lambda role: None,
        due: float | None = None,
    ) -> None:
        if due is None and options.deadline is not None:
            due = scheduler.now() + options.deadline
        self.spec = RunSpec(next_run_id(), options, scheduler, os.getpid(), report_straggler, due)
        self.ledger = Ledger()
        self.ending = Ending()
        strategy = options.strategy
        self.credit = Credit(
            options.max_in_flight + options.prefetch,
            options.batch_size or strategy.batch_size,
            unbounded=strategy.whole_input,
        )
        self.budget: ByteBudget | None = None
        self.inbox: ConsumerInbox = BlockingInbox()
        self.next_ref = itertools.count(1).__next__
        self.undelivered: dict[int, Batch] = {}
        self.reading: Iterator[Item] = iter(())
        self.settled = False
        self.starving = False
        self.source_done = False
        self._run_queue: RunQueue | None = None
        self._collector: Ref[CollectorMessage] | None = None
        self.batcher: BatcherRole | None = None
        self.producer: ProducerRole | None = None

    @property
    def id(self) -> int:
        """The number of the run in this process."""
        return self.spec.id

    @property
    def options(self) -> RunOptions:
        """The options of the run."""
        return self.spec.options

    @property
    def run_queue(self) -> RunQueue:
        """The run's place in its pool. Once it has started."""
        assert self._run_queue is not None
        return self._run_queue

    @property
    def collector(self) -> Ref[CollectorMessage]:
        """The reference of the Collector. Once the run has started."""
        assert self._collector is not None
        return self._collector

    @property
    def has_started(self) -> bool:
        """Whether there is a Collector."""
        return self._collector is not None

    def start(self, run_queue: RunQueue, collector: Ref[CollectorMessage]) -> None:
        """Enter the run's place in its pool, and its Collector.

        The Collector last: another thread that sees it may end the run by it at once.
        """
        self._run_queue = run_queue
        self._collector = collector

    def drop_reading(self) -> None:
        """Hand out no more of the piece that is being handed out. Called by the consumer."""
        self.ledger.emitted -= length_hint(self.reading)
        self.reading = iter(())

    def room(self) -> int:
        """Return how many items a Producer may pull now; it does not stop by itself. None once the run halts.

        Where bytes are counted, the size of what was pulled and not fed to the strategy yet is unknown: little of it
        may be pulled.
        """
        if self.source_done:
            return 0
        credit, budget = self.credit, self.budget
        room = credit.room()
        if budget is None or room <= 0 or credit.unbounded:
            return room
        if budget.full():
            return 0
        return min(room, self.ledger.fed + budget.ahead() - credit.pulled)

    def statistics(self) -> RunStatistics:
        """Return the run's ledger now. From any thread.

        It is read downstream first, so that no item seems to come out before it went in.
        """
        ledger, ending = self.ledger, self.ending
        emitted = ledger.emitted - length_hint(self.reading)
        resolved, batched = ledger.resolved, ledger.batched
        under_way = batched - resolved
        waiting = min(ledger.awaiting_retry, under_way)
        pulled = self.credit.pulled
        # What is left of a run that failed or was closed is dropped: at first what has no outcome, and once the
        # consumer has been notified, all that it has not handed out.
        over = ending.closed and (self.has_started or self.settled)
        last = over and ending.cut_short is not None
        lost = last or (over and ending.broken)
        dropped = pulled - (emitted if last else resolved) if lost else 0
        closed = ending.cut_short == "close"
        return RunStatistics(
            pulled=pulled,
            buffered=0 if lost else pulled - batched,
            in_flight=0 if lost else under_way - waiting,
            awaiting_retry=0 if lost else waiting,
            held=0 if last else resolved - emitted,
            emitted=emitted,
            skipped=ledger.skipped + ledger.unread_skipped,
            routed=ledger.routed + ledger.unread_routed,
            retries=ledger.retries,
            failed=ledger.failed + ledger.unread_failed,
            dropped_by_halt=0 if closed else dropped,
            dropped_by_close=dropped if closed else 0,
        )
