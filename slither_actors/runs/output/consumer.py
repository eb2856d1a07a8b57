"""The consumer's side of a run: starts it, takes what is due, gives credit back, raises how it ended.

All of that is `Consumer.steps`, which never waits: it says what it needs, and its driver finds a way to wait that suits
the place. `pieces` blocks the caller's thread, `async_pieces` awaits in an event loop.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from os import getpid
from sys import is_finalizing
from time import monotonic
from typing import Any

from slither_actors.errors import FINALIZING, ForkedSystemError, StreamClosed, SystemStopped
from slither_actors.item import Item
from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.credit import GROW_BYTES
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.batcher_actor import BatcherActor
from slither_actors.runs.input.producer import ProducerActor, in_memory
from slither_actors.runs.messages import (
    CloseRun,
    Deliver,
    Delivery,
    Finished,
    ForBatcher,
    Results,
    RunFailed,
    SourceEnded,
    Wake,
)
from slither_actors.runs.output.driver_protocol import FOREVER, PAUSE, Steps, Wait
from slither_actors.runs.output.unpack import together as together_of
from slither_actors.runs.output.unpack import unpacker
from slither_actors.runs.output.unreadable import Unreadable
from slither_actors.runs.run import Run
from slither_actors.runs.run_failure import not_started, run_failure
from slither_actors.runs.stragglers import GRACE, watch_the_end
from supervisors import Scheduler, WouldDeadlock
from supervisors.runtime.interrupts import raised_by_handler

FEED_BATCHES = 8
"""Batches that the consumer pulls and hands over at a time where it feeds the run itself: the workers start on the
first ones while it encodes the next."""


Source = Iterable[Any] | AsyncIterable[Any]
"""What a run may be given; an asynchronous one where the driver is asynchronous."""


class _StreamClosed:
    """To the consumer, from whoever closed the stream in another thread."""


class Consumer:
    """Knows what the one who wants a run's results has to do; for one thread, or one task, at a time.

    A source that is in memory is pulled, batched and encoded here too, between two results; a lazy one gets a Producer
    and a Batcher with threads of their own.

    Args:
        run: not started.
        items: the source.
        make_batcher: makes the Batcher's role, in the thread that plays it.
        start_collector: starts the run's Collector under the System's supervisor of runs.
    """

    def __init__(
        self,
        run: Run,
        items: Source,
        make_batcher: Callable[[Run], Batcher],
        start_collector: Callable[[Run], None],
    ) -> None:
        self.run = run
        self.items: Any = items  # until it starts
        self._make_batcher = make_batcher
        self._start_collector = start_collector
        self._feeding: Iterator[Any] | None = None
        self._at_a_time = 1  # items
        self._batcher: Batcher | None = None
        self._unpack = unpacker(run.options.executor, run.blame, run)
        self._together = together_of(run)
        self._next = 0
        self._held: dict[int, Item] = {}  # items whose turn has not come: batches may interleave
        self._late: list[Delivery] = []
        self._broken: BaseException | None = None  # what unpacking a result raised; no further one is handed out
        self._unreadable: Batch | None = None  # the batch whose reply that was, where it could not be decoded
        self.closed = False
        """Nobody wants the rest, or there is none."""
        self.told = False
        """How the run ended: by the end of its results or by its error."""
        self._burst = 0  # batches that came at once when it waited last
        self._size = GROW_BYTES  # bytes of request and reply of the last batch that came
        self._watched = False
        self._gone = False  # it is closed, and all know

    def steps(
        self,
        *,
        plays: Callable[[Iterable[Any]], bool] = in_memory,
        produce: Callable[[Run, Any, deque[Any]], object] = ProducerActor.start,
        feed_batches: int = FEED_BATCHES,
        grows: bool = True,
    ) -> Steps:
        """The consumer itself, which never waits: it gives pieces, and asks for what it needs.

        Args:
            plays: whether the driver may play the roles of Producer and Batcher for a source.
            produce: makes the Producer (as ``run.producer``) of another source: of the run, the source, and the buffer
                where it puts down the items.
            feed_batches: batches that it pulls, encodes and hands over between two steps, where it plays the roles.
            grows: whether the window may grow then, unless the caller of the run has said how large it is.

        Raises:
            DispatchError: the run failed.
            StreamClosed: it was closed meanwhile.
            SystemStopped: the interpreter is shutting down, and has ended the threads that make the results.
            WouldDeadlock: this is a scheduler's thread, which must not wait.
        """
        if self.closed:
            raise StreamClosed("this stream was closed before it was read")
        if getpid() != self.run.pid:
            raise ForkedSystemError
        if is_finalizing():
            raise SystemStopped(FINALIZING)
        if Scheduler.current() is not None:
            raise WouldDeadlock(
                "a run waits for its results, and this is a scheduler's thread, which would have to make them; from a "
                "light actor, send the items to an actor with a thread of its own (a DaemonActor or a "
                "pykka.ThreadingActor), which dispatches them and sends the results back by tell()"
            )
        options = self.run.options
        self._at_a_time = max(1, feed_batches * (options.batch_size or options.strategy.batch_size or 64))
        try:
            self._start(plays, produce)
            if grows and self._feeding is not None and not options.prefetch_given and self.run.budget is None:
                self.run.credit.may_grow()
            yield from self._loop()
        finally:
            try:
                self._end()
            except BaseException:  # an interrupt in the middle of it
                self._end()
                raise

    def _end(self) -> None:
        self.close()
        if self._batcher is not None:
            self._batcher.close()
        self.run.blamed.clear()  # or their tracebacks would keep the run alive, and the run them
        self._broken = self._unreadable = None

    def close(self) -> None:
        """Nobody wants the rest: sources stop, what was not sent is dropped.

        From any thread, never blocks, may be repeated.
        """
        if self._gone:
            return
        try:
            self.closed = True
            self._let_go()
        except BaseException:  # an interrupt: those behind it have not heard of it
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Tell those that exist by now. Done by whoever closes, and again by the thread that starts what it missed."""
        run = self.run
        if not self.told:
            run.cut("close")  # before `closed`, so that no snapshot takes this for a failure
        run.closed = True
        if is_finalizing():  # all other threads are frozen, perhaps with a mailbox's lock
            return
        if run.collector is not None:
            run.collector.tell(CloseRun())
        for role in (run.producer, run.batcher):
            if role is not None:
                role.actor_ref.tell(CloseRun())
        run.inbox.put(_StreamClosed())
        if run.producer is not None and not self._watched:
            self._watched = True
            watch_the_end(run)
        if run.collector is not None:
            self._gone = True

    def _start(self, plays: Callable[[Iterable[Any]], bool], produce: Callable[[Run, Any, deque[Any]], object]) -> None:
        run, items = self.run, self.items
        self.items = None  # the run must not keep a finished source alive
        if plays(items):
            self._feeding = iter(items)
            self._batcher = self._make_batcher(run)
        else:
            buffer: deque[Any] = deque()
            try:
                BatcherActor.start(run, self._make_batcher, buffer)
                produce(run, items, buffer)
            except RuntimeError as error:  # the system has no thread left
                if raised_by_handler(error):
                    raise
                raise not_started(error) from error
        self._start_collector(run)
        if self.closed:
            self._let_go()
            raise StreamClosed("this stream was closed")
        if run.producer is not None:
            run.producer.actor_ref.tell(Wake())

    def _loop(self) -> Steps:
        run = self.run
        inbox, credit, undelivered, budget, pid = run.inbox, run.credit, run.undelivered, run.budget, run.pid
        ordered, together = run.options.ordering == "preserve", self._together
        owed = 0
        while True:
            # All credit goes back before we wait, so that nobody waits for us; before that in chunks, to save messages.
            waits = inbox.empty()
            if waits or owed * 4 >= credit.limit:
                credit.returned += owed
                owed = 0
                if credit.grows:
                    self._adapt(waits)
                while self._refill():
                    yield PAUSE
                    if self.closed:
                        raise StreamClosed("this stream was closed")
            if getpid() != pid:
                raise ForkedSystemError
            if waits and is_finalizing():
                raise SystemStopped(FINALIZING)
            message = yield FOREVER
            if self.closed:
                raise StreamClosed("this stream was closed")
            if type(message) is Deliver:
                if waits:
                    self._burst = len(message.deliveries)
                if together is not None and self._broken is None and not self._held:
                    done = together(message.deliveries, self._next)
                    if done is not None:
                        items, refs, self._size = done
                        for ref in refs:
                            del undelivered[ref]
                        self._next += len(items)
                        yield items
                        owed += len(items)
                        if self.closed:
                            raise StreamClosed("this stream was closed")
                        continue
                for number, delivery in enumerate(message.deliveries):
                    if self._broken is not None:
                        self._late.append(delivery)
                        continue
                    try:
                        items = self._unpack(delivery)
                    except BaseException as error:  # a user's `results` may raise anything
                        if raised_by_handler(error):
                            raise
                        self._broken = error
                        if isinstance(error, Unreadable):
                            self._broken, self._unreadable = error.reason, error.batch
                        self._late.extend(message.deliveries[number + 1 :])
                        run.collector.tell(RunFailed(self._broken))
                        break
                    batch = delivery if type(delivery) is Batch else delivery.batch
                    if batch.reply is not None:
                        self._size = batch.encoded + batch.reply.size
                        batch.reply = None
                    if type(delivery) is not Results:
                        undelivered.pop(batch.ref, None)
                        if budget is not None:
                            budget.change(-batch.encoded)
                            batch.encoded = 0
                    if ordered:
                        items = self._in_order(delivery.positions, items)
                    if items:
                        yield items
                        owed += len(items)
                        if self.closed:
                            raise StreamClosed("this stream was closed")
            elif type(message) is Finished:
                # The Collector may have been done before we could tell it that a result cannot be unpacked.
                cause = message.error if message.error is not None else self._broken
                if cause is None:
                    self.told = True
                    return
                if self._unreadable is not None and cause is self._broken:
                    message.batch = self._unreadable
                    message.limit = self._unreadable.positions[0] if ordered else None
                if not run.cut("halt"):
                    raise StreamClosed("this stream was closed")
                yield from self._roles_end()
                failure = run_failure(
                    run,
                    message,
                    cause,
                    leftover=self._leftover(),
                    held=self._held,
                    late=self._late,
                    unpack=self._unpack,
                )
                run.emitted += len(failure.partial_results)
                self.told = True
                try:
                    raise failure from cause
                finally:  # its traceback holds this frame, which is not to hold it
                    del failure, cause, message
            elif type(message) is ForBatcher:
                self._guarded(message.message)

    def _adapt(self, waits: bool) -> None:
        """Have the window follow how fast results come and are taken."""
        if not waits:
            self.run.credit.lags(self._size)
            return
        run_queue = self.run.run_queue
        if run_queue.average is not None:
            self.run.credit.waits(self._size, run_queue.average / max(1, len(run_queue.occupied)), self._burst)

    def _in_order(self, positions: Sequence[int], items: list[Item]) -> list[Item]:
        """The items whose turn it is, a delivery's and those that waited for it."""
        held = self._held
        if (
            not held
            and positions[0] == self._next
            and (type(positions) is range or positions[-1] - positions[0] + 1 == len(items))
        ):
            self._next += len(items)
            return items
        held.update(zip(positions, items, strict=True))
        out = []
        while (item := held.pop(self._next, None)) is not None:
            out.append(item)
            self._next += 1
        return out

    # -- the roles of Producer and Batcher, for a source in memory

    def _refill(self) -> bool:
        """Use the credit that there is, as far as one step goes. Whether there is more to do."""
        run = self.run
        if self._batcher is not None:
            return not run.closed and self._guarded(None)
        run.producer.wake()
        if run.starving or (run.budget is not None and run.budget.waited_for):
            run.batcher.actor_ref.tell(Wake())
        return False

    def _guarded(self, message: Any) -> bool:
        """User code in strategies and routes may raise anything: it ends this run with the cause."""
        try:
            assert self._batcher is not None
            if message is None:
                return self._feed(self._batcher)
            self._batcher.rebuild(message)
        except BaseException as error:
            if raised_by_handler(error):
                raise  # the person at the terminal, a time limit: this is the thread that hears it
            self._fail(error)
        return False

    def _fail(self, error: BaseException) -> None:
        self._feeding = None
        self.run.source_done = True
        self.run.collector.tell(RunFailed(error))

    def _feed(self, batcher: Batcher) -> bool:
        """Pull and hand over as much as one step may take. Whether there is credit for more."""
        run = self.run
        credit = run.credit
        room = credit.room()
        if self._feeding is not None and room > 0:
            want = min(room, self._at_a_time)
            entries: list[Any] = []
            error: BaseException | None = None
            try:
                entries.extend(itertools.islice(self._feeding, want))
            except Exception as failure:  # changed in mid-iteration, say; what came before it is kept
                if raised_by_handler(failure):
                    raise
                error = failure
            credit.pulled += len(entries)
            if len(entries) < want:
                self._feeding = None
                run.source_done = True
            batcher.feed(entries)
            if self._feeding is None:
                batcher.finish(SourceEnded(error))
            elif credit.room() > 0:
                return True
        batcher.look()
        return False

    # -- how it ended

    def _roles_end(self) -> Steps:
        """Wait for Producer and Batcher, if there are any, so that what they leave behind is all there is."""
        deadline = monotonic() + GRACE
        for role in (self.run.producer, self.run.batcher):
            while role is not None and not role.ended and monotonic() < deadline:
                yield Wait(deadline)

    def _leftover(self) -> list[Any]:
        """The ids of what was pulled and is in no batch."""
        if self._batcher is None:
            left: list[Any] = self.run.batcher.leftover()
            return left
        try:
            return self._batcher.held_ids()
        except Exception as error:  # the strategy's own failure may be why we are here
            if raised_by_handler(error):
                raise
            return []
