"""Executing several batches at a time in one worker: on its event loop, or on threads.

The main thread runs the event loop. It reads requests, begins them in their order as soon as one of the places is free,
and executes loads; batches of `async def` functions are its tasks. Those of plain functions are executed by threads,
one a place. So the host knows which requests have begun: the first ones without an answer, as many as there are places.
A batch of which it says so is executed beside no other.
"""

from __future__ import annotations

import threading
from contextvars import copy_context
from queue import SimpleQueue

from slither_actors.wire.codec import encode
from slither_actors.wire.frames import (
    ALONE,
    CALL,
    CANCEL,
    CANCELLED,
    COMMAND,
    FORGET,
    FREED,
    KIND_NAMES,
    LOAD,
    RETIRE,
    STOP,
    LostFrame,
    ProtocolError,
)

from .channel import StopError
from .concurrent_execution import PlaceExecution
from .cursor import separate
from .event_loop import event_loop
from .shared_channel import SharedChannel
from .state import sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future, Task
    from collections import deque
    from collections.abc import Callable
    from typing import Final

    from slither_actors.wire.frames import Frame

    from .channel import Channel
    from .concurrent_execution import Awaited
    from .cursor import Cursor
    from .execution import Execution
    from .limits import Limits

    Done = Callable[["Place", BaseException | None], None]

_BATCHES: Final = frozenset({CALL, COMMAND})
_IN_TURN: Final = _BATCHES | {LOAD, FORGET}


class Place:
    """Where one batch at a time is executed.

    Args:
        worker: has the functions and the commands.
        channel: of the worker.
        at: its cursor.
        done: called in the event loop when a batch has ended, with this and the error that ends the worker, None as a
            rule.
    """

    def __init__(self, worker: Execution, channel: SharedChannel, at: Cursor, done: Done) -> None:
        self._execution = PlaceExecution(worker, channel, self._between, at)
        self._channel = channel
        self._done = done
        self._loop = event_loop.get()
        self._frames: SimpleQueue[Frame] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._task: Task[None] | None = None  # or it could be collected while it runs
        self.request_id = 0
        """Of the request in execution."""
        self.cancelled = False
        """Whether the host wants no more of it."""
        self.stopped = False
        """Whether it wants no more of anything."""

    def begin(self, frame: Frame) -> None:
        """Begin a batch, in the event loop.

        Raises:
            RuntimeError: the system gives no thread.
        """
        self.request_id = frame.request_id
        self.cancelled = False
        function = self._execution.awaited(frame)
        if function is not None:
            self._task = self._loop.create_task(self._await(frame, function))
            return
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name="slither_batches", daemon=True)
            thread.start()
            self._thread = thread
        self._frames.put(frame)

    async def _await(self, frame: Frame, function: Awaited) -> None:
        error: BaseException | None = None
        try:
            await self._execution.execute_awaited(frame, function)
        except BaseException as raised:  # an exit must not leave by the loop
            self._channel.end_in_fork()
            error = raised
        self._done(self, error)

    def _serve(self) -> None:
        while True:
            frame = self._frames.get()
            error: BaseException | None = None
            try:
                copy_context().run(self._execution.execute, frame)
            except BaseException as raised:  # an exit is that of the worker, and not of this thread
                self._channel.end_in_fork()
                error = raised
            del frame  # or its memory would count
            try:
                self._loop.call_soon_threadsafe(self._done, self, error)
            except RuntimeError:  # the worker has ended meanwhile
                return

    def _between(self, request_id: int) -> bool:
        if self.stopped:
            raise StopError
        return self.cancelled


class ConcurrentLoop:
    """Executes several batches at a time.

    Args:
        channel: to the host.
        queue: requests that have come and are not begun.
        worker: executes loads and the like; has the functions and the commands.
        concurrency: batches at a time.
        limits: when the worker is to be replaced; None: never.
    """

    def __init__(
        self, channel: Channel, queue: deque[Frame], worker: Execution, concurrency: int, limits: Limits | None
    ) -> None:
        self._channel = channel
        self._shared = SharedChannel(channel)
        self._queue = queue
        self._worker = worker
        self._limits = limits
        worker.answer_by(self._shared)
        sessions.separate()
        self._free = [Place(worker, self._shared, cursor, self._freed) for cursor in separate(concurrency)]
        self._busy: dict[Place, None] = {}
        self._alone: set[int] = set()  # requests that are to be executed beside no other
        self._exclusive = False  # such a one is
        self._closing = False  # nothing more is begun
        self._stopped = False
        self._loop = event_loop.get()
        self._ended: Future[None] = self._loop.create_future()
        self._why: BaseException | None = None  # it ends

    def run(self) -> None:
        """Serve until the limits say that it is enough, and what was in execution then has ended.

        Raises:
            StopError: the host has stopped the worker, and what was in execution has ended.
            HostGoneError: the host is gone.
            ProtocolError: the host sent what is no request.
        """
        fd = self._channel.request_fd
        self._loop.add_reader(fd, self._readable)
        self._loop.call_soon(self._begin)
        try:
            self._loop.run_until_complete(self._ended)
        finally:
            self._loop.remove_reader(fd)
        if self._why is not None:
            raise self._why

    def _end(self, why: BaseException | None) -> None:
        """End, whatever is in execution."""
        self._closing = True
        if not self._ended.done():
            self._why = why
            self._ended.set_result(None)

    def _readable(self) -> None:
        try:
            for frame in self._channel.read_ready():
                self._sort(frame)
        except BaseException as error:
            self._end(error)
        self._begin()

    def _sort(self, frame: Frame) -> None:
        kind = frame.kind
        if kind in _IN_TURN:
            self._queue.append(frame)
        elif kind == CANCEL:
            self._cancel(frame.request_id)
        elif kind == ALONE:
            self._alone.add(frame.request_id)
        elif kind == FREED:
            self._shared.freed(frame)
        elif kind == STOP:
            self._stop()
        else:
            raise ProtocolError("state", f"a {KIND_NAMES[kind]} frame came to a worker that is ready")

    def _begin(self) -> None:
        """Begin what has come, in its order, as far as there are places."""
        queue = self._queue
        try:
            while queue and self._free and not self._closing and not self._exclusive:
                if queue[0].request_id in self._alone and self._busy:
                    return
                frame = queue.popleft()
                if frame.kind not in _BATCHES or type(frame) is LostFrame:
                    self._worker.execute(frame)
                else:
                    self._execute(frame)
        except BaseException as error:
            self._end(error)

    def _execute(self, frame: Frame) -> None:
        place = self._free.pop()
        try:
            place.begin(frame)
        except RuntimeError as error:  # the system gives no thread
            self._free.append(place)
            self._worker.fail(frame, "user", error)
            return
        self._busy[place] = None
        self._exclusive = frame.request_id in self._alone
        if self._limits is not None and (reason := self._limits.counted()) is not None:
            self._retire(reason)

    def _freed(self, place: Place, error: BaseException | None) -> None:
        """Take note that a batch has ended."""
        del self._busy[place]
        self._exclusive = False
        self._alone.discard(place.request_id)
        self._free.append(place)
        if error is not None and not isinstance(error, StopError):
            self._end(error)
            return
        if not self._closing and self._limits is not None and (reason := self._limits.outgrown()) is not None:
            self._retire(reason)
        elif self._closing and not self._busy:
            self._end(StopError() if self._stopped else None)
        elif self._channel.look:
            self._readable()  # a cancel that has come is honoured up to the moment in which a batch begins
        else:
            self._begin()

    def _retire(self, reason: str) -> None:
        """Begin nothing more: what is left in the queue and in the pipe is the host's to give to another worker."""
        self._closing = True
        self._queue.clear()
        awaited = [place.request_id for place in self._busy]
        self._shared.write(RETIRE, 0, encode(reason), side=encode(awaited) if awaited else b"")
        if not self._busy:
            self._end(None)

    def _stop(self) -> None:
        """Begin nothing more; what is executed item by item ends at the next item, everything else runs out."""
        self._closing = self._stopped = True
        self._queue.clear()
        for place in self._busy:
            place.stopped = True
        if not self._busy:
            self._end(StopError())

    def _cancel(self, request_id: int) -> None:
        for place in self._busy:
            if place.request_id == request_id:
                place.cancelled = True  # looked at between two items; a batch that is executed as a whole runs out
                return
        for index, frame in enumerate(self._queue):
            if frame.request_id == request_id:
                del self._queue[index]
                self._alone.discard(request_id)
                self._shared.write(CANCELLED, request_id, attempt=frame.attempt)
                return
