"""The calls of one event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from slither_actors.dynamic_batcher.call_queue import Call
from slither_actors.dynamic_batcher.home import Home
from slither_actors.dynamic_batcher.options import BatcherOptions
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Outcome
from slither_actors.requests.lane import Request
from slither_actors.requests.requester import Requester
from slither_actors.runs.output.asyncio_inbox import call_soon
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.output.gather import agather
from supervisors import Scheduler

DRAIN_CHECK = 0.1
"""Seconds after which a loop that is to drain is looked at: it may have been closed meanwhile."""


class LoopHome(Home):
    """The calls of one event loop. In the loop's thread, but for `finished`.

    Args:
        requester: sends the batches.
        options: of the batcher.
        workers: of the pool.
        scheduler: of the System.
        loop: whose tasks call.
        check_open: raises if no calls are taken (any more).
    """

    def __init__(
        self,
        requester: Requester,
        options: BatcherOptions,
        workers: int,
        scheduler: Scheduler,
        loop: asyncio.AbstractEventLoop,
        check_open: Callable[[], None],
    ) -> None:
        super().__init__(requester, options, workers)
        self.loop = loop
        self._check_open = check_open
        self._scheduler = scheduler
        self._plain = (
            options.max_queue is None and options.deadline is None and options.max_weight is None and not self._watches
        )
        self._looking = False
        self._append = self.queue.append
        self._create_future = loop.create_future
        self._turn_time: float | None = None  # of this turn of the loop, once a call has come in it
        self._alone = False  # one call came in the last turn that had any
        self._came = 0
        self._done: deque[tuple[Request, Outcome]] = deque()
        self._waking = False
        self._alarm: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._drained: list[asyncio.Future[None]] = []

    def call(self, value: Any) -> asyncio.Future[Any]:
        """Take a call that has only a value, and return the future of its result.

        Raises:
            Overloaded: too many wait.
            BatcherClosed, SystemStopped: it takes none.
        """
        since = self._turn_time
        if since is None:
            return self._first_call(value)
        if not self._plain:
            return self.call_with(value, 0, None)
        future = self._create_future()
        self._append(Call(value, future, since))
        self._came += 1
        return future

    def _first_call(self, value: Any) -> asyncio.Future[Any]:
        """Take the first call of a turn, for which is done what all of the turn need."""
        self._begin_turn()
        future = self.call(value)
        if self._alone and not self.in_flight:
            self.form()  # as in the last turn, there is nothing to wait for
        return future

    def call_with(self, value: Any, priority: int, deadline: float | None) -> asyncio.Future[Any]:
        """Take a call with a priority or a deadline. Errors as in `call`."""
        since = self._turn_time
        if since is None:
            since = self._begin_turn()
        options = self._options
        weight = self._options.weigh(value)
        future = self._create_future()
        if self._watches:
            future.add_done_callback(self.left)
        self.admit(Call(value, future, since, weight), priority, options.deadline if deadline is None else deadline)
        self._came += 1
        return future

    def _begin_turn(self) -> float:
        self._check_open()
        since = self._turn_time = self.loop.time()
        self.loop.call_soon(self._turn)
        return since

    def _turn(self) -> None:
        """Send what has come in this turn of the loop together."""
        self._alone = self._came == 1
        self.counts.calls += self._came
        self._came = 0
        self._turn_time = None
        self.form()

    def waiting(self) -> int:
        """Return how many calls wait as in `Home`: none in a loop that is closed. From any thread."""
        if self.loop.is_closed():
            self.abandon()
            return 0
        return super().waiting()

    def abandon(self) -> None:
        """Withdraw what is under way, as the loop is closed: no answer comes to its callers. From any thread."""
        self._done.clear()
        self.withdraw_all()

    def now(self) -> float:
        """Return the loop's time."""
        return self.loop.time()

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Call a function in the loop at a time."""
        self.loop.call_at(when, function)

    def wake_at(self, when: float) -> None:
        """Look at the queue again at this time."""
        alarm = self._alarm
        if alarm is None or alarm.cancelled() or alarm.when() > when or alarm.when() <= self.loop.time():
            if alarm is not None:
                alarm.cancel()
            self._alarm = self.loop.call_at(when, self.form)

    def answer(self, call: Call, value: Any) -> None:
        """Give a task its result, unless it is gone."""
        if not call.future.done():
            call.future.set_result(value)
            self.counts.done += 1

    def answer_all(self, calls: list[Call], values: list[Any]) -> None:
        """Give each task its result."""
        count = 0
        for call, value in zip(calls, values, strict=True):
            future = call.future
            if not future.done():
                future.set_result(value)
                count += 1
        self.counts.done += count

    def refuse(self, call: Call, error: BaseException) -> bool:
        """Give a task an error. Returns False if it is gone."""
        if call.future.done():
            return False
        call.future.set_exception(error)
        return True

    def left(self, future: asyncio.Future[Any]) -> None:
        """Look, once in this turn, which batches are not wanted any more."""
        if future.cancelled() and not self._looking:
            self._looking = True
            self.loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        self.withdraw_abandoned()
        self.form()

    def settle(self, consumer: Consumer, done: Callable[[Any], None]) -> None:
        """Drive a run to its end in a task of its own."""

        async def driven() -> None:
            result: list[Item] | BaseException
            try:
                result = await agather(consumer)
            except (Exception, asyncio.CancelledError) as error:
                result = error
            done(result)
            self.look_whether_drained()

        task = self.loop.create_task(driven())
        self._tasks.add(task)  # a loop keeps its tasks weakly
        task.add_done_callback(self._tasks.discard)

    def finished(self, request: Request, outcome: Outcome) -> None:
        """Keep the outcome, and wake the loop when the workers have got their next batches. Scheduler's thread."""
        self._done.append((request, outcome))
        if self._waking and self.loop.is_closed():
            self.abandon()  # it was woken, and closed before it came to that
        if not self._waking:
            self._waking = True
            self._scheduler.before_sleep(self._wake)

    def _wake(self) -> None:
        try:
            call_soon(self.loop, self._take)
        except RuntimeError:  # closed, with its tasks in the middle of things: no task waits
            self._waking = False
            self.abandon()

    def _take(self) -> None:
        self._waking = False
        done = self._done
        while done:
            self.completed(*done.popleft())
        self.form()
        self.look_whether_drained()

    def look_whether_drained(self) -> None:
        """Wake those who drain: they look for themselves."""
        if self._drained:
            for waiter in self._drained:
                if not waiter.done():
                    waiter.set_result(None)
            self._drained.clear()

    async def drain(self) -> None:
        """Wait until each call has its answer; nothing is held back for more."""
        self.ending = True
        self.form()
        self.queue.purge()
        while self.busy:
            waiter = self.loop.create_future()
            self._drained.append(waiter)
            await waiter
            self.queue.purge()
        if self._alarm is not None:
            self._alarm.cancel()

    def drain_from_thread(self) -> None:
        """Have the loop drain its calls, and wait for that. From another thread."""
        drained = self.drain()
        try:
            waiting = asyncio.run_coroutine_threadsafe(drained, self.loop)
            while not self.loop.is_closed():
                try:
                    waiting.result(DRAIN_CHECK)
                except TimeoutError:
                    continue
                except CancelledError:  # the loop has ended, with all its tasks
                    pass
                return
        except RuntimeError:  # closed already
            pass
        drained.close()
