"""Requests with one set of options: how they are made, sent, and read."""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from sys import is_finalizing
from typing import Any

from slither_actors.errors import FINALIZING, DeadlineExceeded, Overloaded, SystemStopped
from slither_actors.executors import Snakepit
from slither_actors.item import Item
from slither_actors.policies import Halt, Skip
from slither_actors.pools.assignment.job import Outcome
from slither_actors.pools.messages import Submit
from slither_actors.requests.futures import FutureReplyTo, RequestFuture, future_of
from slither_actors.requests.lane import Lane, Request
from slither_actors.requests.lanes import Lanes
from slither_actors.requests.reading import ReplyReader
from slither_actors.requests.reply_to import EventLoops, ThreadReplyTo, cancel, settled
from slither_actors.run_options import RunOptions
from slither_actors.runs.batch import wrap_bare
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.opener import RunOpener, check_command
from slither_actors.runs.output.consumer import Consumer, check_may_wait
from slither_actors.runs.output.gather import agather, gather
from slither_actors.runs.run import next_run_id
from slither_actors.runs.run_failure import not_started
from slither_actors.wire.header import REPLY, Frame
from supervisors.runtime.interrupts import locked, raised_by_handler

_IN_MEMORY = frozenset({list, tuple, range})
_BATCHES = frozenset({list, tuple})


class Requester:
    """Makes, sends and reads requests with one set of options. For any thread.

    Args:
        opener: of the System's runs.
        options: for which `is_request` holds.
        lanes: of the System.
        threads: the way back to threads, of the System.
        loops: the ways back to event loops.
        futures: the way back to futures.
        open_run: opens a run of a batch that no request can be made of: it has what cannot be sent.
    """

    def __init__(
        self,
        opener: RunOpener,
        options: RunOptions,
        lanes: Lanes,
        threads: ThreadReplyTo,
        loops: EventLoops,
        futures: FutureReplyTo,
        open_run: Callable[[list[Any]], Consumer],
    ) -> None:
        link = self._link = opener.link_of(options.pool)
        spec = self._spec = opener.spec_of(link)
        options.settle(spec.size * spec.concurrency)
        self._opener, self.live = opener, opener.live
        self.options = options
        self.run_of = open_run
        """Prepares a run of items that no request can be made of."""
        self._most = options.batch_size or 1
        self._full = 0 if options.ready else self._most
        self._lane: Lane | None = None
        self._lock = threading.RLock()
        self._reader = ReplyReader(type(options.executor) is Snakepit)
        self._lanes = lanes
        self._threads = threads
        self._loops = loops
        self._futures = futures

    @property
    def workers(self) -> int:
        """How many batches the workers of its pool execute at a time."""
        return self._spec.size * self._spec.concurrency

    def takes(self, items: object) -> bool:
        """Whether this is a source in memory that makes one batch."""
        return type(items) in _IN_MEMORY and 0 < len(items) <= self._most  # type: ignore[arg-type]

    def takes_batch(self, batch: object) -> bool:
        """Whether this is a batch."""
        return type(batch) in _BATCHES and bool(batch)

    # -- the lane

    def _renew(self) -> Lane:
        """Return a new lane: the pool is another one now, or its function could not be loaded.

        Raises:
            DispatchError: the pool is gone.
            UnknownCommand: naming the known ones.
        """
        lane, link, opener, options = self._lane, self._link, self._opener, self.options
        pool = link.ref
        if pool is None:
            raise not_started(opener.pool_error(link))
        if lane is not None and lane.over is None:
            return lane
        check_command(options, link)
        made = self._lane = self._lanes.open(pool, link, options)
        return made

    # -- one request

    def make(self, items: Iterable[Any]) -> Request | None:
        """Return a request, encoded; None if it cannot be encoded.

        Raises:
            DispatchError: the pool is gone.
            UnknownCommand: naming the known ones.
        """
        lane = self._lane
        if lane is None or lane.over is not None:
            lane = locked(self._lock, self._renew)
        entries = list(items)
        count = len(entries)
        bare = type(entries[0]) is not Item
        if not bare and set(map(type, entries)) != {Item}:
            entries = wrap_bare(entries, 0)
        # One that no other thread is at, nor this one below a signal handler.
        try:
            encoder = lane.encoders.pop()
        except IndexError:
            options, most, arena = self.options, self._spec.max_frame, self._link.arena
            encoder = RequestEncoder(options, self._opener.target_of, most, arena, session=False)
        request = Request(
            lane,
            1,
            count,
            encoder.target,
            encoder.side,
            positions=range(count),
            entries=entries,
            bare=bare,
            run=next_run_id(),
            closed_by="full" if count >= self._full else "end",
            reply_to=self._threads,
        )
        try:
            encoder.encode_one(request)
        except Exception as error:  # no memory, say: a run tells it as it has always been told
            if raised_by_handler(error):
                raise
            return None
        lane.encoders.append(encoder)
        return None if request.error is not None else request

    def call(self, items: Iterable[Any]) -> list[Item]:
        """Send a request, and block until its results are there.

        Raises:
            DispatchError: it failed.
        """
        check_may_wait()
        request = self.make(items)
        if request is None:
            return gather(self.run_of(list(items)))
        lane: Any = request.run_queue
        waiter = request.waiter = allocate_lock()
        waiter.acquire()
        try:
            self.post(request)
            waiter.acquire()
            return self.read(request, request.outcome)
        except BaseException:
            if request in lane.pending:  # else it has its outcome
                cancel(lane, [request])
            raise

    def read(self, request: Request, outcome: Outcome) -> list[Item]:
        """Return the results of a request; block this thread while its policy needs more.

        Raises:
            DispatchError: it failed.
        """
        consumer: Consumer | None = None
        try:
            results = self._reader.results(request, outcome)
            if results is None:
                consumer = self.resume(request, outcome)
                results = gather(consumer)
            return results
        finally:
            if consumer is not None:
                settled(request, consumer)

    def may_wait(self, request: Request, outcome: Outcome) -> bool:
        """Whether `read` may have to wait for something to be executed again."""
        plain = type(outcome) is Frame and outcome.kind == REPLY and not outcome.failed
        over = plain or isinstance(outcome, (DeadlineExceeded, Overloaded))
        return not over and (request.count > 1 or type(self.options.on_error) not in (Halt, Skip))

    def submit(self, items: Iterable[Any]) -> Future[list[Item]]:
        """Send a request, and return a future of its results, completed on a thread of the System's.

        To cancel the future withdraws the request: it is not sent if it has not been, and else its results are dropped.

        Raises:
            DispatchError: the pool is gone.
        """
        request = self.make(items)
        if request is None:
            return future_of(self.run_of(list(items)))
        future = RequestFuture(request, _withdraw)
        lane: Any = request.run_queue
        request.reply_to, request.waiter = self._futures, (future, self)
        try:
            self.post(request)
        except BaseException:
            if request in lane.pending:  # else it has its outcome
                cancel(lane, [request])
            raise
        return future

    def post(self, request: Request) -> None:
        """Submit a request; its `reply_to` gets the outcome. From any thread.

        Raises:
            DispatchError: the pool is gone.
        """
        lane: Any = request.run_queue
        lane.pending[request] = None
        if lane.checks or is_finalizing():
            self._check(lane, request)
        lane.pool.tell(Submit(lane, [request]))

    def values(self, request: Request, outcome: Outcome) -> list[Any] | None:
        """Return the bare results for an outcome that has one for each item; None: `resume` is to decide.

        Raises:
            DispatchError: the pool is gone.
        """
        return self._reader.values(request, outcome)

    def resume(self, request: Request, outcome: Outcome) -> Consumer:
        """Prepare the run that a request becomes by its outcome; `settled` is to be called after it."""
        return self._opener.resume(request, outcome, self.options, request.due or None)

    def withdraw(self, request: Request) -> None:
        """Note that the results of a request are not wanted."""
        lane: Any = request.run_queue
        lane.scheduler.post(lane.drop, [request])

    async def acall(self, items: Any) -> list[Item]:
        """Send a request, and await its results.

        Raises:
            DispatchError: it failed.
        """
        request = self.make(items)
        if request is None:
            return await agather(self.run_of(list(items)))
        lane: Any = request.run_queue
        reply_to = self._loops.last
        if reply_to is None or reply_to.loop is not self._loops.running():
            reply_to = self._loops.current()
        request.reply_to = reply_to
        waiter = request.waiter = reply_to.loop.create_future()
        consumer: Consumer | None = None
        try:
            lane.pending[request] = None
            if lane.checks or is_finalizing():
                self._check(lane, request)
            reply_to.send(request, lane)
            outcome = await waiter
            results = self._reader.results(request, outcome)
            if results is None:
                consumer = self.resume(request, outcome)
                results = await agather(consumer)
                settled(request, consumer)
        except BaseException:
            if consumer is not None:
                settled(request, consumer)
            elif request in lane.pending:  # else it has its outcome
                reply_to.cancel(request, lane)
            raise
        return results

    def _check(self, lane: Lane, request: Request) -> None:
        """Refuse a request that was entered when the pool, or the interpreter, was going down; else note its time."""
        if lane.failed is not None:
            lane.pending.pop(request, None)
            raise not_started(lane.failed)
        if is_finalizing():
            raise SystemStopped(FINALIZING)
        lane.entered(request)


def _withdraw(request: Request) -> None:
    cancel(request.run_queue, [request])  # type: ignore[arg-type]  # of a Lane
