"""The Executor of a worker that executes several batches at a time."""

from __future__ import annotations

from slither_actors.errors import WorkerRecycled
from slither_actors.pools.assignment.job import Cancel, Send
from slither_actors.pools.messages import WorkerDone, WorkerGone
from slither_actors.pools.worker.concurrent_queue import ConcurrentQueue
from slither_actors.pools.worker.executor import Executor, executed
from slither_actors.pools.worker.head_clock import HeadClock
from slither_actors.pools.worker.lifecycle import State
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.pools.worker.slot_clocks import SlotClocks
from slither_actors.wire import messages as wire
from slither_actors.wire.header import RETIRE, Frame, ProtocolError


class ConcurrentExecutor(Executor):
    """Drives a worker with `PoolSpec(concurrency=...)`: its answers come in any order, each batch has a clock.

    At a limit (`max_batches`, `max_rss`) such a worker says at once that it begins nothing more: what waits in its pipe
    goes to the others, and it ends when the batches in execution are answered.
    """

    _retiring: str | None = None
    _kills = False  # once others have answered, what is still in execution may be unwanted as a whole

    def _make_queue(self) -> tuple[RequestQueue, HeadClock]:
        requests = self._in_pipe = ConcurrentQueue(self._spec.concurrency)
        return requests, SlotClocks(self, requests, self._spec.start_timeout, self._overdue)

    def _new_worker(self) -> None:
        self._retiring = None
        self._kills = False
        super()._new_worker()

    def _send(self, message: Send) -> None:
        if self._retiring is not None:
            return  # sent before the Pool heard of it; it redelivers these, too
        super()._send(message)
        if self._state is State.READY:
            self._clock.restart(self.scheduler.now())

    def on_frames(self, frames: list[Frame]) -> None:
        """Match what the worker says with what it was asked."""
        if self._state is not State.READY:
            self._handshake(frames)
            return
        for number, frame in enumerate(frames):
            if frame.kind == RETIRE:
                self._answers(frames[:number])
                self._retires(frame)
                frames = frames[number + 1 :]
                break
        self._answers(frames)
        if self._retiring is not None and not self._in_pipe:
            self._retire(self._retiring)
        elif self._kills:
            self._kill_unwanted()

    def _cancel(self, message: Cancel) -> None:
        self._kills = self._kills or message.kill
        super()._cancel(message)

    def _answers(self, frames: list[Frame]) -> None:
        if not frames:
            return
        ended, wrong = self._in_pipe.answer(frames)
        now = self.scheduler.now()
        if ended:
            # What one of them took. A cancelled batch was not executed: it is no progress for the restart budget.
            seconds = sum(now - job.began for job, _ in ended if job.began) / len(ended)
            self._answered = True
            self._record.done += sum(map(executed, ended))
            self._pool.tell(WorkerDone(self._index, ended, seconds))
        self._clock.restart(now)
        if wrong is not None:
            raise wrong

    def _retires(self, frame: Frame) -> None:
        """Give back what the worker has not begun, and wait for the rest."""
        self._retiring = wire.retire_reason(frame)
        kept = self._in_pipe.close(wire.retire_awaits(frame))
        if kept:
            self._clock.restart(self.scheduler.now())
            error = WorkerRecycled(self._retiring)
            self._pool.tell(WorkerGone(self._index, [], error, True, kept))
        elif not self._answered:
            raise ProtocolError("unexpected", f"a worker retires ({self._retiring}) that has executed nothing")
