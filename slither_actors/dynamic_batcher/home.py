"""The calls of one event loop, or of all threads: their queue, their batches under way, their answers.

A home is used by one thread, so it needs no message to form a batch. Homes share nothing but the pool.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from slither_actors.dynamic_batcher.call_queue import Call, CallQueue
from slither_actors.dynamic_batcher.closing import next_batch
from slither_actors.dynamic_batcher.deadlines import Deadlines
from slither_actors.dynamic_batcher.options import BatcherOptions
from slither_actors.dynamic_batcher.statistics import Counts
from slither_actors.errors import DeadlineExceeded, DispatchError, Overloaded
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Outcome
from slither_actors.requests.lane import Request
from slither_actors.requests.reply_to import cancel, settled
from slither_actors.requests.requester import Requester
from slither_actors.runs.output.consumer import Consumer

REMEDY = "call later or elsewhere, or give it a larger max_queue or pool"
SPEED_WEIGHT = 0.2
"""Weight of a new sample in the average of what a call takes."""


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
        self._resumed: dict[int, tuple[Request, Consumer]] = {}
        self.ending = False
        self._requester = requester
        self._watches = requester.options.on_abandon == "kill"
        self._options = options
        self._workers = workers
        self._seconds = 0.0
        self._deadlines = Deadlines()
        self._may_purge = True
        self._forming = 0  # calls that are on their way from the queue into a batch

    @property
    def busy(self) -> bool:
        """Whether any call has no answer yet."""
        return bool(self.in_flight or self.settling or len(self.queue))

    def waiting(self) -> int:
        """Return how many calls are in no batch that is counted as a request. From any thread."""
        return len(self.queue) + self._forming + len(self.settling) - len(self._resumed)

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

    def drain_from_thread(self) -> None:
        """Wait until each call has its answer; nothing is held back for more. From another thread than its own."""
        raise NotImplementedError

    def look_whether_drained(self) -> None:
        """Wake those who wait until nothing is left here, if that is so."""
        raise NotImplementedError

    # -- calls

    def admit(self, call: Call, priority: int, deadline: float | None) -> None:
        """Take a call that has more than a value: a weight, a priority or a deadline, or a full queue before it.

        Raises:
            Overloaded: too many wait.
        """
        options, queue = self._options, self.queue
        if options.max_queue is not None and len(queue) >= options.max_queue:
            if self._may_purge:  # once a turn: else each one that is refused would look at all that wait
                self._may_purge = False
                queue.purge()
            if len(queue) >= options.max_queue:
                self.counts.overloaded += 1
                raise Overloaded("this batcher", options.max_queue, REMEDY)
        queue.add(call, priority)
        if deadline is not None:
            self._deadlines.add(call, deadline)
            self._set_alarm()

    def _set_alarm(self) -> None:
        when = self._deadlines.alarm()
        if when is not None:
            self.call_at(when, partial(self._check_deadlines, when))

    def _check_deadlines(self, when: float) -> None:
        """End the calls whose time is over, and withdraw batches that have no other."""
        self._deadlines.rang(when)
        overdue = self._deadlines.overdue(self.now())
        self._set_alarm()
        if not overdue:
            return
        at_worker = {id(call) for calls in [*self.in_flight.values(), *self.settling.values()] for call in calls}
        for call, seconds in overdue:
            where = "at its worker" if id(call) in at_worker else "waiting for a batch"
            if self.refuse(call, DeadlineExceeded(seconds, where)):
                self.counts.overdue += 1
        self.withdraw_abandoned()
        self.form()
        self.look_whether_drained()

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

    def withdraw_all(self) -> None:
        """Withdraw what is under way: no caller can be given an answer any more. From any thread; may be repeated."""
        for request in list(self.in_flight):
            if self.in_flight.pop(request, None) is not None:
                lane: Any = request.run_queue
                cancel(lane, [request])
        for number in list(self.settling):
            self.settling.pop(number, None)
            if (resumed := self._resumed.pop(number, None)) is not None:
                request, consumer = resumed
                consumer.close()
                settled(request, consumer)

    # -- batches

    def form(self) -> None:
        """Close as many batches as there is reason to, and send them."""
        queue, options = self.queue, self._options
        most = options.max_batch_size
        self._may_purge = True
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
            self._forming = size  # counted all the time: a drain must not find that nothing is left
            calls = queue.take(size, options.max_weight)
            if calls:
                self.counts.sizes[len(calls)] += 1
                self.counts.closed_by[closed_by] += 1
                self._send(calls)
            self._forming = 0
            if not calls:
                self._requester.live.look_again()

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
        except Exception as error:
            if request is not None:
                self.in_flight.pop(request, None)
            self._fail(calls, error)
            self._forming = 0
            self._requester.live.look_again()

    def completed(self, request: Request, outcome: Outcome) -> None:
        """Answer the calls of a batch."""
        calls = self.in_flight.pop(request, None)
        if calls is None:  # withdrawn
            return
        try:
            values = self._requester.values(request, outcome)
        except Exception as error:
            if not isinstance(error, DispatchError):  # no memory, say: those of the other batches get their answers
                self._requester.withdraw(request)
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
        if request is not None:
            self._resumed[number] = request, consumer

        def done(result: list[Item] | BaseException) -> None:
            self.settling.pop(number, None)
            self._resumed.pop(number, None)
            if request is not None:
                settled(request, consumer)
            else:
                self._requester.live.look_again()
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
