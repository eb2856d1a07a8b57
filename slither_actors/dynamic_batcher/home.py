"""The calls of one event loop, or of all threads: their queue, their batches under way, their answers.

A home is used by one thread at a time: its event loop's, or any that holds its lock. So it needs no message to form a
batch, and results are decoded where they are wanted. Homes share nothing but the pool.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from slither_actors.dynamic_batcher.call_queue import Call, CallQueue
from slither_actors.dynamic_batcher.closing import next_batch
from slither_actors.dynamic_batcher.options import BatcherOptions
from slither_actors.dynamic_batcher.statistics import Counts
from slither_actors.errors import DeadlineExceeded, DispatchError, Overloaded, SlitherError
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Outcome
from slither_actors.requests.lane import Request
from slither_actors.requests.reply_to import cancel, settled
from slither_actors.requests.requester import Requester
from slither_actors.runs.output.consumer import Consumer

SPEED_WEIGHT = 0.2
"""Weight of a new sample in the average of what a call takes."""

_LEAST_DEADLINES = 256
"""Deadlines that are kept before those of answered calls are looked for."""

_next_number = itertools.count().__next__


class Home:
    """The calls of one place. `LoopHome` and `ThreadHome` know how to wait there.

    Args:
        requester: sends the batches.
        options: of the batcher.
        workers: of the pool.
    """

    def __init__(self, requester: Requester, options: BatcherOptions, workers: int) -> None:
        self.queue = CallQueue()
        self.counts = Counts()
        self.in_flight: dict[Request, list[Call]] = {}
        self.settling: dict[int, list[Call]] = {}
        """Calls of batches that need more than to be answered, such as to be split."""
        self.ending = False
        self._requester = requester
        self._watches = requester.options.on_abandon == "kill"
        self._options = options
        self._workers = workers
        self._seconds = 0.0
        self._deadlines: list[tuple[float, int, float, Call]] = []
        self._most_deadlines = _LEAST_DEADLINES
        self._alarm_at: float | None = None

    @property
    def busy(self) -> bool:
        """Whether any call has no answer yet."""
        return bool(self.in_flight or self.settling or len(self.queue))

    def waiting(self) -> int:
        """Return how many calls wait for a batch. From any thread."""
        return len(self.queue)

    def oldest(self) -> float:
        """Return the seconds that the longest waiting call has waited; 0.0 if none waits."""
        since = self.queue.oldest()
        return 0.0 if since is None else self.now() - since

    # -- where it is

    def now(self) -> float:
        """Return the time by the clock of `call_at`."""
        raise NotImplementedError

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Call a function of this home at a time."""
        raise NotImplementedError

    def answer(self, call: Call, value: Any) -> None:
        """Give a caller the result, unless it is gone."""
        raise NotImplementedError

    def refuse(self, call: Call, error: BaseException) -> bool:
        """Give a caller an error. Returns False if it is gone."""
        raise NotImplementedError

    def settle(self, consumer: Consumer, done: Callable[[Any], None]) -> None:
        """Drive a run to its end aside, then call `done` here: with its Items, or with the error that ended it."""
        raise NotImplementedError

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Take the outcome of a batch. On the scheduler's thread; `completed` follows here."""
        raise NotImplementedError

    # -- calls

    def admit(self, call: Call, priority: int, deadline: float | None) -> None:
        """Take a call that has more than a value: a weight, a priority or a deadline, or a full queue before it.

        Raises:
            Overloaded: too many wait.
        """
        options, queue = self._options, self.queue
        if options.max_queue is not None and len(queue) >= options.max_queue:
            queue.purge()
            if len(queue) >= options.max_queue:
                self.counts.overloaded += 1
                raise Overloaded(
                    "this batcher", options.max_queue, "call later or elsewhere, or give it a larger max_queue or pool"
                )
        queue.add(call, priority)
        if deadline is not None:
            when = call.since + deadline
            heapq.heappush(self._deadlines, (when, _next_number(), deadline, call))
            if len(self._deadlines) > self._most_deadlines:
                self._forget_answered()
            if self._alarm_at is None or when < self._alarm_at:
                self._alarm_at = when
                self.call_at(when, self._check_deadlines)

    def _forget_answered(self) -> None:
        """Let go of calls that were answered long before their deadline: half of the entries, from time to time."""
        self._deadlines = [entry for entry in self._deadlines if not entry[3].future.done()]
        heapq.heapify(self._deadlines)
        self._most_deadlines = max(_LEAST_DEADLINES, 2 * len(self._deadlines))

    def _check_deadlines(self) -> None:
        """End the calls whose time is over, and withdraw batches that have no other."""
        deadlines, now = self._deadlines, self.now()
        ended = False
        while deadlines and (deadlines[0][0] <= now or deadlines[0][3].future.done()):
            _, _, seconds, call = heapq.heappop(deadlines)
            waiting = not any(call in calls for calls in self.in_flight.values()) and not call.future.done()
            if self.refuse(call, DeadlineExceeded(seconds, "waiting for a batch" if waiting else "at its worker")):
                self.counts.overdue += 1
                ended = True
        self._alarm_at = deadlines[0][0] if deadlines else None
        if self._alarm_at is not None:
            self.call_at(self._alarm_at, self._check_deadlines)
        if ended:
            self.withdraw_abandoned()
            self.form()

    def withdraw_abandoned(self) -> None:
        """Withdraw batches all of whose callers are gone: those that have not begun are not executed."""
        for request, calls in list(self.in_flight.items()):
            if all(call.future.done() for call in calls):
                lane: Any = request.run_queue
                del self.in_flight[request]
                cancel(lane, [request])

    def left(self, future: Any) -> None:
        """Look whether a batch is not wanted any more, once a future is done: for ``on_abandon="kill"``."""
        raise NotImplementedError

    # -- batches

    def form(self) -> None:
        """Close as many batches as there is reason to, and send them."""
        queue, options = self.queue, self._options
        most = options.max_batch_size
        while waiting := len(queue):
            oldest = queue.oldest()
            assert oldest is not None
            until = oldest + options.max_wait
            batch = next_batch(
                waiting,
                full=waiting >= most or (options.max_weight is not None and queue.weight >= options.max_weight),
                waited=until <= self.now(),
                ending=self.ending,
                in_flight=len(self.in_flight),
                workers=self._workers,
                most=most,
                seconds=self._seconds,
            )
            if batch is None:
                if len(self.in_flight) < 2 * self._workers:
                    self.wake_at(until)
                return
            size, closed_by = batch
            calls = queue.take(size, options.max_weight)
            if calls:
                self.counts.sizes[len(calls)] += 1
                self.counts.closed_by[closed_by] += 1
                self._send(calls)

    def wake_at(self, when: float) -> None:
        """Look at the queue again at this time."""
        raise NotImplementedError

    def _send(self, calls: list[Call]) -> None:
        values = [call.value for call in calls]
        request: Request | None = None
        try:
            request = self._requester.make(values)
            if request is None:  # something in it cannot be sent
                self._settle(self._requester.run_of(values), calls)
                return
            request.reply_to = self
            self.in_flight[request] = calls
            self._requester.post(request)
        except SlitherError as error:
            if request is not None:
                self.in_flight.pop(request, None)
            self._fail(calls, error)

    def completed(self, request: Request, outcome: Outcome) -> None:
        """Answer the calls of a batch."""
        calls = self.in_flight.pop(request, None)
        if calls is None:  # withdrawn
            return
        try:
            values = self._requester.values(request, outcome)
        except DispatchError as error:
            self._fail(calls, error)
            return
        if values is None:
            self._settle(self._requester.resume(request, outcome), calls, request)
            return
        if outcome.took:  # type: ignore[union-attr]  # a frame, as it has values
            took = outcome.took / 1e9 / len(calls)  # type: ignore[union-attr]
            self._seconds += SPEED_WEIGHT * (took - self._seconds)
        self.answer_all(calls, values)

    def answer_all(self, calls: list[Call], values: list[Any]) -> None:
        """Give each caller its result."""
        for call, value in zip(calls, values, strict=True):
            self.answer(call, value)

    def _settle(self, consumer: Consumer, calls: list[Call], request: Request | None = None) -> None:
        """Have a run find out what becomes of each call: which of them are at fault."""
        number = consumer.run.id
        self.settling[number] = calls

        def done(result: list[Item] | BaseException) -> None:
            del self.settling[number]
            if request is not None:
                settled(request, consumer)
            if isinstance(result, BaseException):
                self._fail(calls, result)
            else:
                for call, item in zip(calls, result, strict=True):
                    error = item.meta.get("error") if item.meta.get("skipped") else None
                    if isinstance(error, BaseException):
                        self._refuse(call, error)
                    else:
                        self.answer(call, item.payload)
            self.form()

        self.settle(consumer, done)

    def _fail(self, calls: list[Call], error: BaseException) -> None:
        reason = error
        if isinstance(error, DispatchError) and error.reason is not None:
            reason = error.reason
        for call in calls:
            self._refuse(call, reason)

    def _refuse(self, call: Call, error: BaseException) -> None:
        if self.refuse(call, error):
            self.counts.failed += 1
