"""The batch book against a model: each item comes out once, in order if asked, and the ledger balances."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.a_run import a_batch, a_queue, a_refusal, a_reply, a_run, replied

from slither_actors import Item, Retry, Route, WorkerCrashed
from slither_actors.pools.assignment.job import AtItem
from slither_actors.pools.messages import CancelJobs, Submit
from slither_actors.runs.batch import Batch
from slither_actors.runs.batch_book import BatchBook, RetryLater, StopInput
from slither_actors.runs.messages import AskRoute, RebuildBatch, Results, Split

POLICIES = [
    "skip",
    "halt",
    Retry(2, then="skip"),
    Retry(2, split=True, then="skip"),
    Retry(2, then="halt"),
    Route(lambda item, error: item),
]


class Books(RuleBasedStateMachine):
    """Plays Batcher, pool, clock and consumer around a book."""

    @initialize(policy=st.sampled_from(POLICIES), ordering=st.sampled_from(["preserve", "as_completed"]))
    def begin(self, policy: Any, ordering: str) -> None:
        self.run = a_run(on_error=policy, ordering=ordering)
        self.book = BatchBook(
            self.run.options, self.run.ledger, a_queue(), self.run.undelivered, self.run.next_ref, jitter=lambda: 0.5
        )
        self.ordered = ordering == "preserve"
        self.made = 0
        self.ended = False
        self.at_workers: list[Batch] = []
        self.waiting: list[RetryLater] = []
        self.for_batcher: list[Split | RebuildBatch | AskRoute] = []
        self.out: list[int] = []
        self.firsts: list[int] = []

    def carry_out(self) -> None:
        effects, self.book.effects = self.book.effects, []
        for effect in effects:
            if isinstance(effect, Submit):
                self.at_workers += effect.jobs  # type: ignore[arg-type]  # as the book submits Batches
            elif isinstance(effect, CancelJobs):
                for job in effect.jobs:
                    if job in self.at_workers:
                        self.at_workers.remove(job)  # type: ignore[arg-type]
            elif isinstance(effect, RetryLater):
                self.waiting.append(effect)
            elif isinstance(effect, StopInput):
                self.ended = True
            else:
                self.for_batcher.append(effect)
        deliveries, self.book.deliveries = self.book.deliveries, []
        for delivery in deliveries:
            self.firsts.append(delivery.positions[0])
            self.out += delivery.positions
            if not isinstance(delivery, Results):
                batch = delivery if isinstance(delivery, Batch) else delivery.batch
                self.run.undelivered.pop(batch.ref, None)

    @property
    def over(self) -> bool:
        return self.book.end() is not None

    @precondition(lambda self: not self.ended and not self.over)
    @rule(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3))
    def new_batches(self, sizes: list[int]) -> None:
        batches = []
        for size in sizes:
            batches.append(a_batch(self.run, range(self.made, self.made + size)))
            self.made += size
        self.book.batches_ready(batches, None)
        self.carry_out()

    @precondition(lambda self: not self.ended)
    @rule()
    def end_input(self) -> None:
        self.ended = True
        self.book.input_ended(self.made, None)
        self.carry_out()

    @precondition(lambda self: self.at_workers and not self.over)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        batch = self.at_workers.pop(data.draw(st.integers(0, len(self.at_workers) - 1)))
        kinds = ["reply", "crash", "inline"] + (["alone", "item", "refused"] if batch.count > 1 else [])
        kind = data.draw(st.sampled_from(kinds))
        if kind == "reply":
            self.book.replies([replied(batch)])
        elif kind == "crash":
            self.book.outcome(batch, WorkerCrashed(1))
        elif kind == "inline":
            self.book.outcome(batch, [Item(position, None) for position in batch.positions])
        else:
            index = data.draw(st.integers(0, batch.count - 1))
            if kind == "refused":
                first = data.draw(st.integers(0, index))
                self.book.outcome(batch, a_refusal(batch, *range(first, index + 1)))
            elif kind == "item":
                self.book.outcome(batch, AtItem(index, WorkerCrashed(1)))
            else:
                self.book.outcome(batch, a_reply([0] * (batch.count - 1), {index: "odd"}))
        self.carry_out()

    @precondition(lambda self: self.waiting and not self.over)
    @rule()
    def back_off_is_over(self) -> None:
        self.book.retry_due(self.waiting.pop(0))
        self.carry_out()

    @precondition(lambda self: self.for_batcher and not self.over)
    @rule()
    def batcher_works(self) -> None:
        request = self.for_batcher.pop(0)
        batch = request.batch
        if isinstance(request, AskRoute):
            positions = [batch.positions[index] for index in request.indexes]
            self.book.routed(batch, positions, [Item(position, None) for position in positions])
        else:
            if isinstance(request, Split):
                parts = [part for part in (range(request.at), range(request.at, batch.count)) if part]
            else:
                parts = [request.indexes]  # type: ignore[list-item]
            made = []
            for indexes in parts:
                part = batch.subset(indexes, self.run.next_ref())
                part.attempt = request.attempt
                self.run.undelivered[part.ref] = part
                made.append(part)
            self.run.undelivered.pop(batch.ref, None)
            self.book.batches_ready(made, batch.ref)
        self.carry_out()

    @rule()
    def nothing_happens(self) -> None:
        """So that a run that is over can be looked at."""

    @invariant()
    def nothing_comes_out_twice(self) -> None:
        if hasattr(self, "out"):
            assert len(self.out) == len(set(self.out))
            assert not self.ordered or self.firsts == sorted(self.firsts)

    @invariant()
    def the_ledger_balances(self) -> None:
        if hasattr(self, "out"):
            ledger = self.run.ledger
            assert len(self.out) <= ledger.resolved <= ledger.batched == self.made
            assert ledger.resolved == len(self.out) + self.book.kept_back
            assert ledger.awaiting_retry == sum(len(retry.indexes) for retry in self.waiting)

    @invariant()
    def an_end_without_error_has_everything(self) -> None:
        if hasattr(self, "out"):
            end = self.book.end()
            if end is not None and end.error is None:
                assert sorted(self.out) == list(range(self.made))
                assert (self.book.open_batches, self.book.open_items, self.book.rebuilding) == (0, 0, 0)

    @invariant()
    def a_run_with_nothing_left_to_do_is_over(self) -> None:
        if hasattr(self, "out") and self.ended and not (self.at_workers or self.waiting or self.for_batcher):
            assert self.over


TestBooks = Books.TestCase
