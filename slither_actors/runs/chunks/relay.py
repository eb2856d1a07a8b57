"""The relay of a stream: the actor between its worker and its reader."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, assert_never

from msgspec import Struct

from slither_actors.chunk_options import ChunkOptions
from slither_actors.errors import DeadlineExceeded, QueueTimeout, ReaderTimeout, SystemStopped
from slither_actors.policies import Policy
from slither_actors.pools.assignment.job import AtItem, Outcome, Outcomes, Replies, RunQueue
from slither_actors.pools.assignment.stream_job import Chunks, Credit, StreamJob
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.events import tell_exception, tell_stop
from slither_actors.pools.messages import CloseQueue, QueueMessage, Submit
from slither_actors.pools.shared_memory import Lease
from slither_actors.pools.worker.deadline import Deadline
from slither_actors.pools.worker_errors import worker_error
from slither_actors.runs.chunks.messages import (
    ChunkFrames,
    CloseStream,
    ReaderInbox,
    ReaderLink,
    RelayMessage,
    StreamEnd,
    Taken,
)
from slither_actors.runs.error_policy import decide
from slither_actors.wire.chunk_window import ChunkWindow
from slither_actors.wire.header import FAILURE, Frame
from supervisors import Crashed, Down, ExitReason, LightActor, Monitor, Normal, Ref, monitor


class StreamRequest(Struct, frozen=True):
    """What a worker is asked.

    Args:
        target: what it calls.
        side: of the frame.
        body: of the frame.
        buffers: beside the body, or where they are in shared memory.
    """

    target: Target
    side: bytes
    body: bytes
    buffers: Sequence[Any] | Lease


class RelayStatistics(Struct, frozen=True):
    """What a relay holds.

    Args:
        chunks: that have come from the worker.
        ahead: of these, those whose reader has not returned credit for them.
        attempt: which execution this is, from 1.
    """

    chunks: int
    ahead: int
    attempt: int


class ChunkRelay(LightActor):
    """Hands the chunks of one stream to its reader and the reader's credit to the worker; attempts it again.

    Runs in: the scheduler's thread. Owns: the stream's job. If it dies: its stream fails with the cause; the reader is
    notified from here, however the stream ends.

    Args:
        request: for the worker.
        run_queue: of the stream, in the pool.
        pool: that executes it.
        pool_error: from the reason for which `pool` ended to the error of the stream.
        policy: what becomes of an attempt that fails before its first chunk.
        bounds: how far the worker may be ahead, and for how long it waits for the reader.
        inbox: of the reader.
        link: to the reader; it has our reference from here on.
        generated_session: no other run has the session id, so its stores may go with the stream.
        ended: called at the end, with whether the System's stop cut the stream off.
        limit: seconds that the stream has, and when they are over; None: it has no `deadline`.
    """

    def __init__(
        self,
        request: StreamRequest,
        run_queue: RunQueue,
        pool: Ref[QueueMessage],
        pool_error: Callable[[ExitReason], BaseException],
        policy: Policy,
        bounds: ChunkOptions,
        inbox: ReaderInbox,
        link: ReaderLink,
        generated_session: bool,
        ended: Callable[[bool], None],
        limit: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self._limit = limit
        self._run_queue = run_queue
        self._pool = pool
        self._pool_error = pool_error
        self._policy = policy
        self._bounds = bounds
        self._to_reader = inbox
        self._link = link
        self._generated_session = generated_session
        self._when_ended = ended
        self._worker: Ref[Credit] | None = None
        self._idle = Deadline(self, self._reader_idle)
        self._monitor: Monitor | None = None
        self._finished = False
        self._job = StreamJob(
            run_queue,
            1,
            1,
            request.target,
            request.side,
            request.body,
            request.buffers,
            receiver=self.actor_ref,
            window=self._window(),
        )
        run_queue.collector = self.actor_ref
        link.relay = self.actor_ref

    def _window(self) -> ChunkWindow:
        return ChunkWindow(self._bounds.max_ahead, self._bounds.max_ahead_bytes)

    def on_start(self) -> None:
        """Submit the job, and monitor the pool, so that the reader never waits for one that has ended."""
        self._monitor = monitor(self._pool, self)
        if self._limit is not None:
            self.call_later(max(0.0, self._limit[1] - self.scheduler.now()), self._overdue, self._limit[0])
        self._pool.tell(Submit(self._run_queue, [self._job]))

    def on_receive(self, message: RelayMessage) -> None:
        """Serve the worker, the pool and the reader."""
        if self._finished:
            return
        if isinstance(message, Chunks):
            self._chunks(message)
        elif isinstance(message, Taken):
            if self._worker is not None:
                self._worker.tell(Credit(self._job, message.count))
        elif isinstance(message, Replies):
            self._done()
        elif isinstance(message, Outcomes):
            for _, outcome in message.ended:
                self._outcome(outcome)
        elif isinstance(message, CloseStream):
            self._let_go()
        elif isinstance(message, Down):
            self._conclude(self._pool_error(message.reason))
        else:
            assert_never(message)

    def _chunks(self, message: Chunks) -> None:
        self._worker = message.worker
        self._to_reader.put(ChunkFrames(message.frames))
        timeout = self._bounds.reader_timeout
        if timeout is not None and not self._job.window.open:
            self._idle.set(self.scheduler.now() + timeout, timeout)

    def _reader_idle(self, deadline: float) -> None:
        """Give the reader up, if the worker has waited for it all the time and it took no chunk."""
        timeout = self._bounds.reader_timeout
        if self._finished or timeout is None or self._job.window.open:
            self._idle.at = None
            return
        last = self._link.taken_at + timeout
        if last > deadline:
            self._idle.set(last, timeout)
            return
        self._conclude(ReaderTimeout(timeout))

    # -- how it ends

    def _outcome(self, outcome: Outcome) -> None:
        if isinstance(outcome, Frame):
            self._job.took = outcome.took
            if outcome.kind != FAILURE:
                self._done()
            else:
                self._failed(worker_error(outcome))
        elif isinstance(outcome, AtItem):
            self._failed(outcome.error)
        elif isinstance(outcome, Exception):
            self._failed(outcome)

    def _done(self) -> None:
        tell_stop(self.scheduler, self._job)
        self._conclude(None)

    def _failed(self, error: Exception) -> None:
        """Attempt it again if the policy says so, unless the reader has a part of it."""
        job = self._job
        decision = decide(self._policy, error, job.attempt, 1)
        retry = decision.retry if not job.arrived else None
        tell_exception(self.scheduler, job, error, "halt" if retry is None else decision.verdict.value, 1)
        if retry is None:
            self._conclude(error)
        else:
            # One that no worker had time for waits in line again.
            front = not isinstance(error, QueueTimeout)
            self.call_later(retry.delay(job.attempt, random.random), self._again, front)

    def _again(self, front: bool) -> None:
        if not self._finished:
            job = self._job
            job.attempt += 1
            job.took = job.spared = 0
            job.window = self._window()
            self._pool.tell(Submit(self._run_queue, [job], front=front))

    def _overdue(self, seconds: float) -> None:
        """End the stream at its deadline."""
        if not self._finished:
            place = "at its worker" if self._run_queue.in_pipes else "waiting for a worker, or for its next attempt"
            self._conclude(DeadlineExceeded(seconds, place), overdue=True)

    def _conclude(self, error: BaseException | None, *, overdue: bool = False) -> None:
        self._to_reader.put(StreamEnd(error))
        self._let_go(overdue=overdue)

    def _let_go(self, *, overdue: bool = False) -> None:
        """Have the pool drop or cancel the job, if it still has it. The reader was notified, or has closed it."""
        self._finished = True
        self._idle.at = None
        self._pool.tell(CloseQueue(self._run_queue, self._generated_session, overdue))
        self.exit(Normal())

    def on_exit(self, reason: ExitReason) -> None:
        """Notify the reader, if that has not been done."""
        cut_off = False
        if not self._finished:
            cut_off = not isinstance(reason, Crashed)
            stopped = SystemStopped("the System was stopped during this stream")
            self._conclude(reason.exception if isinstance(reason, Crashed) else stopped)
        if self._monitor is not None:
            self._monitor.cancel()
        self._when_ended(cut_off)

    def statistics(self) -> RelayStatistics:
        """Return what it holds now. Scheduler's thread only."""
        job = self._job
        return RelayStatistics(chunks=job.arrived, ahead=job.window.ahead, attempt=job.attempt)
