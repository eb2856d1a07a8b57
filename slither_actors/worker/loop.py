"""The loop of a worker process: one thread that takes requests in their order, executes them and writes the replies."""

from __future__ import annotations

import os
import sys
from collections import deque

from slither_actors.wire import msgpack_settings
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import (
    CALL,
    CANCEL,
    CANCELLED,
    COMMAND,
    CREDIT,
    FORGET,
    FREED,
    HELLO,
    KIND_NAMES,
    LOAD,
    READY,
    RETIRE,
    STOP,
    STREAM,
    ProtocolError,
)
from slither_actors.wire.log_lines import LEVELS
from slither_actors.wire.messages import Hello, Ready

from .adapter import Adapter, commands_of
from .channel import Channel, HostGoneError, StopError
from .cursor import cursor
from .event_loop import event_loop, plain
from .execution import Execution, resolve
from .guard import close_in_forks, guard
from .limits import Limits, limit_memory
from .log_records import watch
from .state import enter_worker, sessions, set_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

    from slither_actors.wire.frames import Frame

    from .chunks import Stream

_BATCHES: Final = frozenset({CALL, COMMAND, STREAM})
_IN_TURN: Final = _BATCHES | {LOAD, FORGET}


class Loop:
    """A worker. Owns the queue of requests that have come and are not begun, and the adapter."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._queue: deque[Frame] = deque()
        self._execution = Execution(channel, self._between_items, self._between_chunks)
        self._executing = 0  # of a request that is executed item by item, while what comes meanwhile is looked at
        self._stream: Stream | None = None  # in execution, while what comes meanwhile is looked at
        self._adapter: Adapter | None = None
        self._limits: Limits | None = None
        self._concurrency = 1

    def run(self) -> int:
        """Serve until the host stops the worker or is gone. The exit code of the process."""
        try:
            if not self._start():
                return 1
            if self._concurrency == 1:
                self._serve()
            else:
                self._serve_several()
        except (HostGoneError, StopError):
            pass
        return self._terminate()

    def _serve(self) -> None:
        """Execute what comes, until the limits say that it is enough."""
        queue, channel, execute = self._queue, self._channel, self._execution.execute
        limits = self._limits
        while True:
            if queue:
                # A cancel that has come is honoured up to the moment in which the batch begins.
                if channel.look and (frames := channel.read_ready()):
                    self._sort(frames)
                    if not queue:
                        continue
            else:
                self._sort(channel.read())
                if not queue:
                    continue
            frame = queue.popleft()
            execute(frame)
            if limits is None or frame.kind not in _BATCHES:
                continue
            del frame  # or its memory would count
            reason = limits.after_batch()
            if reason is not None:
                # What is left in the queue and in the pipe is the host's to give to another worker.
                channel.write(RETIRE, 0, encode(reason))
                return

    def _serve_several(self) -> None:
        """Execute several batches at a time, until the limits say that it is enough."""
        from .concurrent_loop import ConcurrentLoop

        ConcurrentLoop(self._channel, self._queue, self._execution, self._concurrency, self._limits).run()

    def _sort(self, frames: list[Frame]) -> None:
        """Queue what takes its turn, do the rest now."""
        for frame in frames:
            kind = frame.kind
            if kind in _IN_TURN:
                self._queue.append(frame)
            elif kind == CANCEL:
                self._cancel(frame.request_id)
            elif kind == FREED:
                self._channel.freed(frame)
            elif kind == STOP:
                raise StopError
            elif kind == CREDIT:
                if self._stream is not None:  # else it is of a stream that has ended
                    self._stream.credit(frame)
            else:
                raise ProtocolError("state", f"a {KIND_NAMES[kind]} frame came to a worker that is ready")

    def _between_items(self, request_id: int) -> bool:
        """Serve the host in the middle of a batch that is executed item by item. Whether that batch is cancelled.

        Raises:
            StopError: the host wants the worker to end, which leaves the rest of the batch undone.
        """
        if not (frames := self._channel.read_ready()):
            return False
        self._executing = request_id
        self._sort(frames)
        cancelled = self._executing == 0
        self._executing = 0
        return cancelled

    def _between_chunks(self, stream: Stream, wait: bool) -> None:
        """Serve the host between two chunks of a stream; wait for its next frames if it is to.

        Raises:
            StopError, HostGoneError: there is nothing to be done any more.
        """
        frames = self._channel.read() if wait else self._channel.read_ready()
        if frames:
            self._stream = stream
            try:
                self._sort(frames)
            finally:
                self._stream = None

    def _cancel(self, request_id: int) -> None:
        if request_id == self._executing:
            self._executing = 0
            return
        if self._stream is not None and request_id == self._stream.request_id:
            self._stream.cancelled = True
            return
        for index, frame in enumerate(self._queue):
            if frame.request_id == request_id:
                del self._queue[index]
                self._channel.write(CANCELLED, request_id, attempt=frame.attempt)
                return

    def _start(self) -> bool:
        """Become what the hello frame says. False if that failed; the host has received why."""
        channel = self._channel
        frames: list[Frame] = []
        while not frames:
            frames = channel.read()
        frame = frames.pop(0)
        if frame.kind != HELLO:
            raise ProtocolError("state", f"the first frame is a {KIND_NAMES[frame.kind]}, not a hello")
        hello = Hello.from_body(frame.body)
        try:
            commands = self._become(hello)
        except BaseException as error:
            if isinstance(error, MemoryError) and hello.memory_limit is not None:
                text = f"memory_limit, {hello.memory_limit} bytes, is not enough to get ready"
                error = MemoryError(text).with_traceback(error.__traceback__)
            self._execution.fail(frame, "start", error)
            return False
        version = ".".join(map(str, sys.version_info[:3]))
        ready = Ready(os.getpid(), version, msgpack_settings.VERSION, commands)
        channel.write(READY, frame.request_id, ready.to_body())
        self._sort(frames)
        return True

    def _become(self, hello: Hello) -> list[str]:
        self._channel.max_frame = hello.max_frame
        self._execution.most(hello.max_frame)
        if hello.memory_limit is not None:
            limit_memory(hello.memory_limit)
        if hello.max_batches is not None or hello.max_rss is not None:
            self._limits = Limits(hello.max_batches, hello.max_rss)
        self._concurrency = hello.concurrency
        sys.argv = [hello.name]
        set_place(hello.name, hello.index)
        sys.path[:] = hello.path + [entry for entry in sys.path if hello.keep_path and entry not in hello.path]
        for name in hello.preload:
            __import__(name)
        if hello.adapter is None:
            return []
        module, _, name = hello.adapter.partition(":")
        cls = resolve(module, name)
        if not (isinstance(cls, type) and issubclass(cls, Adapter)):
            raise TypeError(f"{hello.adapter} is no subclass of slither_actors.worker.Adapter")
        commands = commands_of(cls)
        adapter = cls()
        plain(adapter.init)(**hello.init)
        self._adapter = adapter
        self._execution.commands = {command: plain(getattr(adapter, method)) for command, method in commands.items()}
        return list(commands)

    def _terminate(self) -> int:
        sessions.begin(None)
        try:
            if self._adapter is not None:
                plain(self._adapter.terminate)()
            event_loop.close()
        except SystemExit:
            raise
        except BaseException:
            sys.excepthook(*sys.exc_info())
            return 1
        return 0


def main(request_fd: int, reply_fd: int, lifeline_fd: int, host_pid: int, *memory: int) -> NoReturn:
    """Be a worker until the host has no more use for one. Ends the process."""
    request_fd, reply_fd, lifeline_fd, *moved = guard(request_fd, reply_fd, lifeline_fd, host_pid, *memory)
    close_in_forks(request_fd, reply_fd, lifeline_fd, *moved)
    enter_worker()
    arenas = moved if len(moved) == 2 else []
    if moved:
        cursor.use(moved[-1])
    watch(os.environ.pop(LEVELS, ""))
    # What runs in a worker is to find no trace of how it was started; the frames below still use the old module.
    bootstrap = sys.modules["__main__"]
    sys.modules["__main__"] = type(sys)("__main__")
    try:
        code = Loop(Channel(request_fd, reply_fd, *arenas)).run()
    except BaseException:
        _crash(*sys.exc_info())
    del bootstrap
    sys.exit(code)


def _crash(cls: Any, error: Any, trace: Any) -> NoReturn:
    """Say what happened and be gone, at once: exit hooks and threads of the user's could keep a broken worker alive."""
    try:
        sys.__excepthook__(cls, error, trace)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        code = getattr(error, "code", 1) if issubclass(cls, SystemExit) else 1
        os._exit(code & 0xFF if isinstance(code, int) else 0 if code is None else 1)
