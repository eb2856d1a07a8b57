"""A batcher as one writes it by hand over a pool of processes: one batch a turn of the loop.

It has no bound, no deadline and no order of service; an error fails the whole batch, and the death of a worker
the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

Waiting = tuple[Any, "asyncio.Future[Any]"]


class ByHand:
    """Made in a running loop. Calls `function` in `executor` with up to `rows` of what came in one turn of the loop."""

    def __init__(self, executor: Executor, function: Callable[[list[Any]], list[Any]], rows: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._executor, self._function, self._rows = executor, function, rows
        self._waiting: list[Waiting] = []

    def call(self, payload: Any) -> asyncio.Future[Any]:
        """A future of its result."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        future = self._loop.create_future()
        self._waiting.append((payload, future))
        return future

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), self._rows):
            batch = waiting[start : start + self._rows]
            sent = self._loop.run_in_executor(self._executor, self._function, [payload for payload, _ in batch])
            sent.add_done_callback(partial(self._answer, batch))

    def _answer(self, batch: list[Waiting], sent: asyncio.Future[list[Any]]) -> None:
        error = None if sent.cancelled() else sent.exception()
        for at, (_, future) in enumerate(batch):
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(sent.result()[at])
