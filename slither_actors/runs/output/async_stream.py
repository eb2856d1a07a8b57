"""An AsyncStream: the results of a run, one after the other, for ``async for``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Self

from slither_actors.errors import StreamClosed
from slither_actors.item import Item
from slither_actors.runs.output.asyncio_driver import AsyncioDriver
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.statistics import RunStatistics


class AsyncStream(AsyncIterator[Item]):
    """An asynchronous iterator over results.

    It is closed by ``async with``, by `aclose`, by being dropped, by the end of its event loop, and when a task is
    cancelled that waits for the next result. Nothing is pulled from the source before the first result is asked for.
    One task iterates, in one loop. Iterating raises `DispatchError` when the run fails and `StreamClosed` after
    `aclose`.

    Args:
        consumer: of the run, or what opens it, for where a System has to be started first.
    """

    def __init__(self, consumer: Consumer | Callable[[], Awaitable[Consumer]]) -> None:
        self._pieces: AsyncioDriver | None = None
        self._open: Callable[[], Awaitable[Consumer]] | None = None
        if isinstance(consumer, Consumer):
            self._pieces = AsyncioDriver(consumer)
        else:
            self._open = consumer
        self._closed = False
        self._unread: Iterator[Item] = iter(())
        self._guard: AsyncGenerator[None, None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        for item in self._unread:
            return item
        while True:
            piece = await self._next_piece()
            if piece is None:
                self._end_guard()
                raise StopAsyncIteration
            assert self._pieces is not None
            run = self._pieces.consumer.run
            unread = self._unread = run.reading = iter(piece)
            run.ledger.emitted += len(piece)
            for item in unread:
                return item

    async def _next_piece(self) -> list[Item] | None:
        pieces = self._pieces
        if pieces is None:
            consumer = await self._opened()
            pieces = self._pieces = AsyncioDriver(consumer)
        if self._guard is None:
            self._guard = _closed_with_the_loop(pieces.consumer)
            await anext(self._guard)
        return await pieces.next()

    async def _opened(self) -> Consumer:
        if self._closed:
            raise StreamClosed("this stream was closed before it was read")
        opener, self._open = self._open, None
        if opener is None:
            raise RuntimeError("another task is waiting for the next result of this run")
        try:
            consumer = await opener()
        finally:
            self._open = opener
        if self._closed:
            raise StreamClosed("this stream was closed")
        return consumer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the source, drop what was not sent, let what is being executed run out.

        Waits for nothing but an asynchronous source, which is cancelled and closed (two seconds at most). May be called
        while another task iterates, which then gets `StreamClosed`.
        """
        self._closed = True
        self._end_guard()
        if self._pieces is not None:
            run = self._pieces.consumer.run
            run.drop_reading()
            self._unread = run.reading
            await self._pieces.aclose()

    def __del__(self) -> None:
        self._end_guard()

    def _end_guard(self) -> None:
        """Drive the guard to its end here, as it waits for nothing; else the loop would have to do it."""
        guard: Any = getattr(self, "_guard", None)
        if guard is not None:
            with contextlib.suppress(StopIteration, StopAsyncIteration, RuntimeError):
                guard.aclose().send(None)

    def statistics(self) -> RunStatistics:
        """Where the items are now."""
        if self._pieces is None:
            return RunStatistics(*[0] * len(RunStatistics.__struct_fields__))
        return self._pieces.consumer.run.statistics()


async def _closed_with_the_loop(consumer: Consumer) -> AsyncGenerator[None, None]:
    """Stay suspended in an asynchronous generator: a loop closes those when it shuts down, and so the run."""
    try:
        yield
    finally:
        consumer.close()
