"""The floor for requests: an asyncio loop that drives workers' pipes with msgpack, one request a frame or batches.

No timeout, no errors, no bound, no supervision. What one turn of the loop brings is one write a worker; up to 16 single
requests, or two batches, are at a worker at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from .raw_floor import Pipe
from .raw_pipe import framed, packer, unpack
from .workloads import Task

AHEAD = 16
BATCHES_AHEAD = 2

Waiting = tuple[Any, "asyncio.Future[Any]"]


class Floor:
    """Workers and the running loop that drives them. Made in that loop.

    Args:
        task: what is done. A request is a call of `one` if `batches` is false; else up to `batch` of those that wait
            are a call of `function`.
        workers: how many.
    """

    def __init__(self, task: Task, workers: int, *, batches: bool) -> None:
        self._rows = task.batch if batches else 1
        self._ahead = BATCHES_AHEAD if batches else AHEAD
        self._batches = batches
        self._loop = asyncio.get_running_loop()
        self._pack = packer()
        self._waiting: deque[Waiting] = deque()
        self._scheduled = False
        function = task.function if batches else task.one
        self._pipes = [Pipe(function) for _ in range(workers)]
        self._asked: dict[Pipe, deque[list[Waiting]]] = {pipe: deque() for pipe in self._pipes}
        for pipe in self._pipes:
            self._loop.add_reader(pipe.replies, self._read, pipe)

    def call(self, payload: Any) -> asyncio.Future[Any]:
        """A future of its result."""
        future = self._loop.create_future()
        self._waiting.append((payload, future))
        self._pump_soon()
        return future

    def close(self) -> None:
        """End the workers."""
        for pipe in self._pipes:
            self._loop.remove_reader(pipe.replies)
            pipe.close()

    def _pump_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._scheduled = False
        bodies: dict[Pipe, list[bytes]] = {}
        while self._waiting:
            pipe = min(self._pipes, key=lambda pipe: len(self._asked[pipe]))
            asked = self._asked[pipe]
            if len(asked) >= self._ahead:
                break
            batch = [self._waiting.popleft() for _ in range(min(self._rows, len(self._waiting)))]
            asked.append(batch)
            body = [payload for payload, _ in batch] if self._batches else batch[0][0]
            bodies.setdefault(pipe, []).append(self._pack(body))
        for pipe, packed in bodies.items():
            pipe.unwritten += framed(packed)
            pipe.write()
            if pipe.unwritten:
                raise BufferError("the requests of the floor are to be smaller than a pipe")

    def _read(self, pipe: Pipe) -> None:
        asked = self._asked[pipe]

        def use(body: memoryview) -> None:
            results = unpack(body)
            for (_, future), result in zip(asked.popleft(), results if self._batches else [results], strict=True):
                if not future.done():
                    future.set_result(result)

        if not pipe.frames.read(use):
            raise EOFError("a worker of the floor has ended")
        if self._waiting:
            self._pump_soon()
