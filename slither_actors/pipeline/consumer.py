"""The consumer's side of a run: starts it, takes what is due, gives credit back, raises how it ended."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from os import getpid
from time import monotonic
from typing import Any

from slither_actors.errors import DispatchError, ForkedSystemError, StreamClosed
from slither_actors.item import Item
from slither_actors.pipeline.batch import Batch, describe
from slither_actors.pipeline.batcher import Batcher
from slither_actors.pipeline.batcher_actor import BatcherActor
from slither_actors.pipeline.grace import GRACE, watch_the_end
from slither_actors.pipeline.messages import (
    Close,
    Deliver,
    Delivery,
    Failed,
    Finished,
    Look,
    Results,
    SourceEnded,
    Work,
)
from slither_actors.pipeline.producer import ProducerActor, in_memory
from slither_actors.pipeline.run import Run
from slither_actors.pipeline.unpack import unpacker

FEED_BATCHES = 8
"""Batches that the consumer pulls and hands over at a time where it feeds the run itself: the workers start on the
first ones while it encodes the next."""


class _Closed:
    """To the consumer, from whoever closed the stream in another thread."""


class Consumer:
    """Drives one run from the thread that wants its results.

    A source that is in memory is pulled, batched and encoded by this thread too, between two results; a lazy one gets a
    Producer and a Batcher with threads of their own.

    Args:
        run: not started.
        items: the source.
        make_batcher: makes the Batcher's role, in the thread that plays it.
        start_collector: starts the run's Collector under the System's supervisor of runs.
    """

    def __init__(
        self,
        run: Run,
        items: Iterable[Any],
        make_batcher: Callable[[Run], Batcher],
        start_collector: Callable[[Run], None],
    ) -> None:
        self.run = run
        self._items: Iterable[Any] | None = items
        self._make_batcher = make_batcher
        self._start_collector = start_collector
        self._feeding: Iterator[Any] | None = None
        self._batcher: Batcher | None = None
        self._unpack = unpacker(run.options.executor)
        self._next = 0
        self._held: dict[int, Item] = {}  # items whose turn has not come: batches may interleave
        self._late: list[Delivery] = []
        self._broken: BaseException | None = None  # what unpacking a result raised; no further one is handed out
        self._closed = False
        self._watched = False

    def pieces(self) -> Iterator[list[Item]]:
        """The results, in lists as they come due.

        Raises:
            DispatchError: the run failed.
            StreamClosed: it was closed meanwhile.
        """
        if self._closed:
            raise StreamClosed("this stream was closed before it was read")
        if getpid() != self.run.pid:
            raise ForkedSystemError
        try:
            self._start()
            yield from self._loop()
        finally:
            self.close()

    def close(self) -> None:
        """Nobody wants the rest: sources stop, what was not sent is dropped.

        From any thread, never blocks, may be repeated.
        """
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        """Tell those that exist by now. Done by whoever closes, and again by the thread that starts what it missed."""
        run = self.run
        if not run.closed:
            run.closed = run.cut_short = True
        if run.collector is not None:
            run.collector.tell(Close())
        for role in (run.producer, run.batcher):
            if role is not None:
                role.actor_ref.tell(Close())
        run.inbox.put(_Closed())
        if run.producer is not None and not self._watched:
            self._watched = True
            watch_the_end(run)

    def _start(self) -> None:
        run, items = self.run, self._items
        assert items is not None
        self._items = None  # the run must not keep a finished source alive
        if in_memory(items):
            self._feeding = iter(items)
            self._batcher = self._make_batcher(run)
        else:
            buffer: deque[Any] = deque()
            BatcherActor.start(run, self._make_batcher, buffer)
            ProducerActor.start(run, items, buffer)
        self._start_collector(run)
        if self._closed:
            self._let_go()
            raise StreamClosed("this stream was closed")
        if run.producer is not None:
            run.producer.actor_ref.tell(Look())

    def _loop(self) -> Iterator[list[Item]]:
        run = self.run
        inbox, credit, undelivered, budget = run.inbox, run.credit, run.undelivered, run.budget
        owed = 0
        while True:
            # All credit goes back before we wait, so that nobody waits for us; before that in chunks, to save messages.
            if owed * 4 >= credit.limit or inbox.empty():
                credit.returned += owed
                owed = 0
                self._refill()
            if getpid() != run.pid:
                raise ForkedSystemError
            message = inbox.get()
            if type(message) is Deliver:
                for number, delivery in enumerate(message.deliveries):
                    if self._broken is not None:
                        self._late.append(delivery)
                        continue
                    try:
                        items = self._unpack(delivery)
                    except KeyboardInterrupt:
                        raise
                    except BaseException as error:  # a user's `results` may raise anything
                        self._broken = error
                        self._late.extend(message.deliveries[number:])
                        run.collector.tell(Failed(error))
                        break
                    batch = delivery.batch
                    if type(delivery) is not Results or delivery.indexes is None:
                        undelivered.pop(batch.ref, None)
                        if budget is not None:
                            budget.change(-batch.encoded)
                            batch.encoded = 0
                    if run.options.ordering == "preserve":
                        items = self._in_order(delivery, items)
                    if items:
                        yield items
                        owed += len(items)
                        if self._closed:
                            raise StreamClosed("this stream was closed")
            elif type(message) is Finished:
                # The Collector may have been done before we could tell it that a result cannot be unpacked.
                cause = message.error if message.error is not None else self._broken
                if cause is not None:
                    raise self._failure(message, cause) from cause
                return
            elif type(message) is Work:
                self._guarded(message.message)
            else:
                raise StreamClosed("this stream was closed")

    def _in_order(self, delivery: Delivery, items: list[Item]) -> list[Item]:
        """The items whose turn it is, this delivery's and those that waited for it."""
        positions, held = delivery.positions, self._held
        first = positions[0]
        if not held and first == self._next and positions[-1] - first + 1 == len(items):
            self._next += len(items)
            return items
        held.update(zip(positions, items, strict=True))
        out = []
        while (item := held.pop(self._next, None)) is not None:
            out.append(item)
            self._next += 1
        return out

    # -- the roles of Producer and Batcher, for a source in memory

    def _refill(self) -> None:
        run = self.run
        if self._batcher is None:
            run.producer.wake()
            if run.starving or (run.budget is not None and run.budget.waited_for):
                run.batcher.actor_ref.tell(Look())
        elif not run.closed:
            self._guarded(None)

    def _guarded(self, message: Any) -> None:
        """User code in strategies and routes may raise anything: it ends this run with the cause."""
        try:
            assert self._batcher is not None
            if message is None:
                self._feed(self._batcher)
            else:
                self._batcher.remake(message)
        except Exception as error:
            self._fail(error)
        except KeyboardInterrupt:
            raise  # the person at the terminal, and this is the thread that hears it
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._feeding = None
        self.run.source_done = True
        self.run.collector.tell(Failed(error))

    def _feed(self, batcher: Batcher) -> None:
        run = self.run
        credit = run.credit
        step = max(1, FEED_BATCHES * (run.options.batch_size or run.options.strategy.batch_size or 64))
        while self._feeding is not None and (room := credit.room()) > 0:
            want = min(room, step)
            entries: list[Any] = []
            error: BaseException | None = None
            try:
                entries.extend(itertools.islice(self._feeding, want))
            except Exception as failure:  # changed in mid-iteration, say; what came before it is kept
                error = failure
            credit.pulled += len(entries)
            if len(entries) < want:
                self._feeding = None
                run.source_done = True
            batcher.feed(entries)
            if self._feeding is None:
                batcher.finish(SourceEnded(error))
        batcher.look()

    # -- how it ended

    def _failure(self, finished: Finished, error: BaseException) -> DispatchError:
        """The error with all that is known: what is done and not handed out, and what is not done."""
        run = self.run
        run.cut_short = True
        # First of all: afterwards nothing moves any more from where we look last to where we have looked already.
        leftover = self._leftover()
        kept: list[tuple[int, Item]] = list(self._held.items())
        for delivery in [*self._late, *finished.held]:
            try:
                items = self._unpack(delivery)
            except KeyboardInterrupt:
                raise
            except BaseException:  # the one that ended the run, or its like: its items are unfinished
                continue
            if type(delivery) is not Results or delivery.indexes is None:
                run.undelivered.pop(delivery.batch.ref, None)
            kept.extend(zip(delivery.positions, items, strict=True))
        kept.sort(key=lambda pair: pair[0])
        limit = finished.limit
        partial = [item for position, item in kept if limit is None or position < limit]
        lost = [(position, item.id) for position, item in kept if limit is not None and position >= limit]
        done = {position for position, _ in kept}
        for batch in list(run.undelivered.values()):
            pairs = zip(batch.positions, batch.ids(), strict=True)
            lost.extend((position, item_id) for position, item_id in pairs if position not in done)
        lost.sort(key=lambda pair: pair[0])
        unfinished = [item_id for _, item_id in lost] + leftover
        return _error(error, finished.batch, partial, unfinished)

    def _leftover(self) -> list[Any]:
        """The ids of what was pulled and is in no batch."""
        run = self.run
        if self._batcher is None:
            deadline = monotonic() + GRACE
            run.producer.ended.wait(GRACE)
            left: list[Any] = run.batcher.leftover(deadline - monotonic())
            return left
        with contextlib.suppress(Exception):  # the strategy's own failure may be why we are here
            return self._batcher.held_ids()
        return []


def _error(
    error: BaseException, batch: Batch | None, partial: list[Item], unfinished: list[Any]
) -> DispatchError:
    where = describe(batch) if batch is not None else "the run"
    try:
        text = str(error)
    except BaseException:  # an exception that cannot be printed is still one
        text = "(it cannot be printed)"
    return DispatchError(
        f"{where} failed: {type(error).__name__}: {text}",
        reason=error,
        batch_ref=batch.ref if batch is not None else None,
        partial_results=partial,
        unfinished=unfinished,
    )
