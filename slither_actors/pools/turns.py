"""The order in which waiting runs get workers: first come, first served, in turn among those that have more. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from slither_actors.pools.affinity import Sessions
    from slither_actors.pools.job import Lane
    from slither_actors.pools.slots import Slot

Lanes: TypeAlias = "OrderedDict[Lane, None]"


class Turns:
    """The lanes of one pool that have jobs waiting, each in one place.

    *In line*: in the order in which they came, or were served last. *Due*: their turn came when they could not use it,
    and now they can; they go before the line. *Aside*: their turn came, and what they wait for is no idle worker but a
    place of their own (a session, a full pipe, their `max_in_flight`); they are in nobody's way and are not looked at
    until that is free. So an event looks at the lanes that it serves, however many wait.

    A lane in line (or due) without a job at any worker is *hungry*: others are not to refill their pipes for ever while
    it waits. It is *new* until it is served: while such a lane waits, the others get one batch each.
    """

    __slots__ = ("_due", "_line", "aside", "hungry", "new")

    def __init__(self) -> None:
        self._line: Lanes = OrderedDict()
        self._due: Lanes = OrderedDict()
        self.aside: dict[Hashable, Lanes] = {}
        """Lanes that are set aside, by what they wait for: a session's id, a Slot, or themselves (`max_in_flight`)."""
        self.hungry = 0
        """Lanes in line that have no job at any worker."""
        self.new = 0
        """Those of them that had none when they joined, and were not served since."""

    def __len__(self) -> int:
        """Return the number of lanes in line or due."""
        return len(self._line) + len(self._due)

    def first(self) -> Lane | None:
        """Return the lane whose turn it is; None if no lane waits for a worker."""
        for lane in self._due or self._line:
            return lane
        return None

    def join(self, lane: Lane) -> None:
        """Put a lane that has jobs to be sent at the end of the line, unless it waits already."""
        if lane.place is None:
            lane.place = line = self._line
            line[lane] = None
            if not lane.occupied:
                lane.new = 1
                self._count(lane)

    def rejoin(self, lane: Lane) -> None:
        """Make a lane due: what it was served has come back unbegun, so that turn is still its own."""
        if lane.place is None or lane.place is self._line:
            if lane.place is not None:
                self._remove(lane)
            if not lane.occupied:
                lane.new = 1
            self._enter(self._due, lane)

    def serve(self, lane: Lane) -> None:
        """Note that jobs of this lane have gone out: it is last in line if it has more."""
        line = self._line
        if lane.hungry or lane.place is not line:
            self._remove(lane)
            lane.woken = None
            lane.new = 0
            lane.place = line
            line[lane] = None
        if not lane.queue:
            lane.place = None
            del line[lane]
        elif len(line) > 1:
            line.move_to_end(lane)

    def leave(self, lane: Lane) -> None:
        """Take a lane out that has nothing to be sent any more; what it was woken for goes to the next one."""
        if lane.place is not None:
            self._remove(lane)
            lane.new = 0
            key, lane.woken = lane.woken, None
            if key is not None:
                self.wake(key)

    def set_aside(self, lane: Lane, key: Hashable) -> None:
        """Have a lane, whose turn it is, wait for something else than an idle worker.

        Args:
            lane: the first one.
            key: what it waits for: a session's id, a Slot, or the lane itself for its own `max_in_flight`.
        """
        self._remove(lane)
        waiting = self.aside.get(key)
        if waiting is None:
            waiting = self.aside[key] = OrderedDict()
        lane.waits_for = key
        self._enter(waiting, lane)

    def wake(self, key: Hashable, count: int = 1) -> None:
        """Make lanes due that wait for this, the longest waiting first.

        Args:
            key: as in `set_aside`.
            count: at the most so many.
        """
        waiting = self.aside.get(key)
        while waiting and count > 0:
            count -= 1
            lane = next(iter(waiting))
            self._remove(lane)
            lane.woken = key
            self._enter(self._due, lane)

    def wake_sessions(self, sessions: Sessions) -> None:
        """Make all lanes due that wait for a session that is not busy any more: it was lost with a worker."""
        for key in [key for key in self.aside if isinstance(key, str) and not sessions.is_busy(key)]:
            self.wake(key, len(self.aside[key]))

    def freed(self, slot: Slot, lane: Lane, count: int) -> None:
        """Note that so many jobs of `lane` have left the pipe of `slot`."""
        if not lane.occupied and lane.place is not None:
            self._count(lane)
        if self.aside:
            if len(lane.occupied) < lane.max_in_flight:
                self.wake(lane)
            if lane.binds and lane.session is not None:
                self.wake(lane.session)
            self.wake(slot, count)

    def _enter(self, place: Lanes, lane: Lane) -> None:
        place[lane] = None
        lane.place = place
        if not lane.occupied:
            self._count(lane)

    def _count(self, lane: Lane) -> None:
        """Count a lane that has no job at any worker as hungry if it waits for a worker."""
        if not lane.hungry and (lane.place is self._line or lane.place is self._due):
            lane.hungry = 1
            self.hungry += 1
            self.new += lane.new

    def _remove(self, lane: Lane) -> None:
        place = lane.place
        assert place is not None
        lane.place = None
        del place[lane]
        if lane.hungry:
            lane.hungry = 0
            self.hungry -= 1
            self.new -= lane.new
        if lane.waits_for is not None:
            if not place:
                del self.aside[lane.waits_for]
            lane.waits_for = None
