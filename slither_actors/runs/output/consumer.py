"""The consumer's side of a run: starts it, takes what is due, returns credit, raises how it ended.

All of that is `Consumer.steps`, which never waits: it yields what it needs, and its driver waits in the way that suits
the place. `blocking_driver` blocks the caller's thread, `asyncio_driver` awaits in an event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from os import getpid
from sys import is_finalizing
from time import monotonic
from typing import Any, Protocol, TypeAlias

from slither_actors.errors import FINALIZING, DeadlineExceeded, ForkedSystemError, StreamClosed, SystemStopped
from slither_actors.runs.flow.pacing import FEED_BATCHES, RETURNED_PART
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.memory_input import MemoryInput
from slither_actors.runs.input.producer import ProducerActor, in_memory
from slither_actors.runs.input.resumed_input import Resumed, ResumedInput
from slither_actors.runs.input.threaded_input import StartProducer, ThreadedInput
from slither_actors.runs.messages import (
    BatchRequest,
    CloseRun,
    Deliver,
    Finished,
    ForBatcher,
    RunFailed,
    StreamWasClosed,
)
from slither_actors.runs.output.delivery import DeliveryReader
from slither_actors.runs.output.driver_protocol import FOREVER, PAUSE, Steps, Wait
from slither_actors.runs.run import Run
from slither_actors.runs.stragglers import GRACE, OVERDUE_GRACE, watch_the_end
from supervisors import Scheduler, WouldDeadlock

Source: TypeAlias = Iterable[Any] | AsyncIterable[Any]
"""What a run may be given; an asynchronous one where the driver is asynchronous."""


class Input(Protocol):
    """Where a run's batches come from."""

    def start(self) -> None:
        """Begin, now that the run has a Collector."""

    def refill(self) -> bool:
        """Use the credit that there is. Returns whether there is more to do at once."""

    def serve(self, request: BatchRequest | None) -> None:
        """Do what the Collector asks of the Batcher; None: there is room for bytes again."""

    def ended(self) -> bool:
        """Return whether what it leaves behind stays as it is."""

    def leftover(self) -> list[Any]:
        """Return the ids of what was pulled and is in no batch, once it has ended."""

    def close(self) -> None:
        """Make no more batches."""


def check_may_wait() -> None:
    """Refuse to wait for results on a thread that has to make them.

    Raises:
        WouldDeadlock: with the remedy.
    """
    if Scheduler.current() is not None:
        raise WouldDeadlock(
            "a run waits for its results, and this is a scheduler's thread, which would have to make them; from a "
            "light actor, send the items to an actor with a thread of its own (a DaemonActor or a "
            "pykka.ThreadingActor), which dispatches them and sends the results back by tell(). The "
            "`__init__` of such an actor runs here, too: dispatch in its on_start"
        )


class Consumer:
    """What has to be done for the results of a run; for one thread, or one task, at a time.

    Args:
        run: not started.
        items: the source; a `Resumed` one, if its one batch was executed already.
        make_batcher: makes the Batcher, in the thread that plays it.
        start_collector: starts the run's Collector under the System's supervisor of runs.

    Attributes:
        run: whose results these are.
        items: the source, until the run starts.
        closed: the stream was closed, or is exhausted.
        told: the driver has been given how the run ended: by the end of its results or by its error.
    """

    def __init__(
        self,
        run: Run,
        items: Source | Resumed,
        make_batcher: Callable[[Run], Batcher],
        start_collector: Callable[[Run], None],
    ) -> None:
        self.run = run
        self.items: Any = items
        self._make_batcher = make_batcher
        self._start_collector = start_collector
        self._input: Input | None = None
        self._reader = DeliveryReader(run)
        self._burst = 0  # batches that came at once when it waited last
        self.closed = False
        self.told = False
        self._failed = False  # unpacking a result has failed, and the Collector was notified
        self._watched = False
        self._released = False  # it is closed, and all actors have been notified

    def steps(
        self,
        *,
        plays: Callable[[Iterable[Any]], bool] = in_memory,
        start_producer: StartProducer = ProducerActor.start,
        feed_batches: int = FEED_BATCHES,
        grows: bool = True,
    ) -> Steps:
        """Yield pieces of results, and what is needed before there can be one.

        Args:
            plays: whether the driver may play the roles of Producer and Batcher for a source.
            start_producer: starts the Producer of another source.
            feed_batches: batches that are pulled, encoded and handed over between two steps, where it plays the roles.
            grows: whether the window may grow then, unless the caller of the run has set its size.

        Raises:
            DispatchError: the run failed.
            StreamClosed: it was closed meanwhile.
            SystemStopped: the interpreter is shutting down, and has ended the threads that make the results.
            WouldDeadlock: this is a scheduler's thread, which must not wait.
        """
        if self.closed:
            raise StreamClosed("this stream was closed before it was read")
        if getpid() != self.run.spec.pid:
            raise ForkedSystemError
        if is_finalizing():
            raise SystemStopped(FINALIZING)
        check_may_wait()
        try:
            self._start(plays, start_producer, feed_batches, grows)
            yield from self._loop()
        finally:
            try:
                self._end()
            except BaseException:  # an interrupt in the middle of it
                self._end()
                raise

    def _start(
        self, plays: Callable[[Iterable[Any]], bool], start_producer: StartProducer, feed_batches: int, grows: bool
    ) -> None:
        run, items, options = self.run, self.items, self.run.options
        self.items = None  # the run must not keep a finished source alive
        if isinstance(items, Resumed):
            self._input = ResumedInput(run, items, self._make_batcher)
        elif plays(items):
            at_a_time = max(1, feed_batches * (options.batch_size or options.strategy.batch_size or 64))
            self._input = MemoryInput(run, items, self._make_batcher, at_a_time)
            if grows and not options.prefetch_given and run.budget is None:
                run.credit.may_grow()
        else:
            self._input = ThreadedInput(run, items, self._make_batcher, start_producer)
        self._start_collector(run)
        if self.closed:
            self._release()
            raise StreamClosed("this stream was closed")
        self._input.start()

    def _loop(self) -> Steps:
        run, reader, source = self.run, self._reader, self._input
        assert source is not None
        inbox, credit, pid = run.inbox, run.credit, run.spec.pid
        owed = 0
        while True:
            # All credit is returned before we wait, so that no role waits for us; before that in chunks, which saves
            # messages.
            waits = inbox.empty()
            if waits or owed * RETURNED_PART >= credit.limit:
                credit.returned += owed
                owed = 0
                if credit.grows:
                    self._adapt(waits)
                while source.refill():
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
            kind = type(message)
            if kind is Deliver:
                if waits:
                    self._burst = len(message.deliveries)
                for part in reader.parts(message.deliveries):
                    items = reader.all_together(part)
                    for piece in (items,) if items is not None else reader.pieces(part):
                        yield piece
                        owed += len(piece)
                        if self.closed:
                            raise StreamClosed("this stream was closed")
                if reader.error is not None and not self._failed:
                    self._failed = True
                    if run.has_started:
                        run.collector.tell(RunFailed(reader.error))
            elif kind is Finished:
                yield from self._finish(message)
                return
            elif kind is ForBatcher:
                source.serve(message.message)

    def _adapt(self, waits: bool) -> None:
        """Have the window follow how fast results come and are taken."""
        credit, size = self.run.credit, self._reader.size
        if not waits:
            credit.lags(size)
            return
        run_queue = self.run.run_queue
        if run_queue.average is not None:
            credit.waits(size, run_queue.average / max(1, len(run_queue.occupied)), self._burst)

    def _finish(self, message: Finished) -> Steps:
        """End as the run has ended: return, or raise its error."""
        run, reader, source = self.run, self._reader, self._input
        assert source is not None
        # The Collector may have been done before it could be notified that a result cannot be unpacked.
        cause = message.error if message.error is not None else reader.error
        if cause is None:
            self.told = True
            return
        if not run.ending.cut("halt"):
            raise StreamClosed("this stream was closed")
        deadline = monotonic() + (OVERDUE_GRACE if isinstance(cause, DeadlineExceeded) else GRACE)
        while not source.ended() and monotonic() < deadline:
            yield Wait(deadline)  # for RoleEnded: what the roles leave behind is then all that there is
        failure = reader.failure(message, cause, source.leftover())
        run.ledger.emitted += len(failure.partial_results)
        self.told = True
        try:
            raise failure from cause
        finally:  # its traceback holds this frame, which is not to hold it
            del failure, cause, message

    def _end(self) -> None:
        self.close()
        if self._input is not None:
            self._input.close()
        self.run.ending.forget_blame()
        self._reader.close()

    # -- closing

    def close(self) -> None:
        """Close the run: sources stop, what was not sent is dropped.

        From any thread, never blocks, may be repeated.
        """
        if self._released:
            return
        try:
            self.closed = True
            self._release()
        except BaseException:  # an interrupt: the actors behind it have not been notified
            self._release()
            raise

    def _release(self) -> None:
        """Notify the actors that exist by now. Called at the close, and again by a thread that starts the run then."""
        run = self.run
        if not self.told:
            run.ending.cut("close")  # before `closed`, so that no snapshot takes this for a failure
        run.ending.closed = True
        if is_finalizing():  # all other threads are frozen, perhaps with a mailbox's lock
            return
        if not self.told:  # else the Collector has ended, and has notified all others
            if run.has_started:
                run.collector.tell(CloseRun())
            for role in (run.producer, run.batcher):
                if role is not None:
                    role.inbox_ref.tell(CloseRun())
            run.inbox.put(StreamWasClosed())
        if run.producer is not None and not self._watched:
            self._watched = True
            watch_the_end(run)
        if run.has_started:
            self._released = True
