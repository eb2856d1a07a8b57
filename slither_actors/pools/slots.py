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

    __slots__ = ("index", "jobs", "load", "pid", "quota", "ready", "ref")

    def __init__(self, index: int) -> None:
        self.index = index
        self.ref: object = None
        self.pid: int | None = None
        self.ready = False
        self.load = 0
        self.jobs: deque[Job] = deque()
        self.quota = 0
        """Jobs that its run may still put into the pipe while other runs wait for a worker; renewed when it is idle."""


def _load_of(slot: Slot) -> int:
    return slot.load


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

    @property
    def any_idle(self) -> bool:
        """Whether a worker has nothing to do."""
        return bool(self._by_load[0])

    def choose(self, lane: Lane, job: Job, hungry: bool = False) -> Slot | None:
        """The slot for this lane's next job, or None while there is no room for it.

        An idle worker before a place behind other jobs of the run; the worker that last served a hinted session before
        others; for a retry another worker than the one that failed it, if one is idle.

        Args:
            lane: whose job.
            job: it.
            hungry: another run waits that has no worker at all: then a run fills a pipe once, and lets it run empty.
        """
        session, affinity = lane.session, lane.affinity
        if session is not None and affinity != "none":
            known = self.sessions.slot_of(session)
            if affinity in BINDING:
                if self.sessions.is_busy(session):
                    return None
                if known is not None:
                    # Also behind others: it must be this worker. But not for ever in turn with other sessions of it.
                    room = known.load == 0 or (known.load <= MAX_AHEAD and (known.quota > 0 or not hungry))
                    return known if known.ready and room else None
            elif known is not None and known.index != job.avoid and self._has_room(known, lane, hungry):
                return known
        occupied = lane.occupied
        idle = self._by_load[0]
        if idle and len(occupied) < lane.max_in_flight:
            slot = next(iter(idle))
            if slot.index == job.avoid and len(idle) > 1:
                slot = next(other for other in idle if other.index != job.avoid)
            return slot
        # Ahead only behind the run's own jobs: should one of them turn out slow, no other run waits behind it.
        if not lane.ahead or not occupied or (depth := pipe_depth(lane.average)) < 2:
            return None
        freed = lane.freed
        if freed is not None and freed in occupied and self._room_ahead(freed, depth, hungry):
            return freed
        slot = min(occupied, key=_load_of)
        return slot if self._room_ahead(slot, depth, hungry) else None

    @staticmethod
    def _room_ahead(slot: Slot, depth: int, hungry: bool) -> bool:
        return slot.ready and slot.load < depth and (slot.quota > 0 or not hungry)

    def _has_room(self, slot: Slot, lane: Lane, hungry: bool) -> bool:
        if slot in lane.occupied:
            return slot.load == 0 or (lane.ahead and self._room_ahead(slot, pipe_depth(lane.average), hungry))
        return slot.ready and slot.load == 0 and len(lane.occupied) < lane.max_in_flight

    def take(self, slot: Slot, lane: Lane) -> None:
        """A job of `lane` goes into the slot's pipe."""
        load = slot.load
        del self._by_load[load][slot]
        slot.load = load + 1
        self._by_load[load + 1][slot] = None
        slot.quota = (pipe_depth(lane.average) if load == 0 else slot.quota) - 1
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
        if lane.affinity in BINDING and lane.session is not None:
            self.sessions.given_back(lane.session)
        lane.freed = slot
        left = lane.occupied[slot] - 1
        if left:
            lane.occupied[slot] = left
        else:
            del lane.occupied[slot]
