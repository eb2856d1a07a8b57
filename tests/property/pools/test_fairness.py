"""A whole pool under any arrivals, replies, cancels, closes and deaths: no run starves, no worker idles needlessly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.pool_bench import Bench, failure_of, frame_of, reply_to

from slither_actors.pools.assignment.fair_queue import FairQueue
from slither_actors.pools.assignment.job import Job, RunQueue, WorkerSlot
from slither_actors.pools.assignment.slots import MAX_AHEAD
from slither_actors.pools.worker import executor
from slither_actors.wire import frames as wire
from supervisors.testing import ManualScheduler

SIZE = 3
AVERAGES = st.sampled_from([None, 0.00001, 0.008, 0.5])


class Pools(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.scheduler = ManualScheduler()
        self.it = Bench(self.scheduler, self.patch, size=SIZE, max_restarts=None)
        self.run_queues: list[RunQueue] = []
        self.jobs: dict[RunQueue, list[Job]] = {}
        # Of each lane that waits without a worker: whose batches have gone out meanwhile, as often as they have.
        self.passed: dict[RunQueue, Counter[RunQueue]] = {}
        self.back: Counter[RunQueue] = Counter()  # batches that a death has brought back, and that go again
        self.next = iter(range(10**6)).__next__
        machine = self
        send, rejoin = executor.Executor._send, FairQueue.rejoin

        def sent(self: Any, jobs: list[Job]) -> None:
            for job in jobs:
                machine.note(job)
            send(self, jobs)

        def rejoined(self: FairQueue, run_queue: RunQueue) -> None:
            machine.back[run_queue] += 1
            rejoin(self, run_queue)

        self.patch.setattr(executor.Executor, "_send", sent)
        self.patch.setattr(FairQueue, "rejoin", rejoined)
        self.it.start()

    def teardown(self) -> None:
        self.scheduler.stop()
        self.patch.undo()

    @property
    def pool(self) -> Any:
        return self.it.link.pool

    def note(self, job: Job) -> None:
        """A batch has gone out: it has passed all those that could have gone in its place."""
        for run_queue, passed in self.passed.items():
            if run_queue is not job.run_queue:
                passed[job.run_queue] += 1 - (self.back[job.run_queue] > 0)
        self.back[job.run_queue] -= self.back[job.run_queue] > 0

    def sendable(self, run_queue: RunQueue) -> bool:
        """Whether it has a batch for which there would be a place, had it no rivals."""
        if not run_queue.waiting or run_queue.closed or run_queue.over:
            return False
        if run_queue.binds:
            slot = self.bound_to(run_queue)
            return not self.pool._slots.sessions.is_busy(run_queue.session) and (slot is None or slot.load <= MAX_AHEAD)
        return len(run_queue.occupied) < run_queue.max_in_flight

    def bound_to(self, run_queue: RunQueue) -> WorkerSlot | None:
        found: WorkerSlot | None = self.pool._slots.sessions.slot_of(run_queue.session)
        return found

    def answered(self, host: Any) -> list[wire.Frame]:
        gone = getattr(host, "gone", set())
        return [call for call in host.calls() if call.request_id not in gone]

    def remove(self, host: Any, call: wire.Frame) -> None:
        host.gone = getattr(host, "gone", set()) | {call.request_id}

    def living(self) -> list[Any]:
        return [host for host in self.it.hosts if host.pid is not None and self.answered(host)]

    # -- what happens

    @precondition(lambda self: len(self.run_queues) < 30)
    @rule(
        count=st.sampled_from([1, 1, 1, 2, 5, 40, 300]),
        most=st.sampled_from([1, 1, 2, 8]),
        ahead=st.booleans(),
        affinity=st.sampled_from(["none", "none", "none", "hint", "strict", "strict", "fail_fast"]),
        session=st.sampled_from(["a", "b", "c", "d"]),
        average=AVERAGES,
    )
    def comes(self, count: int, most: int, ahead: bool, affinity: str, session: str, average: float | None) -> None:
        run_queue = self.it.run_queue(
            max_in_flight=most,
            ahead=ahead,
            affinity=affinity,
            session=None if affinity == "none" else session,
            timeout=None,
        )
        run_queue.average = average
        self.run_queues.append(run_queue)
        self.jobs[run_queue] = self.it.submit(run_queue, *(self.next() for _ in range(count)))

    @precondition(lambda self: self.run_queues)
    @rule(data=st.data(), count=st.sampled_from([1, 3, 50]), front=st.booleans())
    def has_more(self, data: st.DataObject, count: int, front: bool) -> None:
        run_queue = data.draw(st.sampled_from(self.run_queues))
        self.jobs[run_queue] += self.it.submit(run_queue, *(self.next() for _ in range(count)), front=front)

    @precondition(lambda self: self.living())
    @rule(data=st.data(), most=st.sampled_from([1, 1, 1, 3, 200]), fails=st.sampled_from([False, False, True]))
    def replies(self, data: st.DataObject, most: int, fails: bool) -> None:
        host = data.draw(st.sampled_from(self.living()))
        calls = self.answered(host)[:most]
        for call in calls:
            self.remove(host, call)
        told = [failure_of(call.request_id) if fails else reply_to(call) for call in calls]
        self.it.do(host.say, *told)

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def dies(self, data: st.DataObject) -> None:
        self.it.do(data.draw(st.sampled_from(self.living())).die, None, 9)

    @rule(seconds=st.sampled_from([0.001, 0.1, 1.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.scheduler.advance(seconds)

    @precondition(lambda self: self.run_queues)
    @rule(data=st.data(), acknowledged=st.booleans())
    def cancels(self, data: st.DataObject, acknowledged: bool) -> None:
        run_queue = data.draw(st.sampled_from(self.run_queues))
        jobs = self.jobs[run_queue]
        if not jobs:
            return
        first = data.draw(st.integers(0, len(jobs) - 1))
        self.it.cancel(run_queue, *jobs[first : first + 5])
        if acknowledged:
            self.acknowledge()

    def acknowledge(self) -> None:
        for host in self.living():
            calls = {call.request_id: call for call in self.answered(host)}
            for request in host.cancels():
                if request in calls:
                    self.remove(host, calls[request])
                    self.it.do(host.say, frame_of(wire.CANCELLED, request))

    @precondition(lambda self: self.run_queues)
    @rule(data=st.data(), acknowledged=st.booleans())
    def closes(self, data: st.DataObject, acknowledged: bool) -> None:
        run_queue = data.draw(st.sampled_from(self.run_queues))
        self.run_queues.remove(run_queue)
        self.jobs.pop(run_queue)
        self.passed.pop(run_queue, None)
        self.it.close(run_queue)
        if acknowledged:
            self.acknowledge()

    # -- what holds

    @invariant()
    def no_worker_idles_while_a_batch_could_go(self) -> None:
        for slot in self.pool._slots.idle:
            for run_queue in self.run_queues:
                if self.sendable(run_queue):
                    assert run_queue.binds
                    assert self.bound_to(run_queue) not in (None, slot)

    @invariant()
    def nobody_is_passed_over_for_long(self) -> None:
        for run_queue in self.run_queues:
            waits = self.sendable(run_queue) and not run_queue.occupied
            if not waits:
                self.passed.pop(run_queue, None)
                continue
            passed = self.passed.setdefault(run_queue, Counter())
            for other, times in passed.items():
                # One that has been waiting from the start: one batch of each other run. Else: what fills a pipe.
                bound = 2 if run_queue.new else 2 + SIZE * (1 + MAX_AHEAD)
                assert times <= bound, (run_queue.new, run_queue.affinity, other.affinity)

    @invariant()
    def the_books_agree(self) -> None:
        turns = self.pool._line
        waiting = [*turns._due, *turns._line]
        parked = [run_queue for run_queues in turns.parked.values() for run_queue in run_queues]
        assert all(turns.parked.values())
        assert set(waiting) | set(parked) == {run_queue for run_queue in self.run_queues if run_queue.waiting}
        assert len(waiting) + len(parked) == len(set(waiting) | set(parked))
        hungry = [run_queue for run_queue in waiting if not run_queue.occupied]
        assert turns.hungry == len(hungry) == sum(run_queue.hungry for run_queue in self.run_queues)
        assert turns.new == sum(run_queue.new for run_queue in hungry)


Pools.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestPools = Pools.TestCase
