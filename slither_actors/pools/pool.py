"""The Pool: which batch goes to which worker, and what becomes of it when that worker dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import assert_never

from slither_actors import telemetry
from slither_actors.errors import LoadError, PoolUnavailable, WorkerCrashed
from slither_actors.pools.assigner import Assigner
from slither_actors.pools.assignment.fair_queue import FairQueue
from slither_actors.pools.assignment.job import (
    BINDING,
    Cancel,
    Forget,
    Job,
    Outcome,
    Outcomes,
    Replies,
    RunQueue,
    WorkerCommand,
    WorkerSlot,
)
from slither_actors.pools.assignment.sessions import lost
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.memory_rest import MemoryRest
from slither_actors.pools.messages import (
    CancelJobs,
    CloseQueue,
    PoolMessage,
    Submit,
    WhenReady,
    WorkerDone,
    WorkerGone,
    WorkerReplied,
    WorkerUnstartable,
    WorkerUp,
)
from slither_actors.pools.statistics import PoolStatistics
from slither_actors.wire.header import CANCELLED, Frame
from supervisors import Crashed, Down, ExitReason, LightActor, Ref, Timer, monitor

FORGET_AFTER = 0.5
"""Seconds after which the stores of runs that ended go from a worker that is sent no other job."""


class Pool(LightActor):
    """Owns the assignment table (job → worker), so it alone redelivers; gives waiting runs their turn.

    Runs in: the scheduler's thread. If it dies: its executors are stopped and started with it (one_for_all), its runs
    fail with PoolUnavailable, which names their unfinished items; nothing is executed twice without their knowledge.

    Args:
        name: of the pool.
        size: number of its executors.
        link: the handle of the pool, which runs and the System hold in place of a reference that may go stale.
        max_failed_starts: after so many failed starts in a row, while no worker at all got ready, it gives up: the
            pauses between them keep such a pool within its restart budget without end, and its runs would wait as long.
            None: never.
        concurrency: batches that each worker executes at a time.
    """

    def __init__(
        self, name: str, size: int, link: PoolHandle, max_failed_starts: int | None = None, concurrency: int = 1
    ) -> None:
        super().__init__()
        self._max_failed_starts = max_failed_starts
        self._failed_starts = 0
        self._name = name
        self._link = link
        self._concurrency = concurrency
        self._assigner = Assigner(size, self.scheduler, concurrency, self._make_line())
        self._slots, self._line = self._assigner.slots, self._assigner.line
        self._run_queues: set[RunQueue] = set()
        self._waiting_ready: list[Callable[[Exception | None], None]] = []
        self._counters = link.counters
        self._forget_alarm: Timer | None = None
        self._rest = MemoryRest(self, lambda: link.arena, self._slots.all, lambda: bool(self._run_queues))

    def _make_line(self) -> FairQueue:
        return FairQueue()

    def on_start(self) -> None:
        """Enter itself in the handle."""
        self._link.up(self)

    def on_exit(self, reason: ExitReason) -> None:
        """Withdraw from the handle and fail pending readiness waiters. The runs get our Down."""
        error = self._link.down(reason)
        for answer in self._waiting_ready:
            answer(error)

    def on_receive(self, message: PoolMessage) -> None:
        """Serve runs and executors. The most frequent messages come first."""
        if isinstance(message, WorkerReplied):
            self._worker_replied(message)
        elif isinstance(message, WorkerDone):
            self._worker_done(message)
        elif isinstance(message, Submit):
            self._submit(message)
        elif isinstance(message, CancelJobs):
            self._cancel_jobs(message)
        elif isinstance(message, CloseQueue):
            self._close(message)
        elif isinstance(message, WorkerUp):
            self._worker_up(message)
        elif isinstance(message, WorkerGone):
            self._worker_gone(message)
        elif isinstance(message, WorkerUnstartable):
            self._unstartable(message)
        elif isinstance(message, WhenReady):
            self._waiting_ready.append(message.answer)
            self._answer_if_ready()
        elif isinstance(message, Down):
            self._executor_down(message)
        else:
            assert_never(message)

    # -- runs

    def _submit(self, message: Submit) -> None:
        run_queue = message.run_queue
        if run_queue.closed:
            return
        if run_queue.over is not None:
            run_queue.collector.tell(Outcomes([(job, run_queue.over) for job in message.jobs]))
            return
        self._run_queues.add(run_queue)
        wanted = telemetry.wanted()
        if wanted or message.front:
            now = self.scheduler.now() if wanted else 0.0
            for job in message.jobs:
                job.queued = now
                job.began = 0.0  # a retry, which goes to the front, is the same job
        if message.front:
            run_queue.waiting.extendleft(reversed(message.jobs))
            restarts = self._link.restarts
            if restarts is not None and restarts.doubtful and run_queue.affinity not in BINDING:
                # What was split or failed last goes first, and only leads to more deaths: is there anything that can be
                # completed? If not, the pool gives up soon.
                run_queue.waiting.rotate(1)
        else:
            run_queue.waiting.extend(message.jobs)
        if message.jobs:
            self._line.join(run_queue)
            self._assigner.assign((run_queue,))

    def _cancel_jobs(self, message: CancelJobs) -> None:
        unwanted = set(message.jobs)
        run_queue = message.run_queue
        if message.overdue:
            self._counters.overdue += len(unwanted)
        run_queue.waiting = deque(job for job in run_queue.waiting if job not in unwanted)
        self._line.shrunk(run_queue)
        self._cancel_in_pipes(run_queue, unwanted)
        if not run_queue.waiting:
            self._assigner.nothing_waits(run_queue)
            if run_queue.shared:
                self._rest_if_quiet(run_queue)

    def _cancel_in_pipes(self, run_queue: RunQueue, unwanted: set[Job] | None) -> None:
        """Cancel these jobs of a run (None: all) unless a worker has started them."""
        for slot in list(run_queue.occupied):
            jobs = [
                job
                for job in slot.jobs
                if job.run_queue is run_queue and not job.cancelled and (unwanted is None or job in unwanted)
            ]
            run_queue.cancelling += len(jobs)
            for job in jobs:
                job.cancelled = True
            if jobs and slot.ready:
                kill = run_queue.kill and not self._slots.sessions.binds_another(slot, run_queue.session)
                self._executor(slot).tell(Cancel(jobs, kill))

    def _close(self, message: CloseQueue) -> None:
        run_queue = message.run_queue
        run_queue.closed = True
        self._counters.overdue += message.overdue
        run_queue.waiting.clear()
        self._run_queues.discard(run_queue)
        if not self._run_queues:
            self._rest.begin()
        self._cancel_in_pipes(run_queue, None)
        self._assigner.nothing_waits(run_queue)
        if message.forget_session and run_queue.session is not None:
            self._slots.sessions.forget(run_queue.session)
            self._forget_later(run_queue.session, run_queue.served_by)

    def _forget_later(self, session: str, slots: Iterable[WorkerSlot]) -> None:
        """Have workers drop a session's store with their next jobs, or soon: a message to each would cost a write."""
        for slot in slots:
            if slot.ready:
                slot.forget.append(session)
        if self._forget_alarm is None:
            self._forget_alarm = self.call_later(FORGET_AFTER, self._forget_now)

    def _forget_now(self) -> None:
        self._forget_alarm = None
        for slot in self._slots.all:
            if slot.forget:
                forget, slot.forget = slot.forget, []
                self._executor(slot).tell(Forget(forget))

    @staticmethod
    def _executor(slot: WorkerSlot) -> Ref[WorkerCommand]:
        """Return the Executor of a slot that has a worker."""
        ref = slot.ref
        assert ref is not None
        return ref

    # -- workers

    def _worker_replied(self, message: WorkerReplied) -> None:
        slot, jobs = self._slots.all[message.index], message.jobs
        run_queue = slot.run_queue
        if run_queue is None or run_queue.closed or run_queue.cancelling or slot.jobs[0] is not jobs[0]:
            ended: list[tuple[Job, Outcome]] = [(job, job.reply) for job in jobs if job.reply is not None]
            self._assigner.assign(self._released(slot, ended, message.seconds))
        else:
            # All are the next ones of the one run whose pipe this is, and it wants them: nothing to be done for each.
            slots, turns, count = self._slots, self._line, len(jobs)
            del slot.jobs[:count]
            slots.give(slot, run_queue, count)
            if turns.parked or not run_queue.occupied:
                turns.freed(slot, run_queue, count)
                if run_queue.shared:
                    self._rest_if_quiet(run_queue)
            run_queue.took(message.seconds, count)
            run_queue.collector.tell(Replies(jobs))
            if run_queue.waiting or slots.idle or turns.hungry:
                self._assigner.assign((run_queue,))

    def _worker_done(self, message: WorkerDone) -> None:
        slot = self._slots.all[message.index]
        self._assigner.assign(self._released(slot, message.ended, message.seconds))

    def _released(
        self, slot: WorkerSlot, ended: Sequence[tuple[Job, Outcome]], seconds: float | None
    ) -> Iterable[RunQueue]:
        """Free the places of jobs that have left a pipe, and notify their runs.

        Returns:
            The queues that they belong to.
        """
        by_run_queue: dict[RunQueue, list[tuple[Job, Outcome]]] = {}
        run_queues: dict[RunQueue, None] = {}
        for job, outcome in ended:
            if job not in slot.jobs:
                continue
            slot.jobs.remove(job)
            run_queue = job.run_queue
            run_queues[run_queue] = None
            self._assigner.give(slot, run_queue)
            run_queue.cancelling -= job.cancelled
            kind = outcome.kind if type(outcome) is Frame else None
            if run_queue.closed or job.cancelled or kind == CANCELLED:
                self._counters.late += kind is not None and kind != CANCELLED
                job.reply = None
                continue
            job.avoid = slot.index
            if seconds is not None:
                run_queue.took(seconds)
            outcomes = by_run_queue.setdefault(run_queue, [])
            outcomes.append((job, outcome))
            if type(outcome) is LoadError:
                # It is the outcome of what waits as well: an earlier batch may be there, which the order waits for.
                run_queue.over = outcome
                outcomes += [(waiting, outcome) for waiting in run_queue.waiting]
                run_queue.waiting.clear()
                self._line.leave(run_queue)
        for run_queue, outcomes in by_run_queue.items():
            run_queue.collector.tell(Outcomes(outcomes))
        for run_queue in run_queues:
            if run_queue.shared:
                self._rest_if_quiet(run_queue)
        return run_queues

    def _rest_if_quiet(self, run_queue: RunQueue) -> None:
        """Count a shared run queue no more among those in use if nothing of it is here: it is never closed."""
        if not run_queue.waiting and not run_queue.occupied:
            self._run_queues.discard(run_queue)
            if not self._run_queues:
                self._rest.begin()

    def _worker_up(self, message: WorkerUp) -> None:
        slot = self._slots.all[message.index]
        if slot.ref is not message.ref:
            slot.ref = message.ref
            monitor(message.ref, self)
        slot.pid = message.pid
        self._slots.up(slot)
        self._line.wake(slot, len(self._line.parked.get(slot, ())))
        self._failed_starts = 0
        self._link.commands = tuple(message.commands)
        self._answer_if_ready()
        self._assigner.assign()

    def _worker_gone(self, message: WorkerGone) -> None:
        slot = self._slots.all[message.index]
        self._slots.down(slot)
        slot.pid = None
        if not message.planned:
            self._counters.deaths += 1
            self._link.last_error = message.error
        kept = set(message.kept)
        self._released(slot, self._with_sessions(slot, message.ended, message.error, kept), None)
        if isinstance(message.error, LoadError):
            for job in slot.jobs:
                job.avoid = slot.index
        # All that is left: what only waited in its pipe, and what was still on its way to the Executor.
        self._redeliver(slot, [job for job in slot.jobs if job not in kept])
        self._line.wake_sessions(self._slots.sessions)
        self._assigner.assign()

    def _with_sessions(
        self, slot: WorkerSlot, ended: Sequence[tuple[Job, Outcome]], error: Exception, kept: Collection[Job]
    ) -> Sequence[tuple[Job, Outcome]]:
        """Return the outcomes of a worker's death: of what it was executing, and of all jobs of bound sessions."""
        lost_jobs = [
            job
            for job in slot.jobs
            if job.run_queue.binds and job.run_queue.session is not None and job not in kept and not job.cancelled
        ]
        bound = {job.run_queue.session for job in lost_jobs if job.run_queue.session is not None}
        self._slots.sessions.slot_died(slot, bound, error)
        if not bound:
            return ended
        outcomes = dict(ended)
        for job in lost_jobs:
            outcomes[job] = lost(job.run_queue.session or "", error)
        return list(outcomes.items())

    def _redeliver(self, slot: WorkerSlot, jobs: list[Job]) -> None:
        """Requeue jobs that never started, at the front, without counting an attempt."""
        for job in reversed(jobs):
            slot.jobs.remove(job)
            run_queue = job.run_queue
            self._assigner.give(slot, run_queue)
            run_queue.cancelling -= job.cancelled
            job.began = 0.0
            if run_queue.closed or job.cancelled:
                if run_queue.shared:
                    self._rest_if_quiet(run_queue)
                continue
            if run_queue.over is not None:
                run_queue.collector.tell(Outcomes([(job, run_queue.over)]))
                continue
            self._counters.redelivered += 1
            run_queue.waiting.appendleft(job)
            self._line.rejoin(run_queue)

    def _unstartable(self, message: WorkerUnstartable) -> None:
        self._counters.deaths += 1
        self._link.last_error = message.error
        waiting, self._waiting_ready = self._waiting_ready, []
        for answer in waiting:
            answer(message.error)
        self._failed_starts = 0 if any(slot.ready for slot in self._slots.all) else self._failed_starts + 1
        if self._max_failed_starts is not None and self._failed_starts >= self._max_failed_starts:
            restarts = self._link.restarts
            if restarts is not None:
                restarts.never_ready(self._failed_starts, message.error)
            self.exit(Crashed(message.error))

    def _executor_down(self, message: Down) -> None:
        """Handle the end of an Executor. If it sent no WorkerGone before, its worker was killed with it."""
        for slot in self._slots.all:
            if slot.ref is message.ref:
                slot.ref = slot.pid = None
                if slot.ready:
                    error = self._abandoned(message.reason)
                    ended: list[tuple[Job, Outcome]] = [(job, error) for job in slot.jobs[: self._concurrency]]
                    self._worker_gone(WorkerGone(slot.index, ended, error, planned=False))
                return

    def _abandoned(self, reason: ExitReason) -> Exception:
        """Return why a worker died whose Executor ended before it. An Executor that failed counts as a crash."""
        if not isinstance(reason, Crashed):
            return PoolUnavailable(self._name, "the executor of a worker was stopped")
        error = WorkerCrashed()
        error.__cause__ = reason.exception
        error.add_note(f"It was killed, as its executor had failed: {reason.exception!r}")
        return error

    def _answer_if_ready(self) -> None:
        if self._waiting_ready and all(slot.ready for slot in self._slots.all):
            waiting, self._waiting_ready = self._waiting_ready, []
            for answer in waiting:
                answer(None)

    def statistics(self) -> PoolStatistics:
        """Return a snapshot of the pool's queues, workers and sessions."""
        slots = self._slots.all
        return PoolStatistics(
            size=len(slots),
            ready=sum(slot.ready for slot in slots),
            runs=len(self._run_queues),
            waiting=sum(len(run_queue.waiting) for run_queue in self._run_queues),
            in_pipes=sum(len(slot.jobs) for slot in slots),
            sessions=len(self._slots.sessions),
            unserved=self._unserved(),
        )

    def _unserved(self) -> int:
        """Return how many runs and requests wait that were not served at all."""
        waiting = [run_queue for run_queue in self._run_queues if run_queue.waiting]
        return sum(len(each.waiting) if each.shared else not each.served_by for each in waiting)
