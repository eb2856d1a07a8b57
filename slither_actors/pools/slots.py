"""Which worker gets the next job: pure bookkeeping over the pool's slots, no I/O, no clock."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from slither_actors.pools.affinity import BINDING, Sessions

if TYPE_CHECKING:
    from slither_actors.pools.job import Job, Lane

AHEAD_SECONDS = 0.02
"""Work to keep in a worker's pipe: with a busy host thread a reply waits several switch intervals (5 ms each)."""
MAX_AHEAD = 8
"""Jobs waiting in one pipe at the most: measured, more gains nothing and all of them wait behind a slow one."""
SLOW_SECONDS = 0.1
"""From here a hand-over costs less than 1 % of a job, and one that waits in a pipe could have gone to a free worker."""


def pipe_depth(average: float | None) -> int:
    """Jobs to have in a pipe, the one in execution included, if one takes `average` seconds (None: not known yet)."""
    if average is None or average >= SLOW_SECONDS:
        return 1
    if average * MAX_AHEAD <= AHEAD_SECONDS:
        return 1 + MAX_AHEAD
    return 1 + max(1, math.ceil(AHEAD_SECONDS / average))


class Slot:
    """One worker's place in the pool, kept over the worker's deaths."""

    __slots__ = ("index", "jobs", "load", "pid", "ready", "ref", "slowest")

    def __init__(self, index: int) -> None:
        self.index = index
        self.ref: object = None
        self.pid: int | None = None
        self.ready = False
        self.load = 0
        self.jobs: deque[Job] = deque()
        # The largest average of the lanes that have had a job here since it was last idle: who queues behind a slow
        # job waits for it, whatever its own jobs take.
        self.slowest = 0.0


class Slots:
    """The pool's slots by load, so that the next one is found without looking at all of them."""

    def __init__(self, size: int) -> None:
        self.all = [Slot(index) for index in range(size)]
        # Dicts are ordered sets here: the slot idle for longest comes first, so work goes round.
        self._by_load: list[dict[Slot, None]] = [{} for _ in range(MAX_AHEAD + 2)]
        self.sessions = Sessions()

    def up(self, slot: Slot) -> None:
        """The slot's worker is ready and has nothing in its pipe."""
        self.down(slot)
        slot.ready = True
        self._by_load[0][slot] = None

    def down(self, slot: Slot) -> None:
        """The slot takes no jobs until `up`."""
        if slot.ready:
            self._by_load[slot.load].pop(slot, None)
        slot.ready = False
        slot.load = 0
        slot.slowest = 0.0

    @property
    def any_idle(self) -> bool:
        """Whether a worker has nothing to do."""
        return bool(self._by_load[0])

    def choose(self, lane: Lane, job: Job) -> Slot | None:
        """The slot for this lane's next job, or None while there is no room for it.

        An idle worker before a waiting place; the worker that last served a hinted session before others; for a retry
        another worker than the one that failed it, if one is idle.
        """
        session, affinity = lane.session, lane.affinity
        if session is not None and affinity != "none":
            known = self.sessions.slot_of(session)
            if affinity in BINDING:
                if self.sessions.is_busy(session):
                    return None
                if known is not None:
                    # Also behind others: it must be this worker, and who only waits for it to be idle may wait for
                    # ever.
                    return known if known.ready and known.load <= MAX_AHEAD else None
            elif known is not None and self._has_room(known, lane) and known.index != job.avoid:
                return known
        occupied = lane.occupied
        if len(occupied) < lane.max_in_flight:
            idle = self._by_load[0]
            if idle:
                slot = next(iter(idle))
                if slot.index == job.avoid and len(idle) > 1:
                    slot = next(other for other in idle if other.index != job.avoid)
                return slot
            if not lane.ahead:
                return None
            depth = pipe_depth(lane.average)
            for load in range(1, depth):
                for slot in self._by_load[load]:
                    if load < pipe_depth(slot.slowest):
                        return slot
            return None
        if not lane.ahead:
            return None
        best = None
        for slot in occupied:
            if self._has_room(slot, lane) and (best is None or slot.load < best.load):
                best = slot
        return best

    def _has_room(self, slot: Slot, lane: Lane) -> bool:
        if not slot.ready:
            return False
        if slot not in lane.occupied:
            if len(lane.occupied) >= lane.max_in_flight:
                return False
            if slot.load == 0:
                return True
        elif slot.load == 0:
            return True
        return lane.ahead and slot.load < min(pipe_depth(lane.average), pipe_depth(slot.slowest))

    def take(self, slot: Slot, lane: Lane) -> None:
        """A job of `lane` goes into the slot's pipe."""
        load = slot.load
        del self._by_load[load][slot]
        slot.load = load + 1
        self._by_load[load + 1][slot] = None
        average = lane.average
        slot.slowest = max(slot.slowest, SLOW_SECONDS if average is None else average)
        lane.occupied[slot] += 1
        lane.served_by.add(slot)
        if lane.affinity != "none" and lane.session is not None:
            self.sessions.taken(lane.session, slot, lane, bound=lane.affinity in BINDING)

    def give(self, slot: Slot, lane: Lane) -> None:
        """A job of `lane` has left the slot's pipe."""
        if slot.ready:
            load = slot.load
            del self._by_load[load][slot]
            slot.load = load - 1
            self._by_load[load - 1][slot] = None
            if load == 1:
                slot.slowest = 0.0
        if lane.affinity in BINDING and lane.session is not None:
            self.sessions.given_back(lane.session)
        left = lane.occupied[slot] - 1
        if left:
            lane.occupied[slot] = left
        else:
            del lane.occupied[slot]
