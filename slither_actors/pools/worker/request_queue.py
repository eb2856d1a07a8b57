"""The requests in one worker's pipe, in order, and which of them an answer belongs to. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from slither_actors.errors import LoadError, StartTimeout
from slither_actors.pools.assignment.job import AtItem, Job, next_request_id
from slither_actors.pools.assignment.stream_job import StreamJob
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.shared_memory import Lease
from slither_actors.pools.worker.blame import MOST_SPARED, WHOLE, Charge, Watch
from slither_actors.pools.worker.lateness import timeout_of
from slither_actors.pools.worker.load_request import LoadRequest
from slither_actors.pools.worker_errors import worker_error
from slither_actors.wire.header import (
    CANCELLED,
    CHUNK,
    COMMAND,
    FAILURE,
    FIRST_ATTEMPT,
    FIRST_CALL,
    HEADER,
    KIND_NAMES,
    LOADED,
    MAGIC,
    REPLY,
    SHARED,
    SHARED_SIZE,
    VERSION,
    Frame,
    ProtocolError,
)

if TYPE_CHECKING:
    from slither_actors.pools.assignment.job import Outcome

SMALL = 4096
"""Bytes of a body up to which it is copied behind its header: below that a part of its own costs more."""

_OUTCOMES = frozenset({REPLY, FAILURE})
"""The kinds of frames that answer a batch."""


class RequestQueue:
    """What a worker was asked and has not answered; it answers in order, but for what it was asked to cancel.

    The first request is the one in execution, as far as anyone can know: it has the clock, and it is charged with the
    worker's death. Those behind it have not begun.
    """

    __slots__ = ("_cancels", "_failed_loads", "_loaded", "_queue", "chunks")

    def __init__(self) -> None:
        self.chunks: list[tuple[StreamJob, Frame]] = []
        """Those that have come, to be taken from here; what answers their stream comes later."""
        self._queue: deque[Job | LoadRequest] = deque()
        self._loaded: set[int] = set()
        self._failed_loads: dict[int, LoadError] = {}
        self._cancels: set[int] = set()  # ids of requests that the worker was asked to cancel

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def head(self) -> Job | LoadRequest | None:
        """The first request, None while the worker has none."""
        return self._queue[0] if self._queue else None

    @property
    def loading(self) -> LoadRequest | None:
        """The load that is in execution, None while there is none."""
        head = self.head
        return head if isinstance(head, LoadRequest) else None

    def jobs(self) -> list[Job]:
        """Return the batches among them, in order."""
        return [entry for entry in self._queue if isinstance(entry, Job)]

    def put(self, jobs: Iterable[Job]) -> list[Any]:
        """Add batches, and before the first one of a function that is new to the worker a load of it.

        Returns:
            The parts of the frames to be sent, one after the other. Payloads that are not small are not copied.
        """
        queue, loaded, pack, next_id = self._queue, self._loaded, FIRST_CALL.pack, next_request_id
        parts: list[Any] = []
        last: Target | None = None
        kind, lead = COMMAND, FIRST_ATTEMPT[COMMAND]
        for job in jobs:
            target, side, body, buffers = job.target, job.side, job.body, job.buffers
            if target is not last:
                last = target
                kind = COMMAND if target is None else target.kind
                lead = FIRST_ATTEMPT[kind]
                if target is not None and target.module is not None and target.id not in loaded:
                    loaded.add(target.id)
                    load = LoadRequest(target)
                    queue.append(load)
                    parts.append(load.frame())
            request_id = job.request_id = next_id()
            length = len(body)
            queue.append(job)
            if length < SMALL and not buffers and job.attempt == 1:  # nearly always
                parts.append(pack(lead, request_id, len(side), length, job.count) + side + body)
                continue
            flags = beside = 0
            behind: Sequence[Any] = ()
            if type(buffers) is Lease:
                flags, beside, behind = SHARED, buffers.size, (buffers.offset.to_bytes(SHARED_SIZE, "little"),)
            elif buffers:
                beside, behind = sum(map(len, buffers)), buffers
            head = HEADER.pack(
                MAGIC, VERSION, kind, flags, job.attempt, request_id, len(side), length, beside, job.count, 0, 0
            )
            parts += (head + side, body, *behind)
        return parts

    def cancel(self, job: Job) -> bool:
        """Note that the worker is asked to cancel a batch: only then may it say that it has.

        Returns:
            False if there is nothing to ask: the batch is not in the pipe, or it is first and may have begun, and is
            not executed item by item.
        """
        queue = self._queue
        if queue and job is queue[0] and not (job.target is not None and job.target.each):
            return False
        return self._ask_to_cancel(job)

    def unwanted(self) -> bool:
        """Return whether nothing that is in execution is wanted any more, and its runs want it killed."""
        return self._queue[0].unwanted() if self._queue else False

    def _ask_to_cancel(self, job: Job) -> bool:
        queue = self._queue
        if job not in queue:
            return False
        if len(self._cancels) > len(queue):  # most of them came too late, and were answered
            self._cancels &= {entry.request_id for entry in queue}
        self._cancels.add(job.request_id)
        return True

    def replies(self, frames: list[Frame]) -> list[Job]:
        """Return the batches that these frames answer, from the first frame on up to one that is no plain reply.

        Each batch gets its `reply`. What stops this is left to `answer`: a failure, items that failed alone, a load, a
        cancelled request, an answer to another request than the next one.
        """
        queue = self._queue
        done: list[Job] = []
        if self._failed_loads:
            return done
        for frame, head in zip(frames, queue, strict=False):
            if head.request_id != frame.request_id or frame.kind != REPLY or frame.failed or type(head) is LoadRequest:
                break
            head.reply = frame
            done.append(head)
        for _ in done:
            queue.popleft()
        return done

    def answer(self, frames: Iterable[Frame]) -> tuple[list[tuple[Job, Outcome]], ProtocolError | None]:
        """Return the batches that these frames answer, each with its outcome, up to the first that cannot be.

        Returns:
            Them, and what is wrong with the frame after them: it answers something that was not next in line, so that
            nothing that comes after it can be trusted either.
        """
        ended: list[tuple[Job, Outcome]] = []
        try:
            for frame in frames:
                self._answered(frame, ended)
        except ProtocolError as error:
            return ended, error
        return ended, None

    def _answered(self, frame: Frame, ended: list[tuple[Job, Outcome]]) -> None:
        if frame.kind == CANCELLED:
            ended.append((self._cancelled(frame), frame))
            return
        if frame.kind == CHUNK:
            self._chunk(frame)
            return
        head = self._asked(frame)
        if isinstance(head, LoadRequest):
            self._load_answered(head, frame)
        elif frame.kind not in _OUTCOMES:
            raise ProtocolError("unexpected", f"a {KIND_NAMES[frame.kind]} frame in answer to a batch")
        elif self._failed_loads and head.target is not None and head.target.id in self._failed_loads:
            # The worker complains of an unknown function; why it is unknown says more.
            ended.append((head, self._failed_loads[head.target.id]))
        else:
            ended.append((head, frame))
        self._queue.remove(head)

    def _asked(self, frame: Frame) -> Job | LoadRequest:
        """Return the request that a frame answers.

        Raises:
            ProtocolError: it answers one that was not next in line.
        """
        queue = self._queue
        if not queue or frame.request_id != queue[0].request_id:
            raise ProtocolError("unasked", f"an answer to request {frame.request_id}, which was not next in line")
        return queue[0]

    def _chunk(self, frame: Frame) -> None:
        head = self.head
        if type(head) is not StreamJob or head.request_id != frame.request_id:
            raise ProtocolError("unasked", f"a chunk of request {frame.request_id}, which is no stream in execution")
        if not head.window.open:
            raise ProtocolError("unasked", f"a chunk of request {frame.request_id} for which there was no credit")
        head.window.sent(frame.size)
        head.arrived += 1
        head.spared = MOST_SPARED  # never again as the same attempt: its reader has a part of it
        self.chunks.append((head, frame))

    def _load_answered(self, load: LoadRequest, frame: Frame) -> None:
        target = load.target
        target.stuck = 0
        if frame.kind == FAILURE:
            self._failed_loads[target.id] = LoadError(str(target), worker_error(frame))
            self._loaded.discard(target.id)  # so that a later run tries again: the file may have been corrected
        elif frame.kind == LOADED:
            self._failed_loads.pop(target.id, None)
        else:
            raise ProtocolError("unexpected", f"a frame of kind {frame.kind} in answer to a load")

    def _cancelled(self, frame: Frame) -> Job:
        """Remove the batch that the worker has cancelled.

        It has no outcome and no deadline from here on, so only one may go that its run does not want any more.
        """
        if frame.request_id in self._cancels:
            self._cancels.discard(frame.request_id)
            for entry in self._queue:
                if entry.request_id == frame.request_id and isinstance(entry, Job):
                    self._queue.remove(entry)
                    entry.cancelled = True
                    return entry
        raise ProtocolError("unasked", f"request {frame.request_id} is cancelled, and that was not asked for")

    def overdue(self, start_timeout: float, watch: Watch, now: float) -> Exception:
        """Why the worker is killed, now that the first request has had its time.

        Args:
            start_timeout: seconds that a load had.
            watch: where the worker is in a batch.
            now: by the clock of `Job.began`.
        """
        head = self._queue[0]
        if isinstance(head, Job):
            return timeout_of(head, watch, now)
        return LoadError(str(head.target), StartTimeout(start_timeout))

    def clear(self) -> None:
        """Clear the queue of a worker that ends: nothing in its pipe will be begun, nothing that it loaded is left."""
        self._queue.clear()
        self._loaded.clear()
        self._failed_loads.clear()
        self._cancels.clear()

    def has_loaded(self, target: Target) -> bool:
        """Whether the worker has this function, as far as it has said."""
        waiting = any(type(entry) is LoadRequest and entry.target is target for entry in self._queue)
        return target.id in self._loaded and not waiting

    def spare_load(self, error: Exception, charge: Charge) -> list[tuple[Job, Outcome]]:
        """Clear the queue of a worker that ended in a load, which says nothing of the function. As `died` otherwise."""
        self.clear()
        return []

    def died(self, error: Exception, charge: Charge = WHOLE) -> list[tuple[Job, Outcome]]:
        """Clear the queue of a dead worker. Returns what that ends; what is not named is to be redelivered as it is.

        Args:
            error: why it died.
            charge: what that costs the first batch, if it had begun.

        Returns:
            The first batch, with the error. After a death in a load, the first batch of that function, or that would go
            on without end; where the load itself failed, all batches of it. Those of other functions never began.
        """
        first = self.head
        jobs = self.jobs()
        self.clear()
        if isinstance(first, LoadRequest):
            ended: list[tuple[Job, Outcome]] = [(job, error) for job in jobs if job.target is first.target]
            return ended if isinstance(error, LoadError) else ended[:1]
        if not jobs:
            return []
        head = jobs[0]
        if charge.spared:
            head.spared += 1
            return []
        return [(head, error if charge.index is None else AtItem(charge.index, error))]
