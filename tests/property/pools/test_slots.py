"""Slots against a model that looks at everything: loads, the bound of a run, what waits in pipes, deaths."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from slither_actors.pools.assignment.job import Job, RunQueue, WorkerSlot
from slither_actors.pools.assignment.slots import MAX_AHEAD, WorkerSlots, pipe_depth

AVERAGES = st.sampled_from([None, 0.0, 0.001, 0.004, 0.015, 0.05, 0.5])


class Pools(RuleBasedStateMachine):
    run_queues = Bundle("run_queues")

    def __init__(self) -> None:
        super().__init__()
        self.slots = WorkerSlots(4)
        self.pipes: dict[WorkerSlot, list[Job]] = {slot: [] for slot in self.slots.all}
        self.ready: set[WorkerSlot] = set()
        self.all: list[RunQueue] = []

    @rule(
        target=run_queues,
        most=st.integers(1, 4),
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

    @rule(index=st.integers(0, 3))
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

    @rule(run_queue=run_queues, average=AVERAGES)
    def learns(self, run_queue: RunQueue, average: float | None) -> None:
        run_queue.average = average

    @rule(run_queue=run_queues, avoid=st.sampled_from([None, 0, 1, 2, 3]), waiting=st.sampled_from([1, 2, 5, 20]))
    def assign(self, run_queue: RunQueue, avoid: int | None, waiting: int) -> None:
        job = Job(run_queue, 1, 1)
        job.avoid = avoid
        slot = self.slots.choose(run_queue, job)
        idle = {slot for slot in self.ready if not self.pipes[slot]}
        mine = {slot for slot in self.slots.all if any(job.run_queue is run_queue for job in self.pipes[slot])}
        may_occupy = len(mine) < run_queue.max_in_flight
        if slot is None:
            assert not (idle and may_occupy)  # no worker idles while a run may have it
            return
        assert slot in self.ready
        if self.pipes[slot]:
            assert run_queue.ahead  # who sends nothing ahead never queues behind anything
            assert len(self.pipes[slot]) < pipe_depth(run_queue.average) <= 1 + MAX_AHEAD
            hinted = run_queue.affinity == "hint" and run_queue.session is not None
            assert hinted or not (idle and may_occupy)  # an idle worker first
        if slot not in mine:
            assert may_occupy
        if avoid is not None and slot.index == avoid and may_occupy:
            assert not any(other.index != avoid for other in idle)
        others_idle = idle - {slot}
        count = self.slots.share(slot, run_queue, waiting)
        assert 1 <= count <= waiting
        if count > 1:
            assert run_queue.ahead
            assert len(self.pipes[slot]) + count <= pipe_depth(run_queue.average)
            # No worker gets a second one before each idle worker that the run may have has got one.
            assert not (slot not in mine and others_idle and len(mine | {slot}) < run_queue.max_in_flight)
        self.slots.take(slot, run_queue, count)
        self.pipes[slot] += [job] * count
        assert len(mine | {slot}) <= run_queue.max_in_flight

    @precondition(lambda self: any(self.pipes.values()))
    @rule(data=st.data(), first=st.booleans(), most=st.integers(1, 9))
    def done(self, data: st.DataObject, first: bool, most: int) -> None:
        """Some jobs of one run leave a pipe."""
        slot = data.draw(st.sampled_from([slot for slot in self.slots.all if self.pipes[slot]]))
        run_queue = self.pipes[slot][0 if first else -1].run_queue
        mine = [job for job in self.pipes[slot] if job.run_queue is run_queue][:most]
        for job in mine:
            self.pipes[slot].remove(job)
        self.slots.give(slot, run_queue, len(mine))

    @invariant()
    def books_agree(self) -> None:
        for slot in self.slots.all:
            assert slot.ready == (slot in self.ready)
            if slot.ready:
                assert slot.load == len(self.pipes[slot])
        assert bool(self.slots.idle) == any(not self.pipes[slot] for slot in self.ready)
        for run_queue in self.all:
            counted: dict[Any, int] = {}
            for slot, jobs in self.pipes.items():
                if n := sum(job.run_queue is run_queue for job in jobs):
                    counted[slot] = n
            assert dict(run_queue.occupied) == counted
            assert run_queue.in_pipes == sum(counted.values())
            assert set(run_queue.open) <= set(counted)
            assert len(counted) <= run_queue.max_in_flight


Pools.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestPools = Pools.TestCase
