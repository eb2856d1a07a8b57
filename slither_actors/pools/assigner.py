"""The Assigner: which waiting jobs go into which worker's pipe."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from slither_actors import telemetry
from slither_actors.pools.assignment.concurrent_slots import ConcurrentSlots
from slither_actors.pools.assignment.fair_queue import FairQueue
from slither_actors.pools.assignment.job import Job, Outcomes, RunQueue, Send, WorkerSlot
from slither_actors.pools.assignment.slots import WorkerSlots
from slither_actors.pools.events import tell_start
from supervisors import Scheduler


class Assigner:
    """Gives waiting runs their turn, and workers their jobs. Scheduler's thread only.

    Args:
        size: workers of the pool.
        scheduler: on whose background thread events are handled.
        concurrency: batches that each worker executes at a time.
        line: of the runs that wait; None: a new one.

    Attributes:
        slots: the workers.
        line: the runs that wait.
    """

    def __init__(self, size: int, scheduler: Scheduler, concurrency: int = 1, line: FairQueue | None = None) -> None:
        self.slots = WorkerSlots(size) if concurrency == 1 else ConcurrentSlots(size, concurrency)
        self.line = line if line is not None else FairQueue()
        self._scheduler = scheduler
        self._idle, self._bound = self.slots.idle, self.slots.sessions.bound
        self._outbox: dict[WorkerSlot, list[Job]] = {}

    def give(self, slot: WorkerSlot, run_queue: RunQueue) -> None:
        """Free the place of a job that has left a pipe."""
        self.slots.give(slot, run_queue)
        self.line.freed(slot, run_queue, 1)

    def nothing_waits(self, run_queue: RunQueue) -> None:
        """Give the turn of a run that has nothing to be sent any more to the others."""
        if run_queue.place is not None:
            self.line.leave(run_queue)
            self.assign()

    def assign(self, run_queues: Iterable[RunQueue] = ()) -> None:
        """Give idle workers to the runs that wait, in their turn, one batch each; then let pipes be refilled.

        Args:
            run_queues: those that this event concerns. They, and those that got a worker, may go on in pipes that they
                occupy. Any other with jobs in pipes is going to have an event of its own.
        """
        turns, idle, bound = self.line, self._idle, self._bound
        while (idle or bound) and (run_queue := turns.first()) is not None:
            if not idle and not (run_queue.binds and run_queue.session in bound):
                break  # of bound sessions the worker is known, and may have room behind what it is at
            # The first run may join a pipe, too, as none waits longer; if it is alone in line, it fills the pipe.
            if not self._next(run_queue, False, len(turns) == 1):
                turns.park(run_queue, self._obstacle(run_queue))
            elif run_queue.waiting:
                run_queues = (*run_queues, run_queue)
        for run_queue in run_queues:
            while run_queue.binds and run_queue.waiting and self._refused(run_queue):
                pass  # "fail_fast" does not wait for its turn to hear that its worker is busy
            # While a run waits that was not served at all, pipes run empty; while others do, each fills one once.
            while run_queue.waiting and turns.new == run_queue.new:
                hungry = turns.hungry > run_queue.hungry
                if not self._next(run_queue, hungry, not hungry):
                    break
        outbox = self._outbox
        if outbox:
            for slot, jobs in outbox.items():
                ref = slot.ref
                assert ref is not None  # of an idle worker
                if slot.forget:
                    forget, slot.forget = slot.forget, []
                    ref.tell(Send(jobs, forget))
                else:
                    ref.tell(Send(jobs))
            outbox.clear()

    def _next(self, run_queue: RunQueue, hungry: bool, share: bool) -> bool:
        """Assign the next jobs of a run that has some.

        Args:
            run_queue: whose.
            hungry: whether another run waits that has no worker at all.
            share: as many jobs as one worker is to have of them; else one.

        Returns:
            False if there is no room for any of them.
        """
        slots, queue = self.slots, run_queue.waiting
        job, waiting = queue[0], len(queue)
        if run_queue.binds and self._refused(run_queue):
            return True
        slot = slots.choose(run_queue, job, hungry)
        if slot is None:
            return False
        count = slots.share(slot, run_queue, waiting) if share else 1
        if count < waiting:
            jobs = [queue.popleft() for _ in range(count)]
        else:
            jobs = list(queue)
            queue.clear()
        slots.take(slot, run_queue, count)
        self.line.serve(run_queue, count)
        slot.jobs += jobs
        if telemetry.wanted():
            for job in jobs:
                job.worker = slot.index
                tell_start(self._scheduler, job)
        box = self._outbox.get(slot)
        if box is None:
            self._outbox[slot] = jobs
        else:
            box += jobs
        return True

    def _refused(self, run_queue: RunQueue) -> bool:
        """Fail the next job of a run with a bound session if it cannot be sent, now or later; return whether it did."""
        refusal = self.slots.sessions.refusal(run_queue.session or "", run_queue.affinity, run_queue)
        if refusal is None:
            return False
        job = run_queue.waiting.popleft()
        if not run_queue.waiting:
            self.line.leave(run_queue)
        run_queue.collector.tell(Outcomes([(job, refusal)]))
        return True

    def _obstacle(self, run_queue: RunQueue) -> Hashable:
        """Return what a run waits for if it cannot use an idle worker in its turn: the key for `FairQueue.park`."""
        if run_queue.binds and run_queue.session is not None:
            sessions = self.slots.sessions
            if sessions.is_busy(run_queue.session):
                return run_queue.session
            if (slot := sessions.slot_of(run_queue.session)) is not None:
                return slot
        return run_queue
