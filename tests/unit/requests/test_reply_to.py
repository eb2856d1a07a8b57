"""The ways back to tasks and threads: how often they are woken, and what becomes of those that are gone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from slither_actors.pools.messages import CancelJobs, Submit
from slither_actors.requests.deadline_lane import DeadlineLane
from slither_actors.requests.lane import Lane, Request
from slither_actors.requests.reply_to import EventLoops, LoopReplyTo, ThreadReplyTo, cancel
from slither_actors.runs.live_runs import LiveRuns
from supervisors.testing import ManualScheduler


class FakePool:
    """Writes down what it receives."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, message: Any) -> None:
        """Keep it."""
        self.told.append(message)

    def is_alive(self) -> bool:
        """Return True."""
        return True

    @property
    def submitted(self) -> list[list[int]]:
        """The numbers of requests, by message."""
        return [[job.run for job in message.jobs] for message in self.told if isinstance(message, Submit)]


class Callers:
    """Tasks of a loop that send requests to a lane."""

    def __init__(self, scheduler: ManualScheduler, loop: asyncio.AbstractEventLoop) -> None:
        self.scheduler = scheduler
        self.pool = FakePool()
        self.lane = a_lane(self.pool, scheduler)
        self.reply_to = LoopReplyTo(loop, scheduler)

    def send(self, number: int) -> Request:
        request = a_request(self.lane, number, self.reply_to)
        request.waiter = self.reply_to.loop.create_future()
        self.lane.pending[request] = None
        self.reply_to.send(request, self.lane)
        return request

    def finish(self, *requests: Request) -> None:
        for request in requests:
            self.scheduler.post(self.reply_to.finished, request, request.run)
        self.scheduler.run_until_idle()


def a_lane(pool: Any, scheduler: ManualScheduler) -> Lane:
    return Lane(pool, LiveRuns(), scheduler, ahead=True, timeout=30.0)


def a_request(lane: Lane, number: int, reply_to: Any) -> Request:
    return Request(lane, 1, 1, positions=range(1), entries=[number], bare=True, run=number, reply_to=reply_to)


def test_one_that_is_alone_leaves_at_once(manual: ManualScheduler) -> None:
    async def main() -> None:
        callers = Callers(manual, asyncio.get_running_loop())
        callers.send(1)
        assert callers.pool.submitted == [[1]]

    asyncio.run(main())


def test_those_of_one_turn_leave_together(manual: ManualScheduler) -> None:
    async def main() -> None:
        callers = Callers(manual, asyncio.get_running_loop())
        for number in range(1, 6):
            callers.send(number)
        await asyncio.sleep(0)
        assert callers.pool.submitted == [[1], [2, 3, 4, 5]]

    asyncio.run(main())


def test_outcomes_of_a_burst_cost_one_wake(manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        callers = Callers(manual, loop)
        requests = [callers.send(number) for number in range(1, 6)]
        wakes: list[object] = []
        call_soon = loop.call_soon_threadsafe

        def counted(*arguments: Any) -> Any:
            wakes.append(arguments)
            return call_soon(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        callers.finish(*requests)
        assert await asyncio.gather(*(request.waiter for request in requests)) == [1, 2, 3, 4, 5]
        assert len(wakes) == 1

    asyncio.run(main())


def test_what_is_cancelled_in_its_first_turn_is_not_sent(manual: ManualScheduler) -> None:
    async def main() -> None:
        callers = Callers(manual, asyncio.get_running_loop())
        first, second, third = (callers.send(number) for number in range(1, 4))
        second.waiter.cancel()
        callers.reply_to.cancel(second, callers.lane)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert callers.pool.submitted == [[1], [3]]
        manual.run_until_idle()
        assert list(callers.lane.pending) == [first, third]

    asyncio.run(main())


def test_what_is_overdue_in_its_first_turn_is_not_sent(manual: ManualScheduler) -> None:
    async def main() -> None:
        callers = Callers(manual, asyncio.get_running_loop())
        lane = DeadlineLane(callers.pool, callers.lane.live, manual, seconds=2.0, ahead=True, timeout=30.0)
        callers.lane = lane
        for number in (1, 2, 3):
            lane.entered(callers.send(number))
        manual.run_until_idle()
        manual.advance(2.1)  # while this turn of the loop goes on
        assert [len(message.jobs) for message in callers.pool.told if isinstance(message, CancelJobs)] == [3]
        await asyncio.sleep(0)
        assert callers.pool.submitted == [[1]]

    asyncio.run(main())


def test_those_cancelled_in_one_turn_cost_one_message(manual: ManualScheduler) -> None:
    async def main() -> None:
        callers = Callers(manual, asyncio.get_running_loop())
        requests = [callers.send(number) for number in range(1, 6)]
        await asyncio.sleep(0)
        for request in requests[1:]:
            request.waiter.cancel()
            callers.reply_to.cancel(request, callers.lane)
        await asyncio.sleep(0)
        (message,) = [told for told in callers.pool.told if isinstance(told, CancelJobs)]
        assert list(message.jobs) == requests[1:]

    asyncio.run(main())


def test_an_outcome_for_a_task_that_is_gone_is_dropped(manual: ManualScheduler) -> None:
    async def main() -> None:
        callers = Callers(manual, asyncio.get_running_loop())
        request = callers.send(1)
        request.waiter.cancel()
        callers.finish(request)
        await asyncio.sleep(0.001)

    asyncio.run(main())


def test_a_closed_loop_costs_nothing(manual: ManualScheduler) -> None:
    loop = asyncio.new_event_loop()
    callers = Callers(manual, loop)
    first, second = callers.send(1), callers.send(2)
    loop.close()
    callers.finish(first)
    callers.reply_to.cancel(second, callers.lane)
    manual.run_until_idle()
    assert list(callers.lane.pending) == [first]
    callers.finish(first)  # it has not kept that it was about to wake


def test_each_loop_has_one_way_back(manual: ManualScheduler) -> None:
    loops = EventLoops(manual)

    async def current() -> LoopReplyTo:
        assert loops.current() is loops.current()
        return loops.current()

    first = asyncio.run(current())
    second = asyncio.run(current())
    assert first is not second
    assert len(loops._known) == 1  # the closed one is forgotten


def test_a_thread_is_woken_by_its_outcome(manual: ManualScheduler) -> None:
    request = a_request(a_lane(FakePool(), manual), 1, ThreadReplyTo(manual))
    waiter = request.waiter = threading.Lock()
    waiter.acquire()
    locked: list[bool] = []
    manual.post(request.reply_to.finished, request, ValueError("no"))
    manual.post(lambda: locked.append(waiter.locked()))
    manual.run_until_idle()
    assert locked == [True]  # not before the workers have got their next requests
    assert waiter.acquire(timeout=30)
    assert isinstance(request.outcome, ValueError)


def test_a_withdrawn_request_is_cancelled_and_counted(manual: ManualScheduler) -> None:
    pool = FakePool()
    lane = a_lane(pool, manual)
    request = a_request(lane, 1, ThreadReplyTo(manual))
    lane.pending[request] = None
    cancel(lane, [request])
    manual.run_until_idle()
    assert [list(message.jobs) for message in pool.told] == [[request]]
    assert lane.live.finished == 1
