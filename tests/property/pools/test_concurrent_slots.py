"""Slots of workers with several places against a model that looks at everything."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from slither_actors.pools.assignment.concurrent_slots import ConcurrentSlots, concurrent_depth
from slither_actors.pools.assignment.job import Job, RunQueue, WorkerSlot

PLACES = 3
AVERAGES = st.sampled_from([None, 0.0, 0.001, 0.015, 0.05, 0.5])


class Pools(RuleBasedStateMachine):
    run_queues = Bundle("run_queues")

    def __init__(self) -> None:
        super().__init__()
        self.slots = ConcurrentSlots(3, PLACES)
        self.pipes: dict[WorkerSlot, list[Job]] = {slot: [] for slot in self.slots.all}
        self.ready: set[WorkerSlot] = set()
        self.all: list[RunQueue] = []

    @rule(
        target=run_queues,
        most=st.integers(1, 10),
        ahead=st.booleans(),
        average=AVERAGES,
        session=st.sampled_from([None, "a", "b"]),
        affinity=st.sampled_from(["none", "hint"]),
    )
    def run_queue(self, most: int, ahead: bool, average: float | None, session: str | None, affinity: str) -> RunQueue:
        made = RunQueue(max_in_flight=most, ahead=ahead, timeout=None, session=session, affinity=affinity)
        made.average = average
        self.all.append(made)
        return made

    @rule(index=st.integers(0, 2))
    def up(self, index: int) -> None:
        slot = self.slots.all[index]
        if slot not in self.ready:
            self.slots.up(slot)
            self.ready.add(slot)

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def down(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.ready, key=lambda slot: slot.index)))
        self.slots.down(slot)
        self.ready.discard(slot)
        jobs, self.pipes[slot] = self.pipes[slot], []
        for job in jobs:
            self.slots.give(slot, job.run_queue)

    def executing(self, run_queue: RunQueue) -> int:
        """How many of a run's jobs are executed now, if each worker begins them in their order."""
        return sum(sum(job.run_queue is run_queue for job in jobs[:PLACES]) for jobs in self.pipes.values())

    @rule(run_queue=run_queues, avoid=st.sampled_from([None, 0, 1, 2]), waiting=st.sampled_from([1, 2, 5, 20]))
    def assign(self, run_queue: RunQueue, avoid: int | None, waiting: int) -> None:
        job = Job(run_queue, 1, 1)
        job.avoid = avoid
        slot = self.slots.choose(run_queue, job)
        with_place = {slot for slot in self.ready if len(self.pipes[slot]) < PLACES}
        allowed = self.executing(run_queue) < run_queue.max_in_flight
        if slot is None:
            assert not (with_place and allowed)  # no place is left empty that a run may take
            return
        assert slot in self.ready
        had_place = slot in with_place
        if had_place:
            assert allowed
            if slot.index == avoid:
                assert with_place == {slot}
        else:
            assert run_queue.ahead
            assert not (with_place and allowed)  # a place first
            assert all(other.run_queue is run_queue for other in self.pipes[slot])
        count = self.slots.share(slot, run_queue, waiting)
        assert 1 <= count <= waiting
        self.slots.take(slot, run_queue, count)
        self.pipes[slot] += [job] * count
        if had_place:
            assert len(self.pipes[slot]) <= PLACES
            assert self.executing(run_queue) <= run_queue.max_in_flight
        else:
            assert len(self.pipes[slot]) <= concurrent_depth(run_queue.average, PLACES)

    @precondition(lambda self: any(self.pipes.values()))
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        """A job in execution leaves its pipe, whichever it is."""
        slot = data.draw(st.sampled_from([slot for slot in self.slots.all if self.pipes[slot]]))
        job = self.pipes[slot].pop(data.draw(st.integers(0, min(PLACES, len(self.pipes[slot])) - 1)))
        self.slots.give(slot, job.run_queue)

    @invariant()
    def books_agree(self) -> None:
        for slot in self.slots.all:
            assert slot.ready == (slot in self.ready)
            if slot.ready:
                assert slot.load == len(self.pipes[slot])
        assert set(self.slots.idle) == {slot for slot in self.ready if len(self.pipes[slot]) < PLACES}
        places: dict[RunQueue, int] = {}
        for run_queue in self.all:
            counted: dict[Any, int] = {}
            for slot, jobs in self.pipes.items():
                if n := sum(job.run_queue is run_queue for job in jobs):
                    counted[slot] = n
            assert dict(run_queue.occupied) == counted
            if counted:
                places[run_queue] = self.executing(run_queue)
        assert self.slots._places == places


Pools.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPools = Pools.TestCase
