"""The calls of threads."""

from __future__ import annotations

import sys
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from slither_actors.dynamic_batcher.call_queue import Call
from slither_actors.dynamic_batcher.home import REMEDY, Home
from slither_actors.dynamic_batcher.options import BatcherOptions
from slither_actors.errors import BatcherClosed, Overloaded
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Outcome
from slither_actors.requests.futures import complete
from slither_actors.requests.lane import Request
from slither_actors.requests.requester import Requester
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.output.gather import gather
from supervisors import Scheduler
from supervisors.runtime.background_thread import BackgroundThread
from supervisors.runtime.interrupts import Event, Thread


class ThreadHome(Home):
    """The calls of all threads. All but `call` and `finished` happens on one thread of its own.

    So an interrupt of a caller costs no call of others, and callbacks of futures run where they may block.

    Args:
        requester: sends the batches.
        options: of the batcher.
        workers: of the pool.
        scheduler: of the System.
    """

    def __init__(self, requester: Requester, options: BatcherOptions, workers: int, scheduler: Scheduler) -> None:
        super().__init__(requester, options, workers)
        self._scheduler = scheduler
        self._thread = BackgroundThread(f"{scheduler.name}-batcher", sys.maxsize, begin=scheduler.claim_thread)
        weakref.finalize(self, self._thread.close, 0.0).atexit = False  # one that is dropped leaves no thread
        self._came: deque[tuple[Call, int, float | None]] = deque()
        self._done: deque[tuple[Request, Outcome]] = deque()
        self._due = False
        self._over = False  # it has drained, and takes no more
        self._wakes: list[float] = []  # when it looks at the queue again, the next time last
        self._waking = False
        self._drained: list[Event] = []

    def call(self, value: Any, priority: int, deadline: float | None) -> Future[Any]:
        """Take a call, and return the future of its result. From any thread.

        Raises:
            Overloaded: too many wait.
        """
        options = self._options
        limit = options.max_queue
        if limit is not None and len(self._came) + len(self.queue) >= limit:
            if self._may_purge:  # of what waits some may be cancelled: the next one may find room
                self._may_purge = False
                self._thread.submit(self._purge)
            self.counts.overloaded += 1
            raise Overloaded("this batcher", limit, REMEDY)
        weight = self._options.weigh(value)
        future: Future[Any] = Future()
        if self._watches:
            future.add_done_callback(self.left)
        call = Call(value, future, time.monotonic(), weight)
        try:
            self._came.append((call, priority, deadline if deadline is not None else options.deadline))
            if not self._due:
                self._due = True
                if not self._thread.submit(self._turn):
                    raise BatcherClosed("this batcher was closed, and takes no more calls")
        except BaseException:  # an interrupt: the turn may not be submitted, which those of others wait for
            future.cancel()
            self._thread.submit(self._turn)
            raise
        return future

    def _turn(self) -> None:
        self._due = False
        came = self._came
        while came:
            call, priority, deadline = came.popleft()
            self.counts.calls += 1
            if self._over:
                self._refuse(call, BatcherClosed("this batcher was closed, and takes no more calls"))
                continue
            try:
                self.admit(call, priority, deadline)
            except Overloaded as error:  # two threads at once have passed the look
                self.counts.calls -= 1
                self.refuse(call, error)
        self.form()

    def _purge(self) -> None:
        self.queue.purge()
        self._may_purge = True

    def waiting(self) -> int:
        """Return how many calls wait as in `Home`, and before that for a turn. From any thread."""
        return len(self._came) + super().waiting()

    def now(self) -> float:
        """Return the time of `time.monotonic`, which the scheduler has, too."""
        return time.monotonic()

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Call a function on this home's thread at a time."""
        scheduler = self._scheduler
        scheduler.post(lambda: scheduler.call_later(max(0.0, when - self.now()), self._thread.submit, function))

    def wake_at(self, when: float) -> None:
        """Look at the queue again at this time."""
        if not self._wakes or when < self._wakes[-1]:
            self._wakes.append(when)
            self.call_at(when, partial(self._woken, when))

    def _woken(self, when: float) -> None:
        while self._wakes and self._wakes[-1] <= when:
            self._wakes.pop()
        self.form()

    def answer(self, call: Call, value: Any) -> None:
        """Give a future its result, unless it was cancelled."""
        if complete(call.future, value):
            self.counts.done += 1

    def refuse(self, call: Call, error: BaseException) -> bool:
        """Give a future an error. Returns False if it was cancelled."""
        return complete(call.future, error=error)

    def left(self, future: Future[Any]) -> None:
        """Look which batches are not wanted any more. In the thread that cancelled it."""
        if future.cancelled():
            self._thread.submit(self._look)

    def _look(self) -> None:
        self.withdraw_abandoned()
        self.form()

    def settle(self, consumer: Consumer, done: Callable[[Any], None]) -> None:
        """Drive a run to its end in a thread of its own."""

        def driven() -> None:
            result: list[Item] | BaseException
            try:
                result = gather(consumer)
            except BaseException as error:
                result = error
            self._thread.submit(self._settled, done, result)

        try:
            Thread(driven, f"{self._scheduler.name}-settle").start()
        except RuntimeError:  # out of threads
            driven()

    def _settled(self, done: Callable[[Any], None], result: Any) -> None:
        done(result)
        self.look_whether_drained()

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Keep the outcome, and wake the thread when the workers have got their next batches. Scheduler's thread."""
        self._done.append((request, outcome))
        if not self._waking:
            self._waking = True
            self._scheduler.before_sleep(self._wake)

    def _wake(self) -> None:
        self._waking = False
        self._thread.submit(self._take)

    def _take(self) -> None:
        done = self._done
        while done:
            self.completed(*done.popleft())
        self.form()
        self.look_whether_drained()

    def look_whether_drained(self) -> None:
        """Wake those who drain, if all is answered. On its thread."""
        if self._drained:
            self.queue.purge()
            if not self.busy and not self._came:
                self._over = True
                for waiter in self._drained:
                    waiter.set()

    def drain_from_thread(self) -> None:
        """Wait until each call has its answer, and end the thread."""
        drained = Event()

        def begin() -> None:
            self._drained.append(drained)
            self.ending = True
            self._turn()
            self.look_whether_drained()

        if self._thread.submit(begin):
            drained.wait()
        self._thread.close()
