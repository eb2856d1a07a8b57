"""The order in which waiting runs get workers: first come, first served, in turn among those that have more. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from slither_actors.pools.assignment.job import RunQueue, WorkerSlot
    from slither_actors.pools.assignment.sessions import Sessions

RunQueues: TypeAlias = "OrderedDict[RunQueue, None]"


class FairQueue:
    """The run queues of one pool that have jobs waiting, each in one place.

    *In line*: in the order in which they came, or were served last. *Due*: their turn came when they could not use it,
    and now they can; they go before the line. *Parked*: their turn came, and what they wait for is no idle worker but
    a place of their own (a session, a full pipe, their `max_in_flight`); they block no other run and are not looked at
    until that is free. So an event looks at the run queues that it serves, however many wait.

    A run queue in line (or due) without a job at any worker is *hungry*: others are not to refill their pipes without
    end while it waits. It is *new* until it is served: while such a one waits, the others get one batch each.

    The jobs of a *shared* run queue are runs of their own. So it is always hungry while it waits, and it keeps its
    place for as many jobs as it had when it came there.
    """

    __slots__ = ("_due", "_line", "hungry", "new", "parked")

    def __init__(self) -> None:
        self._line: RunQueues = OrderedDict()
        self._due: RunQueues = OrderedDict()
        self.parked: dict[Hashable, RunQueues] = {}
        """Parked run queues, by what they wait for: a session's id, a WorkerSlot, or themselves (`max_in_flight`)."""
        self.hungry = 0
        """Run queues in line that have no job at any worker."""
        self.new = 0
        """Those of them that had none when they joined, and were not served since."""

    def __len__(self) -> int:
        """Return the number of run queues in line or due."""
        return len(self._line) + len(self._due)

    def first(self) -> RunQueue | None:
        """Return the run queue whose turn it is; None if none waits for a worker."""
        for run_queue in self._due or self._line:
            return run_queue
        return None

    def join(self, run_queue: RunQueue) -> None:
        """Put a run queue that has jobs to be sent at the end of the line, unless it waits already."""
        if run_queue.place is None:
            run_queue.place = line = self._line
            line[run_queue] = None
            if not run_queue.occupied:
                run_queue.new = 1
                self._count(run_queue)
            if run_queue.shared:
                run_queue.turns = len(run_queue.waiting)
                self._count(run_queue)

    def rejoin(self, run_queue: RunQueue) -> None:
        """Make a run queue due: what it was served has come back unbegun, so that turn is still its own."""
        if run_queue.place is None or run_queue.place is self._line:
            if run_queue.place is not None:
                self._remove(run_queue)
            if not run_queue.occupied:
                run_queue.new = 1
            self._enter(self._due, run_queue)

    def serve(self, run_queue: RunQueue, count: int = 1) -> None:
        """Note that so many jobs of this run queue have gone out: it is last in line if it has more."""
        line = self._line
        if run_queue.shared and run_queue.place is line:
            self._serve_shared(run_queue, count)
            return
        if run_queue.hungry or run_queue.place is not line:
            self._remove(run_queue)
            run_queue.woken = None
            run_queue.new = 0
            run_queue.place = line
            line[run_queue] = None
            if run_queue.shared and run_queue.waiting:
                run_queue.turns = len(run_queue.waiting)
                self._count(run_queue)
        if not run_queue.waiting:
            run_queue.place = None
            del line[run_queue]
        elif len(line) > 1:
            line.move_to_end(run_queue)

    def _serve_shared(self, run_queue: RunQueue, count: int) -> None:
        """Do the same for a shared one: it keeps its place while it has jobs that came before the next one in line."""
        line = self._line
        if run_queue.new:
            self.new -= run_queue.hungry
            run_queue.new = 0
        if not run_queue.waiting:
            self._remove(run_queue)
        elif len(line) == 1:
            run_queue.turns = len(run_queue.waiting)
        elif run_queue.turns > count:
            run_queue.turns -= count
        else:
            line.move_to_end(run_queue)
            run_queue.turns = len(run_queue.waiting)

    def shrunk(self, run_queue: RunQueue) -> None:
        """Note that waiting jobs were taken out of a run queue: what comes from now on has not their turns."""
        run_queue.turns = min(run_queue.turns, len(run_queue.waiting))

    def leave(self, run_queue: RunQueue) -> None:
        """Take a run queue out that has nothing to be sent any more; what it was woken for goes to the next one."""
        if run_queue.place is not None:
            self._remove(run_queue)
            run_queue.new = 0
            key, run_queue.woken = run_queue.woken, None
            if key is not None:
                self.wake(key)

    def park(self, run_queue: RunQueue, key: Hashable) -> None:
        """Have a run queue, whose turn it is, wait for something else than an idle worker.

        Args:
            run_queue: the first one.
            key: what it waits for: a session's id, a WorkerSlot, or the run queue itself for its own `max_in_flight`.
        """
        self._remove(run_queue)
        waiting = self.parked.get(key)
        if waiting is None:
            waiting = self.parked[key] = OrderedDict()
        run_queue.waits_for = key
        self._enter(waiting, run_queue)

    def wake(self, key: Hashable, count: int = 1) -> None:
        """Make run queues due that wait for this, the longest waiting first.

        Args:
            key: as in `park`.
            count: at the most so many.
        """
        waiting = self.parked.get(key)
        while waiting and count > 0:
            count -= 1
            run_queue = next(iter(waiting))
            self._remove(run_queue)
            run_queue.woken = key
            self._enter(self._due, run_queue)

    def wake_sessions(self, sessions: Sessions) -> None:
        """Make all run queues due that wait for a session that is not busy any more: it was lost with a worker."""
        for key in [key for key in self.parked if isinstance(key, str) and not sessions.is_busy(key)]:
            self.wake(key, len(self.parked[key]))

    def freed(self, slot: WorkerSlot, run_queue: RunQueue, count: int) -> None:
        """Note that so many jobs of `run_queue` have left the pipe of `slot`."""
        if not run_queue.occupied and run_queue.place is not None:
            self._count(run_queue)
        if self.parked:
            if len(run_queue.occupied) < run_queue.max_in_flight:
                self.wake(run_queue)
            if run_queue.binds and run_queue.session is not None:
                self.wake(run_queue.session)
            self.wake(slot, count)

    def _enter(self, place: RunQueues, run_queue: RunQueue) -> None:
        place[run_queue] = None
        run_queue.place = place
        if not run_queue.occupied or run_queue.shared:
            self._count(run_queue)

    def _count(self, run_queue: RunQueue) -> None:
        """Count a run queue that has no job at any worker as hungry if it waits for a worker."""
        if not run_queue.hungry and (run_queue.place is self._line or run_queue.place is self._due):
            run_queue.hungry = 1
            self.hungry += 1
            self.new += run_queue.new

    def _remove(self, run_queue: RunQueue) -> None:
        place = run_queue.place
        assert place is not None
        run_queue.place = None
        del place[run_queue]
        if run_queue.hungry:
            run_queue.hungry = 0
            self.hungry -= 1
            self.new -= run_queue.new
        if run_queue.waits_for is not None:
            if not place:
                del self.parked[run_queue.waits_for]
            run_queue.waits_for = None
