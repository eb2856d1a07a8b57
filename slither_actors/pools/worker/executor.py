"""The Executor: drives one worker, from its start over its requests to its death."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from signal import SIGKILL
from typing import assert_never

from slither_actors.errors import (
    BatchTimeout,
    LoadError,
    StartTimeout,
    WorkerCrashed,
    WorkerRecycled,
    WorkerUnwanted,
)
from slither_actors.pools.assignment.job import Cancel, Forget, Job, Outcome, Send, Trim
from slither_actors.pools.assignment.stream_job import Chunks, Credit, StreamJob
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.hosts.base import Death, FrameSink, Spawned, SpawnFailed, WorkerHost
from slither_actors.pools.messages import (
    TRIM_AGAIN,
    ExecutorMessage,
    PoolMessage,
    WorkerDone,
    WorkerGone,
    WorkerReplied,
    WorkerUnstartable,
    WorkerUp,
)
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.statistics import ExecutorStatistics
from slither_actors.pools.worker.blame import WHOLE
from slither_actors.pools.worker.head_clock import HeadClock
from slither_actors.pools.worker.lifecycle import Event, State, next_state
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.pools.worker.restart_budget import FAILED_START, WorkerEnd
from slither_actors.pools.worker.stack_capture import StackCapture
from slither_actors.pools.worker.unwanted import may_kill
from slither_actors.pools.worker_errors import worker_error
from slither_actors.wire import messages as wire
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import (
    CANCEL,
    CANCELLED,
    CREDIT,
    FAILURE,
    FORGET,
    HELLO,
    READY,
    RETIRE,
    STOP,
    Frame,
    ProtocolError,
    pack_header,
)
from slither_actors.worker.guard import TORN
from supervisors import DEFERRED, Crashed, ExitReason, LightActor, Ref, RestartBudgetExceeded, Shutdown

STUCK_LOADS = 2
"""Workers in a row that do not answer, or die, while they load a function before its runs end with LoadError."""

_NOT_AN_INTERPRETER = (
    "it ended without an error before it was ready: PoolSpec(python=...) must be an interpreter, or a wrapper that "
    'hands over to one, as `exec python "$@"` does as the last line of a shell script'
)

_logger = logging.getLogger("slither_actors.pools")


class Executor(LightActor):
    """Drives one worker: handshake, pipelined requests, timeout, crash, stop.

    Runs in: the scheduler's thread. Owns: its host (process and pipes) and the order of requests in the pipe.
    If it dies: its worker is killed with it, its supervisor starts another, the batch in execution has lost an attempt
    (WorkerCrashed) and those that only waited in the pipe are redelivered by the Pool.

    Its states, and what leads from one to the other, are in `lifecycle`.

    Args:
        index: of the worker in its pool.
        spec: of the pool.
        link: to the pool.
        make_host: makes the host of a worker, for the actor and the receiver of its frames.
        hello: the body of the first frame.
    """

    def __init__(
        self,
        index: int,
        spec: PoolSpec,
        link: PoolHandle,
        make_host: Callable[[LightActor, FrameSink], WorkerHost],
        hello: bytes,
    ) -> None:
        super().__init__()
        self._index = index
        self._spec = spec
        self._link = link
        pool = link.ref
        assert pool is not None  # it starts before its Executors, and ends with them
        self._pool: Ref[PoolMessage] = pool
        self._make_host = make_host
        self._name = link.name
        self._hello = hello
        self._host: WorkerHost | None = None
        self._state = State.SPAWNING
        self._requests, self._clock = self._make_queue()
        self._why: Exception | None = None
        self._charge = WHOLE
        self._was_ready = False
        self._made_at = self._ready_at = 0.0
        self._oom_kills = 0  # of the cgroup, when the worker was made
        self._answered = False
        self._stop_reason: ExitReason | None = None
        self._killed = False
        self._stack = StackCapture(self)
        self._counters = link.counters
        self._record = link.counters.worker(index)

    def _make_queue(self) -> tuple[RequestQueue, HeadClock]:
        """Make the queue of the requests in the pipe, and what times them."""
        requests = RequestQueue()
        return requests, HeadClock(self, requests, self._spec.start_timeout, self._overdue)

    # -- start

    def on_start(self) -> object:  # type: ignore[override]  # as LightActor has it
        """Have the worker made; started once its process exists, the handshake follows."""
        link = self._link
        link.executor_up(self._index, self)
        self._new_worker()
        return DEFERRED

    def _happened(self, event: Event) -> None:
        self._state = next_state(self._state, event)

    def _new_worker(self) -> None:
        self._why = None
        self._charge = WHOLE
        self._was_ready = self._answered = self._killed = False
        self._oom_kills = self._link.oom_kills.count()
        self._stack.reset()
        self._made_at = self.scheduler.now()
        self._host = self._make_host(self, self)
        self._host.start()

    def _spawned(self, message: Spawned) -> None:
        host = message.host
        self._happened(Event.SPAWNED)
        if self._state is not State.STARTING:
            self._kill("shutdown")
            return
        host.send([pack_header(HELLO, 0, body_len=len(self._hello)), self._hello])
        host.flush()
        self._clock.time_start(self.scheduler.now())
        self.started()

    def _spawn_failed(self, message: SpawnFailed) -> None:
        self._host = None
        self._pool.tell(WorkerUnstartable(self._index, message.error))
        stopping = self._state is State.STOPPING
        self._happened(Event.SPAWN_FAILED)
        if stopping:
            self.exit(self._stop_reason or Shutdown())
            return
        # Not a failed start: a supervisor drops a child that never started, and this one is to be tried again, with
        # back-off and counted, until descriptors or processes can be had again.
        self.started()
        self._ended(FAILED_START)
        self.exit(Crashed(message.error))

    # -- requests

    def on_receive(self, message: ExecutorMessage) -> None:
        """Serve the Pool and the host."""
        if isinstance(message, Send):
            self._send(message)
        elif isinstance(message, Cancel):
            self._cancel(message)
        elif isinstance(message, Credit):
            self._credit(message)
        elif isinstance(message, Spawned):
            self._spawned(message)
        elif isinstance(message, SpawnFailed):
            self._spawn_failed(message)
        elif isinstance(message, Death):
            self._died(message)
        elif isinstance(message, Forget):
            self._forget(message.sessions)
        elif isinstance(message, Trim):
            self._trim()
        else:
            assert_never(message)

    def _send(self, message: Send) -> None:
        host, requests = self._host, self._requests
        if self._state is not State.READY or host is None:
            # Sent before the Pool heard of the death. It will, or is just about to: WorkerGone makes it redeliver all
            # that it had given us and that has no outcome, these among them.
            return
        idle = not requests
        if message.forget:
            host.send(_forget_frames(message.forget))
        host.send(requests.put(message.jobs))
        if idle:
            self._clock.restart(self.scheduler.now())
        host.flush()

    def _cancel(self, message: Cancel) -> None:
        if self._state is not State.READY or self._host is None:
            return
        for job in message.jobs:
            # The first one is being executed, or about to be. If not item by item it runs out, its reply goes nowhere.
            if self._requests.cancel(job):
                self._host.send([pack_header(CANCEL, job.request_id)])
                if type(job) is StreamJob:
                    self._clock.time_end(job, self.scheduler.now())
        self._host.flush()
        if message.kill:
            self._kill_unwanted()

    def _kill_unwanted(self) -> None:
        """Kill the worker if all that it executes is unwanted, unless the one before was killed so shortly ago."""
        host, record = self._host, self._record
        if host is None or not self._requests.unwanted():
            return
        host.read()  # it may have answered
        now = self.scheduler.now()
        if self._state is not State.READY or host is not self._host or not self._requests.unwanted():
            return
        if not may_kill(record.unwanted_at, now, self._ready_at - self._made_at):
            return
        record.unwanted_at = now
        self._why = WorkerUnwanted()
        self._charge = WHOLE
        self._clock.stop()
        self._happened(Event.UNWANTED)
        self._kill("unwanted")

    def _credit(self, credit: Credit) -> None:
        """Let a stream go on that waits for its reader, unless it has ended meanwhile."""
        job, host = credit.job, self._host
        if self._state is not State.READY or host is None or job is not self._requests.head or job.cancelled:
            return
        job.window.took(credit.count)
        host.send([pack_header(CREDIT, job.request_id, count=credit.count)])
        host.flush()
        self._clock.credit_came(self.scheduler.now())

    def _trim(self) -> None:
        if self._state is State.READY and self._host is not None and self._host.trim():
            self.call_later(TRIM_AGAIN, self._trim)

    def _forget(self, sessions: Sequence[str]) -> None:
        if self._state is State.READY and self._host is not None:
            self._host.send(_forget_frames(sessions))
            self._host.flush()

    # -- replies

    def on_frames(self, frames: list[Frame]) -> None:
        """Match what the worker says with what it was asked."""
        if self._state is not State.READY:
            self._handshake(frames)
            return
        requests = self._requests
        retire = frames.pop() if frames[-1].kind == RETIRE else None
        head = requests.head
        ended: list[tuple[Job, Outcome]] = []
        wrong: ProtocolError | None = None
        replied = requests.replies(frames)
        if len(replied) < len(frames):
            ended, wrong = requests.answer(frames[len(replied) :])
        now = self.scheduler.now()
        since = self._clock.since
        if requests.head is not head:
            self._clock.restart(now)
        if requests.chunks:
            self._chunks_came(now)
        if count := len(replied) + len(ended):
            self._answered = True
            # A cancelled batch was not executed, so that it is no progress for the restart budget.
            self._record.done += count if not ended else len(replied) + sum(map(executed, ended))
            seconds = (now - since) / count
            if replied:
                self._pool.tell(WorkerReplied(self._index, replied, seconds))
            if ended:
                self._pool.tell(WorkerDone(self._index, ended, seconds))
        if wrong is not None:
            raise wrong
        if retire is not None:
            reason = wire.retire_reason(retire)
            if not self._answered:  # so that a pool whose workers do nothing else gives up at some point
                raise ProtocolError("unexpected", f"a worker retires ({reason}) that has executed nothing")
            self._retire(reason)

    def _chunks_came(self, now: float) -> None:
        """Hand chunks to the receivers of their streams, before the Pool hears of the end of one."""
        came, self._requests.chunks = self._requests.chunks, []
        by_job: dict[StreamJob, list[Frame]] = {}
        for job, frame in came:
            by_job.setdefault(job, []).append(frame)
        for job, frames in by_job.items():
            if not job.cancelled:
                job.receiver.tell(Chunks(job, frames, self.actor_ref))
        self._answered = True
        self._clock.chunk_came(now)

    def _retire(self, reason: str) -> None:
        """Replace the worker, which ends by itself and begins nothing of what is still in its pipe."""
        self._counters.recycled[reason] += 1
        self._happened(Event.RETIRES)
        self._clock.stop()
        self._requests.clear()
        self._pool.tell(WorkerGone(self._index, [], WorkerRecycled(reason), True))
        self._ladder()

    def _handshake(self, frames: list[Frame]) -> None:
        for number, frame in enumerate(frames):
            if self._state is not State.STARTING:
                return  # while it is killed or stopped, or has failed to start, its frames do not count
            if frame.kind == READY:
                ready = wire.Ready.from_body(frame.body)
                self._happened(Event.READY)
                self._was_ready = True
                self._ready_at = self.scheduler.now()
                self._clock.stop()
                pid = self._host.pid if self._host is not None else None
                self._pool.tell(WorkerUp(self._index, self.actor_ref, pid, ready.commands))
                if rest := frames[number + 1 :]:
                    self.on_frames(rest)
                return
            if frame.kind != FAILURE:
                raise ProtocolError("unexpected", f"kind {frame.kind} before ready")
            self._why = LoadError(f"the worker of {self._name}", worker_error(frame))
            # It ends by itself, unless a thread that its imports have started keeps it from that.
            self._happened(Event.LOAD_FAILED)
            self._clock.stop()
            self._ladder()

    def on_broken(self, error: Exception) -> None:
        """Kill the worker, whose bytes make no sense: what they would have said is lost with it."""
        if self._state in (State.SPAWNING, State.STARTING, State.READY):
            self._why = error
            if self._host is not None:
                self._clock.look(self._host.progress())
                self._charge = self._clock.charge(error)
            self._happened(Event.BROKEN)
            self._clock.stop()
        elif self._stack.under_way:
            return  # it is about to be killed, for another reason
        if isinstance(error, ProtocolError):
            self._counters.protocol_errors[error.reason] += 1
        self._kill("protocol")

    # -- deadlines

    def _overdue(self, missed: float) -> None:
        """Kill the worker for a deadline that has come, unless it has answered meanwhile."""
        clock, host = self._clock, self._host
        if host is not None:
            # It may have answered while the scheduler was busy elsewhere: what is in the pipe counts.
            host.read()
            if clock.moved_since(missed) or self._state is State.KILLING:
                return
            if self._state is State.READY and clock.goes_on(host):
                return
        clock.stop()
        if self._state is State.READY:
            why = self._why = clock.overdue_error()
            self._charge = clock.charge(why)
            reason = "load_timeout"
            if isinstance(why, BatchTimeout):
                self._record.timeouts += 1
                reason = "timeout"
        elif self._state is State.STARTING:
            self._why, reason = StartTimeout(self._spec.start_timeout), "start_timeout"
        else:
            return
        self._happened(Event.OVERDUE)
        self._stack.ask(host, lambda: self._kill_now(host, reason))

    def _kill_now(self, host: WorkerHost | None, reason: str) -> None:
        if host is self._host and not self._killed:
            self._kill(reason)

    def _kill(self, reason: str) -> None:
        """End the worker, unless that is done; the host then reports its death."""
        if self._host is not None:
            if not self._killed:
                self._killed = True
                self._counters.kills[reason] += 1
            self._host.kill()

    # -- death

    def _died(self, death: Death) -> None:
        if death.host is not self._host:
            return
        self._host = None
        self._clock.stop()
        if self._why is not None:
            self._stack.add_to(self._why)
        if self._state is State.STOPPING:
            self._pool.tell(WorkerGone(self._index, [], self._why or self._crash(death), True))
            self.exit(self._stop_reason or Shutdown())
            return
        if self._state is State.RETIRING:
            self._happened(Event.REPLACED)
            self._new_worker()
            return
        from_outside = death.signal == SIGKILL and not self._killed
        if not self._was_ready:
            error = self._why or self._crash(death, from_outside)
            if isinstance(error, StartTimeout) and death.stderr_tail:
                error.add_note(f"the worker's last words on stderr:\n{death.stderr_tail}")
            self._happened(Event.ENDED)
            self._pool.tell(WorkerUnstartable(self._index, error))
            self._ended(WorkerEnd(started=False, from_outside=from_outside))
            self.exit(Crashed(error))
            return
        error = self._why or self._crash(death, from_outside)
        if self._why is None:
            self._clock.look(death.progress)
            self._charge = self._clock.charge(error)
        # A timeout says nothing against the worker's health, only against the batch; nor does unwanted work.
        # Everything else is counted.
        planned = isinstance(error, (BatchTimeout, LoadError, WorkerUnwanted))
        load = self._requests.loading
        blamed = error
        if self._why is None and not from_outside and load is not None:
            blamed = LoadError(str(load.target), error)  # the import has ended it, and no batch of that function
        at_work = self._requests.head is not None
        if planned and not isinstance(error, WorkerUnwanted):
            self._log_kill(error)
        ended: list[tuple[Job, Outcome]]
        if (from_outside and load is not None) or self._is_only_this_worker(blamed):
            ended = self._requests.spare_load(blamed, self._charge)
        else:
            ended = self._requests.died(blamed, self._charge)
        self._pool.tell(WorkerGone(self._index, ended, error, planned))
        if planned:
            self._happened(Event.REPLACED)
            self._new_worker()
        else:
            self._happened(Event.ENDED)
            lived = self.scheduler.now() - self._ready_at
            self._ended(WorkerEnd(at_work=at_work, answered=self._answered, from_outside=from_outside, lived=lived))
            self.exit(Crashed(error))

    def _log_kill(self, error: Exception) -> None:
        """Log that a worker was killed at a deadline: with `skip` nothing else says so while the run goes on."""
        if _logger.isEnabledFor(logging.WARNING):
            text = "worker %s[%d] was killed and is replaced: %s"
            self.scheduler.background.submit(
                _logger.warning, text, self._name, self._index, str(error).partition("\n")[0]
            )

    def _is_only_this_worker(self, error: Exception) -> bool:
        """Whether a load that took too long, or ended its worker, says something of this worker, not of the function.

        Of the function only if the worker before it failed in the same way, and no other worker has it. Until then its
        batches go to another worker; that is no attempt of theirs, as they never began.
        """
        load = self._requests.loading
        if load is None or not isinstance(error, LoadError):
            return False
        target = load.target
        target.stuck += 1
        if target.stuck < STUCK_LOADS or any(other.has_loaded(target) for other in self._link.executors.values()):
            return True
        target.stuck = 0  # the next run tries it again
        return False

    def has_loaded(self, target: Target) -> bool:
        """Whether the worker serves and has loaded this function."""
        return self._state is State.READY and self._requests.has_loaded(target)

    def _ended(self, how: WorkerEnd) -> None:
        """Say how the worker ended, for the restart budget: this Executor is about to exit because of it."""
        restarts = self._link.restarts
        if restarts is not None:
            # The results of the items before the one at fault are lost, yet they show that the worker could live.
            restarts.completed_items(self._charge.index or 0)
            restarts.ended(self._index, how)

    def _crash(self, death: Death, from_outside: bool = False) -> WorkerCrashed:
        """Return the error for a death; of a SIGKILL that was not ours it says whether the memory limit sent it."""
        by_memory_limit = from_outside and self._link.oom_kills.explain(self._oom_kills, self.scheduler.now())
        error = WorkerCrashed(death.exit_code, death.signal, death.stderr_tail, memory_limit=by_memory_limit)
        if death.exit_code == TORN and not death.stderr_tail:
            error.add_note("its code has closed descriptors that are not its own (os.closerange?), even its stderr")
        elif death.exit_code == 0 and not self._was_ready:
            error.add_note(_NOT_AN_INTERPRETER)
        return error

    # -- stop

    def on_shutdown(self, reason: ExitReason) -> None:
        """Send a stop frame, and signals later; SIGKILL at once where the pool gives up, as its batches are lost."""
        if self._state is State.STOPPING:
            return
        self._stop_reason = reason
        before = self._state
        self._happened(Event.SHUTDOWN)
        self._clock.stop()
        host = self._host
        if host is None:
            self.exit(reason)
            return
        if isinstance(reason, Shutdown) and isinstance(reason.term, RestartBudgetExceeded):
            self._kill("budget")
        elif before in (State.SPAWNING, State.KILLING):
            self._kill("shutdown")
        else:
            host.send([pack_header(STOP, 0)])
            host.flush()
            self._ladder()

    def _ladder(self) -> None:
        """For a worker that is to end by itself: SIGTERM and SIGCONT at half of `shutdown`, SIGKILL at its end."""
        patience = self._spec.shutdown
        self.call_later(patience / 2, self._push, self._host, False)
        self.call_later(patience, self._push, self._host, True)

    def _push(self, host: WorkerHost, hard: bool) -> None:
        if host is not self._host:
            return
        if hard:
            self._kill("shutdown")
        else:
            host.terminate()

    def on_exit(self, reason: ExitReason) -> None:
        """Abandon the worker: whatever ended this Executor, its worker does not outlive it."""
        self._happened(Event.ENDED)
        if self._host is not None:
            if not self._killed:
                self._counters.kills["abandoned"] += 1
            self._host.abandon()

    def statistics(self) -> ExecutorStatistics:
        """Return what it is doing now."""
        return ExecutorStatistics(
            state=self._state.value,
            pid=self._host.pid if self._host is not None else None,
            in_pipe=len(self._requests.jobs()),
            done=self._record.done,
            timeouts=self._record.timeouts,
            workers=self._record.workers,
        )


def executed(ended: tuple[Job, Outcome]) -> bool:
    """Whether the worker has executed a batch that has come back, and not cancelled it."""
    outcome = ended[1]
    return type(outcome) is not Frame or outcome.kind != CANCELLED


def _forget_frames(sessions: Sequence[str]) -> list[bytes]:
    frames = []
    for session in sessions:
        body = encode(session)
        frames.append(pack_header(FORGET, 0, body_len=len(body)) + body)
    return frames
