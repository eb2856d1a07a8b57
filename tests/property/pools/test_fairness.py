"""A whole pool under any arrivals, replies, cancels, closes and deaths: nobody starves, and no worker idles in vain."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.pool_bench import Bench, failure_of, frame_of, reply_to

from slither_actors.pools import executor
from slither_actors.pools.job import Job, Lane
from slither_actors.pools.slots import MAX_AHEAD, Slot
from slither_actors.pools.turns import Turns
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
        self.lanes: list[Lane] = []
        self.jobs: dict[Lane, list[Job]] = {}
        # Of each lane that waits without a worker: whose batches have gone out meanwhile, as often as they have.
        self.passed: dict[Lane, Counter[Lane]] = {}
        self.back: Counter[Lane] = Counter()  # batches that a death has brought back, and that go again
        self.next = iter(range(10**6)).__next__
        machine = self
        send, rejoin = executor.Executor._send, Turns.rejoin

        def sent(self: Any, jobs: list[Job]) -> None:
            for job in jobs:
                machine.note(job)
            send(self, jobs)

        def rejoined(self: Turns, lane: Lane) -> None:
            machine.back[lane] += 1
            rejoin(self, lane)

        self.patch.setattr(executor.Executor, "_send", sent)
        self.patch.setattr(Turns, "rejoin", rejoined)
        self.it.start()

    def teardown(self) -> None:
        self.scheduler.stop()
        self.patch.undo()

    @property
    def pool(self) -> Any:
        return self.it.link.pool

    def note(self, job: Job) -> None:
        """A batch has gone out: it has passed all those that could have gone in its place."""
        for lane, passed in self.passed.items():
            if lane is not job.lane:
                passed[job.lane] += 1 - (self.back[job.lane] > 0)
        self.back[job.lane] -= self.back[job.lane] > 0

    def sendable(self, lane: Lane) -> bool:
        """Whether it has a batch for which there would be a place, had it no rivals."""
        if not lane.queue or lane.closed or lane.over:
            return False
        if lane.binds:
            slot = self.bound_to(lane)
            return not self.pool._slots.sessions.is_busy(lane.session) and (slot is None or slot.load <= MAX_AHEAD)
        return len(lane.occupied) < lane.max_in_flight

    def bound_to(self, lane: Lane) -> Slot | None:
        found: Slot | None = self.pool._slots.sessions.slot_of(lane.session)
        return found

    def answered(self, host: Any) -> list[wire.Frame]:
        gone = getattr(host, "gone", set())
        return [call for call in host.calls() if call.request_id not in gone]

    def remove(self, host: Any, call: wire.Frame) -> None:
        host.gone = getattr(host, "gone", set()) | {call.request_id}

    def living(self) -> list[Any]:
        return [host for host in self.it.hosts if host.pid is not None and self.answered(host)]

    # -- what happens

    @precondition(lambda self: len(self.lanes) < 30)
    @rule(
        count=st.sampled_from([1, 1, 1, 2, 5, 40, 300]), most=st.sampled_from([1, 1, 2, 8]), ahead=st.booleans(),
        affinity=st.sampled_from(["none", "none", "none", "hint", "strict", "strict", "fail_fast"]),
        session=st.sampled_from(["a", "b", "c", "d"]), average=AVERAGES,
    )  # fmt: skip
    def comes(self, count: int, most: int, ahead: bool, affinity: str, session: str, average: float | None) -> None:
        lane = self.it.lane(
            max_in_flight=most, ahead=ahead, affinity=affinity, session=None if affinity == "none" else session,
            timeout=None,
        )  # fmt: skip
        lane.average = average
        self.lanes.append(lane)
        self.jobs[lane] = self.it.submit(lane, *(self.next() for _ in range(count)))

    @precondition(lambda self: self.lanes)
    @rule(data=st.data(), count=st.sampled_from([1, 3, 50]), front=st.booleans())
    def has_more(self, data: st.DataObject, count: int, front: bool) -> None:
        lane = data.draw(st.sampled_from(self.lanes))
        self.jobs[lane] += self.it.submit(lane, *(self.next() for _ in range(count)), front=front)

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

    @precondition(lambda self: self.lanes)
    @rule(data=st.data(), acknowledged=st.booleans())
    def cancels(self, data: st.DataObject, acknowledged: bool) -> None:
        lane = data.draw(st.sampled_from(self.lanes))
        jobs = self.jobs[lane]
        if not jobs:
            return
        first = data.draw(st.integers(0, len(jobs) - 1))
        self.it.cancel(lane, *jobs[first : first + 5])
        if acknowledged:
            self.acknowledge()

    def acknowledge(self) -> None:
        for host in self.living():
            calls = {call.request_id: call for call in self.answered(host)}
            for request in host.cancels():
                if request in calls:
                    self.remove(host, calls[request])
                    self.it.do(host.say, frame_of(wire.CANCELLED, request))

    @precondition(lambda self: self.lanes)
    @rule(data=st.data(), acknowledged=st.booleans())
    def closes(self, data: st.DataObject, acknowledged: bool) -> None:
        lane = data.draw(st.sampled_from(self.lanes))
        self.lanes.remove(lane)
        self.jobs.pop(lane)
        self.passed.pop(lane, None)
        self.it.close(lane)
        if acknowledged:
            self.acknowledge()

    # -- what holds

    @invariant()
    def no_worker_idles_while_a_batch_could_go(self) -> None:
        for slot in self.pool._slots.idle:
            for lane in self.lanes:
                if self.sendable(lane):
                    assert lane.binds
                    assert self.bound_to(lane) not in (None, slot)

    @invariant()
    def nobody_is_passed_over_for_long(self) -> None:
        for lane in self.lanes:
            waits = self.sendable(lane) and not lane.occupied
            if not waits:
                self.passed.pop(lane, None)
                continue
            passed = self.passed.setdefault(lane, Counter())
            for other, times in passed.items():
                # One that has been waiting from the start: one batch of each other run. Else: what fills a pipe.
                bound = 2 if lane.new else 2 + SIZE * (1 + MAX_AHEAD)
                assert times <= bound, (lane.new, lane.affinity, other.affinity)

    @invariant()
    def the_books_agree(self) -> None:
        turns = self.pool._turns
        waiting = [*turns._due, *turns._line]
        aside = [lane for lanes in turns.aside.values() for lane in lanes]
        assert all(turns.aside.values())
        assert set(waiting) | set(aside) == {lane for lane in self.lanes if lane.queue}
        assert len(waiting) + len(aside) == len(set(waiting) | set(aside))
        hungry = [lane for lane in waiting if not lane.occupied]
        assert turns.hungry == len(hungry) == sum(lane.hungry for lane in self.lanes)
        assert turns.new == sum(lane.new for lane in hungry)


Pools.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestPools = Pools.TestCase
