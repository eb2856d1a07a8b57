"""Which worker gets the next jobs where each executes several at a time. Pure."""

from __future__ import annotations

import math

from slither_actors.pools.assignment.job import BINDING, Job, RunQueue, WorkerSlot
from slither_actors.pools.assignment.sessions import Sessions
from slither_actors.pools.assignment.slots import AHEAD_SECONDS, LOOKS, MAX_AHEAD, SLOW_SECONDS, WorkerSlots


def concurrent_depth(seconds: float | None, concurrency: int) -> int:
    """Return the jobs to have in a pipe, those in execution included.

    Args:
        seconds: what one takes; None: not known.
        concurrency: how many are executed at a time.
    """
    if seconds is None or seconds >= SLOW_SECONDS:
        return concurrency
    if seconds * MAX_AHEAD <= AHEAD_SECONDS * concurrency:
        return concurrency + MAX_AHEAD
    return concurrency + max(1, math.ceil(AHEAD_SECONDS * concurrency / seconds))


class ConcurrentSlots(WorkerSlots):
    """The slots of a pool whose workers execute several jobs at a time.

    A slot is `idle` while it has a place: fewer jobs in its pipe than it executes at a time. Jobs of several runs share
    a worker. Ahead, where they wait for a place, jobs are sent behind those of their own run only.

    Args:
        size: workers of the pool.
        concurrency: jobs that each executes at a time.
    """

    def __init__(self, size: int, concurrency: int) -> None:
        super().__init__(size)
        self._concurrency = concurrency
        self.sessions = Sessions(concurrency=concurrency)
        self._places: dict[RunQueue, int] = {}
        """Places that a run has taken: its jobs in pipes, without those ahead."""

    def choose(self, run_queue: RunQueue, job: Job, hungry: bool = False) -> WorkerSlot | None:
        """Return the slot for a run's next job, or None while there is no room for it.

        A place before one behind other jobs of the run; the worker that last served a hinted session before others;
        for a retry another worker than the one that failed it, if one has a place.

        Args:
            run_queue: whose job.
            job: it.
            hungry: another run waits that has no worker at all: then a run fills a pipe once, and lets it run empty.
        """
        concurrency = self._concurrency
        allowed = self._places.get(run_queue, 0) < run_queue.max_in_flight
        if run_queue.affinity != "none" and run_queue.session is not None:
            known = self.sessions.slot_of(run_queue.session)
            if run_queue.affinity in BINDING:
                if self.sessions.is_busy(run_queue.session):
                    return None
                if known is not None:
                    room = known.load < concurrency or (
                        known.load < concurrency + MAX_AHEAD and (known.quota > 0 or not hungry)
                    )
                    return known if known.ready and room else None
            elif known is not None and allowed and known in self.idle and known.index != job.avoid:
                return known
        if self.idle and allowed:
            return self._emptiest(job.avoid)
        if not run_queue.ahead or not run_queue.open:
            return None
        depth = concurrent_depth(run_queue.likely(), concurrency)
        return self._behind_its_own(run_queue, depth, hungry) if depth > concurrency else None

    def _emptiest(self, avoid: int | None) -> WorkerSlot:
        """Return the emptiest of the slots with a place that were given nothing for longest."""
        best: WorkerSlot | None = None
        looked = 0
        for slot in self.idle:
            if slot.index == avoid:
                continue
            if best is None or slot.load < best.load:
                best = slot
            looked += 1
            if looked == LOOKS or not best.load:
                break
        return best if best is not None else next(iter(self.idle))

    def _behind_its_own(self, run_queue: RunQueue, depth: int, hungry: bool) -> WorkerSlot | None:
        """Return the emptiest of some slots that have no place, only jobs of this run, and room behind them."""
        best: WorkerSlot | None = None
        full: list[WorkerSlot] = []
        looked = 0
        for slot in run_queue.open:
            if not slot.ready or slot.load >= depth:
                full.append(slot)
                continue
            alone = slot.load >= self._concurrency and run_queue.occupied[slot] == slot.load
            if alone and (slot.quota > 0 or not hungry) and (best is None or slot.load < best.load):
                best = slot
            looked += 1
            if looked == LOOKS:
                break
        for slot in full:  # opened again when a job leaves it
            del run_queue.open[slot]
        return best

    def share(self, slot: WorkerSlot, run_queue: RunQueue, waiting: int) -> int:
        """Return how many of a run's waiting jobs go to this slot at once, while no other run waits.

        Args:
            slot: as `choose` gave it.
            run_queue: whose jobs.
            waiting: how many of them there are, at least 1.
        """
        if waiting == 1 or run_queue.binds:
            return 1
        if slot.load < self._concurrency:
            if len(self.idle) > 1:
                return 1  # so that all workers are equally busy
            allowed = run_queue.max_in_flight - self._places.get(run_queue, 0)
            return max(1, min(waiting, self._concurrency - slot.load, allowed))
        depth = concurrent_depth(run_queue.likely(), self._concurrency)
        level = min(depth, -(-(run_queue.in_pipes + waiting) // len(run_queue.occupied)))
        return max(1, min(waiting, level - slot.load))

    def take(self, slot: WorkerSlot, run_queue: RunQueue, count: int = 1) -> None:
        """Record that so many jobs of `run_queue` go into the slot's pipe."""
        had_place = slot.load < self._concurrency
        before = self._placed(slot, run_queue)
        super().take(slot, run_queue, count)
        self._places[run_queue] = self._places.get(run_queue, 0) + self._placed(slot, run_queue) - before
        if had_place:
            self.idle.pop(slot, None)
            if slot.load < self._concurrency:
                self.idle[slot] = None  # behind the others, so that they get their turn
            slot.quota = concurrent_depth(run_queue.likely(), self._concurrency) - slot.load

    def give(self, slot: WorkerSlot, run_queue: RunQueue, count: int = 1) -> None:
        """Record that so many jobs of `run_queue` have left the slot's pipe."""
        before = self._placed(slot, run_queue)
        super().give(slot, run_queue, count)
        left = self._places[run_queue] + self._placed(slot, run_queue) - before
        if left:
            self._places[run_queue] = left
        else:
            del self._places[run_queue]
        if slot.ready and slot.load < self._concurrency:
            self.idle[slot] = None

    def _placed(self, slot: WorkerSlot, run_queue: RunQueue) -> int:
        return min(run_queue.occupied.get(slot, 0), self._concurrency)
