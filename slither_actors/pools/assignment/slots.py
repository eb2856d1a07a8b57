"""Which worker gets the next jobs: bookkeeping over the pool's slots. Pure."""

from __future__ import annotations

import math

from slither_actors.pools.assignment.job import BINDING, Job, RunQueue, WorkerSlot
from slither_actors.pools.assignment.sessions import Sessions

AHEAD_SECONDS = 0.02
"""Work to keep in a worker's pipe: with a busy host thread a reply waits several switch intervals (5 ms each)."""
MAX_AHEAD = 128
"""Jobs waiting in one pipe at the most: with jobs of 10 us that is a millisecond of work, about what the host's threads
need to get to the worker again."""
SLOW_SECONDS = 0.1
"""From here a hand-over costs less than 1 % of a job, and one that waits in a pipe could have gone to a free worker."""
LOOKS = 4
"""Pipes that are compared for the emptiest one: with a few workers all of them; with many, looking at all of them for
each job would cost more than it gains."""


def pipe_depth(seconds: float | None) -> int:
    """Return the jobs to have in a pipe, the one in execution included, if one takes so long (None: not known)."""
    if seconds is None or seconds >= SLOW_SECONDS:
        return 1
    if seconds * MAX_AHEAD <= AHEAD_SECONDS:
        return 1 + MAX_AHEAD
    return 1 + max(1, math.ceil(AHEAD_SECONDS / seconds))


class WorkerSlots:
    """The pool's slots, so that the next one is found without looking at all of them."""

    def __init__(self, size: int) -> None:
        self.all = [WorkerSlot(index) for index in range(size)]
        self.idle: dict[WorkerSlot, None] = {}
        """Those with nothing to do: an ordered set, the slot idle for longest comes first, so work goes round."""
        self.sessions = Sessions()

    def up(self, slot: WorkerSlot) -> None:
        """Open a slot: its worker is ready and has nothing in its pipe."""
        self.down(slot)
        slot.ready = True
        self.idle[slot] = None

    def down(self, slot: WorkerSlot) -> None:
        """Close a slot: it takes no jobs until `up`."""
        self.idle.pop(slot, None)
        slot.ready = False
        slot.load = 0
        slot.forget.clear()  # they went with the worker

    def choose(self, run_queue: RunQueue, job: Job, hungry: bool = False) -> WorkerSlot | None:
        """Return the slot for a run's next job, or None while there is no room for it.

        An idle worker before a place behind other jobs of the run; the worker that last served a hinted session before
        others; for a retry another worker than the one that failed it, if one is idle.

        Args:
            run_queue: whose job.
            job: it.
            hungry: another run waits that has no worker at all: then a run fills a pipe once, and lets it run empty.
        """
        affinity = run_queue.affinity
        if affinity != "none" and run_queue.session is not None:
            known = self.sessions.slot_of(run_queue.session)
            if affinity in BINDING:
                if self.sessions.is_busy(run_queue.session):
                    return None
                if known is not None:
                    # Also behind others: it must be this worker. But not without end in turn with other sessions of it.
                    room = known.load == 0 or (known.load <= MAX_AHEAD and (known.quota > 0 or not hungry))
                    return known if known.ready and room else None
            elif known is not None and known.index != job.avoid and self._has_room(known, run_queue, hungry):
                return known
        idle = self.idle
        if idle and len(run_queue.occupied) < run_queue.max_in_flight:
            for slot in idle:
                if slot.index != job.avoid:
                    return slot
            return next(iter(idle))
        # Ahead only behind the run's own jobs: should one of them turn out slow, no other run waits behind it.
        if not run_queue.ahead or not run_queue.open or (depth := pipe_depth(run_queue.likely())) < 2:
            return None
        return self._open(run_queue, depth, hungry)

    @staticmethod
    def _open(run_queue: RunQueue, depth: int, hungry: bool) -> WorkerSlot | None:
        """Return the emptiest of some of the run's slots with room. One found full is opened when a job leaves it."""
        best: WorkerSlot | None = None
        full: list[WorkerSlot] = []
        looked = 0
        for slot in run_queue.open:
            if not slot.ready or slot.load >= depth:
                full.append(slot)
            elif slot.quota > 0 or not hungry:
                if best is None or slot.load < best.load:
                    best = slot
                looked += 1
                if looked == LOOKS:
                    break
        for slot in full:
            del run_queue.open[slot]
        return best

    @staticmethod
    def _room_ahead(slot: WorkerSlot, depth: int, hungry: bool) -> bool:
        return slot.ready and slot.load < depth and (slot.quota > 0 or not hungry)

    def _has_room(self, slot: WorkerSlot, run_queue: RunQueue, hungry: bool) -> bool:
        if slot in run_queue.occupied:
            return slot.load == 0 or (
                run_queue.ahead and self._room_ahead(slot, pipe_depth(run_queue.likely()), hungry)
            )
        return slot.ready and slot.load == 0 and len(run_queue.occupied) < run_queue.max_in_flight

    def share(self, slot: WorkerSlot, run_queue: RunQueue, waiting: int) -> int:
        """Return how many of a run's waiting jobs go to this slot at once, while no other run waits: its share of them.

        Args:
            slot: as `choose` gave it.
            run_queue: whose jobs.
            waiting: how many of them there are, at least 1.
        """
        if waiting == 1 or not run_queue.ahead or run_queue.binds:
            return 1
        occupied = len(run_queue.occupied)
        if slot not in run_queue.occupied:
            occupied += 1
            if len(self.idle) > 1 and occupied < run_queue.max_in_flight:
                return 1  # each idle worker gets one before any gets two
        # So that all pipes are equally full, should these be the last ones.
        level = min(pipe_depth(run_queue.likely()), -(-(run_queue.in_pipes + waiting) // occupied))
        return max(1, min(waiting, level - slot.load))

    def take(self, slot: WorkerSlot, run_queue: RunQueue, count: int = 1) -> None:
        """Record that so many jobs of `run_queue` go into the slot's pipe."""
        load = slot.load
        slot.load = load + count
        if load == 0:
            self.idle.pop(slot, None)
            slot.quota = pipe_depth(run_queue.likely())
            slot.run_queue = run_queue
        elif slot.run_queue is not run_queue:
            slot.run_queue = None
        slot.quota -= count
        occupied = run_queue.occupied
        if slot in occupied:
            occupied[slot] += count
            run_queue.open.pop(slot, None)
        else:
            occupied[slot] = count
            run_queue.served_by.add(slot)
        run_queue.open[slot] = None  # behind the others, so that they get their turn
        run_queue.in_pipes += count
        if run_queue.affinity != "none" and run_queue.session is not None:
            self.sessions.taken(run_queue.session, slot, run_queue, bound=run_queue.binds)

    def give(self, slot: WorkerSlot, run_queue: RunQueue, count: int = 1) -> None:
        """Record that so many jobs of `run_queue` have left the slot's pipe."""
        if slot.ready:
            slot.load -= count
            if slot.load == 0:
                self.idle[slot] = None
        if run_queue.binds and run_queue.session is not None:
            self.sessions.given_back(run_queue.session)
        run_queue.in_pipes -= count
        left = run_queue.occupied[slot] - count
        if left:
            run_queue.occupied[slot] = left
            run_queue.open[slot] = None
        else:
            del run_queue.occupied[slot]
            run_queue.open.pop(slot, None)
