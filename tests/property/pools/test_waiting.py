"""Who waits at a bounded pool, whatever comes and goes, against a model that looks at everything."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slither_actors.pools.assignment.job import Job, RunQueue, WorkerSlot
from slither_actors.pools.assignment.waiting import LOOKS_IN_A_WAIT, QueueClock, WaitingLine

TIMEOUT = 10.0


class Shared(RunQueue):
    """The run queue of requests."""

    shared = True


def a_queue(shared: bool) -> RunQueue:
    kind = Shared if shared else RunQueue
    return kind(max_in_flight=4, ahead=True, timeout=None)


class Lines(RuleBasedStateMachine):
    """Run queues that come, are served, set aside, woken and left."""

    def __init__(self) -> None:
        super().__init__()
        self.line = WaitingLine()
        self.queues: list[RunQueue] = []
        self.slot = WorkerSlot(0)

    @rule(shared=st.booleans(), jobs=st.integers(1, 3))
    def comes(self, shared: bool, jobs: int) -> None:
        queue = a_queue(shared)
        self.queues.append(queue)
        self.more(queue, jobs)

    def more(self, queue: RunQueue, jobs: int) -> None:
        queue.waiting.extend(Job(queue, number, 1) for number in range(jobs))
        self.line.join(queue)

    @precondition(lambda self: self.queues)
    @rule(data=st.data(), jobs=st.integers(1, 3))
    def has_more(self, data: Any, jobs: int) -> None:
        self.more(data.draw(st.sampled_from(self.queues)), jobs)

    @rule(jobs=st.integers(1, 3))
    def is_served(self, jobs: int) -> None:
        queue = self.line.first()
        if queue is not None:
            count = min(jobs, len(queue.waiting))
            for _ in range(count):
                queue.waiting.popleft()
            queue.served_by.add(self.slot)
            queue.occupied[self.slot] = queue.occupied.get(self.slot, 0) + count
            self.line.serve(queue, count)

    @rule()
    def is_set_aside(self) -> None:
        queue = self.line.first()
        if queue is not None:
            self.line.park(queue, queue)

    @precondition(lambda self: self.queues)
    @rule(data=st.data())
    def is_woken(self, data: Any) -> None:
        self.line.wake(data.draw(st.sampled_from(self.queues)))

    @precondition(lambda self: any(queue.occupied for queue in self.queues))
    @rule(data=st.data(), back=st.booleans())
    def leaves_a_worker(self, data: Any, back: bool) -> None:
        queue = data.draw(st.sampled_from([queue for queue in self.queues if queue.occupied]))
        queue.occupied.clear()
        self.line.freed(self.slot, queue, 1)
        if back:
            queue.waiting.appendleft(Job(queue, 0, 1))
            self.line.rejoin(queue)

    @precondition(lambda self: self.queues)
    @rule(data=st.data())
    def is_left(self, data: Any) -> None:
        queue = data.draw(st.sampled_from(self.queues))
        queue.waiting.clear()
        self.line.leave(queue)

    @invariant()
    def as_many_wait_as_are_found(self) -> None:
        waiting = [queue for queue in self.queues if queue.waiting]
        found = sum(len(queue.waiting) if queue.shared else not queue.served_by for queue in waiting)
        assert self.line.unserved() == found
        for queue in waiting:
            if not queue.shared:
                assert self.line.admitted(queue)


TestLines = Lines.TestCase


@given(
    shared=st.booleans(),
    waits=st.lists(st.floats(0.0, 5.0), max_size=20),
    back=st.integers(0, 3),
    looks=st.lists(st.floats(0.1, 8.0), min_size=1, max_size=20),
)
def test_no_more_and_no_less_than_is_due(shared: bool, waits: list[float], back: int, looks: list[float]) -> None:
    queue = a_queue(shared)
    came = 0.0
    for number, wait in enumerate(waits):
        came += wait
        queue.waiting.append(Job(queue, number, 1, queued=came, timed=True))
    returned = [Job(queue, -number, 1, queued=0.0, timed=True, request_id=7) for number in range(back)]
    queue.waiting.extendleft(reversed(returned))
    clock = QueueClock(TIMEOUT)
    everything = list(queue.waiting)
    now, taken = came, []
    for pause in looks:
        now += pause
        overdue, following = clock.take_overdue(queue, now)
        taken += overdue
        assert all(job.queued + TIMEOUT <= now for job in overdue)
        timed = [job for job in queue.waiting if not job.request_id]
        assert all(job.queued + TIMEOUT > now for job in timed)
        assert (following is None) is (not timed)
        if following is not None:
            assert now < following <= max(timed[0].queued + TIMEOUT, now + TIMEOUT / LOOKS_IN_A_WAIT)
    assert [*returned, *taken, *list(queue.waiting)[back:]] == everything


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.booleans()), max_size=30))
def test_a_run_that_is_served_now_and_then_is_not_failed(steps: list[tuple[float, bool]]) -> None:
    """Nothing of a run fails within its time since it was served, and nothing is left long after it."""
    queue = a_queue(False)
    queue.waiting.append(Job(queue, 1, 1, queued=0.0, timed=True))
    clock = QueueClock(TIMEOUT)
    now = served = 0.0
    at: float | None = TIMEOUT
    for pause, serves in steps:
        now += pause
        while at is not None and at <= now:
            overdue, following = clock.take_overdue(queue, at)
            if overdue:
                assert at - served >= TIMEOUT
                return
            assert at - served < 2 * TIMEOUT
            at = following
        if serves:
            clock.served, served = True, now
