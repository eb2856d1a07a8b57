"""What tests of asyncio share."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Self

import pytest


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait, without blocking the loop, until the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"did not come true within {seconds} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(0.005)


class AsyncSource:
    """An asynchronous iterable that counts, and says when the generator that was made of it is closed.

    Args:
        items: what it gives.
        waits: whether it lets the loop go on before each item, as a source that reads from somewhere does.
    """

    def __init__(self, items: Iterable[Any], *, waits: bool = False) -> None:
        self.items = items
        self.waits = waits
        self.pulled = self.delivered = self.most = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            for item in self.items:
                if self.waits:
                    await asyncio.sleep(0)
                self.pulled += 1
                self.most = max(self.most, self.pulled - self.delivered)
                yield item
        finally:
            self.closed = True


class Heart:
    """Beats while its block runs, once each time that the loop goes round: others have their turn when it has.

    A context manager for a running loop.
    """

    def __init__(self) -> None:
        self.beats = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _beat(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(0)
