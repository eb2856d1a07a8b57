"""The raw loop: one thread that drives workers over pipes with msgpack, and nothing else.

No ordering window, no backpressure, no timeout, no supervision, no errors; what is left is what any pool of this kind
must do. It has as much sent ahead as ours may have, and keeps its replies as bare payloads.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import select
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .contenders import Pool
from .figures import RAW
from .processes import environment, module_command
from .raw_pipe import JOINED, Frames, framed, packer, unpack
from .workloads import Task

PIPE = 1 << 20
AHEAD = 8
"""Batches at a worker at a time."""
F_SETPIPE_SZ = 1031  # Linux


class Pipe:
    """A worker of the raw loop: its process, and what it has been asked."""

    def __init__(self, call: Callable[[Any], Any]) -> None:
        theirs, self.requests = os.pipe()
        self.replies, out = os.pipe()
        for fd in (theirs, out):
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE)
        function = (call.__module__, call.__name__)
        self.process = subprocess.Popen(
            module_command("raw_worker", str(theirs), str(out), *function), pass_fds=(theirs, out), env=environment()
        )
        os.close(theirs)
        os.close(out)
        os.set_blocking(self.requests, False)
        self.frames = Frames(self.replies)
        self.asked: deque[int] = deque()
        self.unwritten: deque[bytes | memoryview] = deque()
        self.watched = False  # whether the loop waits for room in the pipe

    def write(self) -> None:
        """Write as much as the pipe takes."""
        parts = self.unwritten
        with contextlib.suppress(BlockingIOError):
            while parts:
                written = os.writev(self.requests, list(itertools.islice(parts, 64)))
                while parts and written >= len(parts[0]):
                    written -= len(parts.popleft())
                if written:
                    parts[0] = memoryview(parts[0])[written:]

    def close(self) -> None:
        """End the worker."""
        os.close(self.requests)
        self.process.wait()
        os.close(self.replies)


class RawLoop(Pool):
    """Workers and the loop that drives them."""

    name = RAW

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._task: Task | None = None
        self._pipes: list[Pipe] = []

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        """All results, once they have all come: it keeps no order but by their places."""
        if task is not self._task:
            self.stop()
            self._pipes = [Pipe(task.function) for _ in range(self._workers)]
            self._task = task
        return _drive(self._pipes, data, task.batch)

    def stop(self) -> None:
        pipes, self._pipes = self._pipes, []
        for pipe in pipes:
            pipe.close()


def _drive(pipes: list[Pipe], data: Sequence[Any], batch: int) -> list[Any]:
    starts = iter(range(0, len(data), batch))
    replies: dict[int, list[Any]] = {}
    by_fd = {fd: pipe for pipe in pipes for fd in (pipe.requests, pipe.replies)}
    poll = select.poll()
    for pipe in pipes:
        poll.register(pipe.replies, select.POLLIN)
    pack = packer()

    def fill(pipe: Pipe) -> None:
        """Keep the worker in work. What does not fit into the pipe is not packed yet: it would only grow cold."""
        while not pipe.unwritten and len(pipe.asked) < AHEAD:
            bodies: list[bytes] = []
            size = 0
            for start in itertools.islice(starts, AHEAD - len(pipe.asked)):
                pipe.asked.append(start)
                bodies.append(pack(list(data[start : start + batch])))
                size += len(bodies[-1])
                if size > JOINED:
                    break
            if not bodies:
                break
            pipe.unwritten += framed(bodies)
            pipe.write()
        if bool(pipe.unwritten) is not pipe.watched:
            pipe.watched = not pipe.watched
            if pipe.watched:
                poll.register(pipe.requests, select.POLLOUT)
            else:
                poll.unregister(pipe.requests)

    for pipe in pipes:
        fill(pipe)
    while any(pipe.asked for pipe in pipes):
        for fd, _ in poll.poll():
            pipe = by_fd[fd]
            if fd == pipe.requests:
                pipe.write()
                fill(pipe)
                continue
            asked = pipe.asked
            if not pipe.frames.read(lambda body, asked=asked: replies.__setitem__(asked.popleft(), unpack(body))):  # type: ignore[misc]
                raise EOFError("a worker of the raw loop has ended")
            fill(pipe)
    return list(itertools.chain.from_iterable(replies[start] for start in sorted(replies)))
