"""A ChunkStream: the chunks of one payload, for ``async for`` and for ``for``."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import partial
from queue import SimpleQueue
from threading import get_ident
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from slither_actors.errors import StreamClosed
from slither_actors.loops import warn_in_loop
from slither_actors.runs.chunks.messages import ReaderMessage
from slither_actors.runs.chunks.reader import ChunkReader
from slither_actors.runs.flow.pacing import LOOP_SECONDS

# Imported on first use, see `dispatch`.
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from slither_actors.runs.output.asyncio_inbox import AsyncioInbox

_END = object()
_BUSY = "another thread or task is waiting for the next chunk of this stream; one at a time reads it"


class ChunkStream(AsyncIterator[Any], Iterator[Any]):
    """The chunks that a function yields for one payload: ``async for`` in an event loop, ``for`` in a thread.

    Nothing is sent before the first chunk is asked for. A loop that is left closes the stream; in a block of ``async
    with`` or ``with`` the end of the block does. So do `aclose` and `close`, the cancellation of a task that waits for
    a chunk, and dropping the stream. Then the function gets GeneratorExit at its yield, and its worker is free. Single
    chunks are had by `anext` and `next`, which do not close it. It is read in one way, by one reader at a time.

    Iterating raises `DispatchError` when it fails before the first chunk, `StreamBroken` after it, with the number of
    chunks delivered, and `StreamClosed` when it was closed.

    Args:
        reader: of the stream.
    """

    def __init__(self, reader: ChunkReader) -> None:
        self._reader = reader
        # Dropping these, even by the garbage collector, closes the stream. What a signal handler raises in code that
        # runs as something is dropped is lost: so `close` ends them, where it can.
        self._chunks = _blocking(reader)
        self._guard = _guarding(reader)
        self._thread = 0  # that reads it
        self._inbox: AsyncioInbox[ReaderMessage] | None = None
        self._loop: AbstractEventLoop | None = None
        self._running_loop: Callable[[], AbstractEventLoop | None] = lambda: None
        self._busy = self._entered = False
        self._turn_began = 0.0

    @property
    def delivered(self) -> int:
        """Chunks that were handed out so far."""
        return self._reader.delivered

    # -- blocking

    def __iter__(self) -> Iterator[Any]:  # noqa: PYI034  # in a `with` block only
        """Read it in this thread. The loop that is left closes it, unless a `with` block is there to do that."""
        # What a signal handler raises while Python drops a generator is lost; in a block nothing is closed by that.
        return self if self._entered else self._until_left()

    def _until_left(self) -> Generator[Any, None, None]:
        refused = False  # it is another reader's
        try:
            while True:
                try:
                    chunk = self._next()
                except RuntimeError:
                    refused = True
                    raise
                if chunk is _END:
                    return
                yield chunk
        finally:
            if not refused:
                self._reader.close()

    def __next__(self) -> Any:
        chunk = self._next()
        if chunk is _END:
            raise StopIteration
        return chunk

    def _next(self) -> Any:
        reader, chunks = self._reader, self._chunks
        self._thread = get_ident()
        try:
            return next(chunks)
        except StopIteration:
            if not reader.over:
                raise StreamClosed("this stream was closed") from None
            return _END
        except ValueError as error:
            if _refused(error):
                raise RuntimeError(_BUSY) from None
            raise

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Want no more of it: the function is closed, and its worker is free. From any thread; never blocks."""
        try:
            self._reader.close()
        finally:
            if self._thread in (0, get_ident()):  # else they are in use, or soon may be
                _end(self._chunks)
                _end(self._guard)

    # -- in an event loop

    def __aiter__(self) -> AsyncIterator[Any]:  # noqa: PYI034
        """Read it in this event loop. The loop that is left closes it, unless an `async with` block does that."""
        return self if self._entered else self._until_aleft()

    async def _until_aleft(self) -> AsyncIterator[Any]:
        refused = False
        try:
            while True:
                try:
                    chunk = await self._take()
                except RuntimeError:
                    refused = True
                    raise
                if chunk is _END:
                    return
                yield chunk
        finally:
            if not refused:
                self._reader.close()

    async def __anext__(self) -> Any:
        chunk = await self._take()
        if chunk is _END:
            raise StopAsyncIteration
        return chunk

    async def _take(self) -> Any:
        if self._busy:
            raise RuntimeError(_BUSY)
        reader = self._reader
        if self._inbox is None:
            reader.claim()
        elif self._running_loop() is not self._loop:
            raise RuntimeError("this stream belongs to another event loop")
        self._busy = True
        try:
            inbox = self._inbox if self._inbox is not None else self._begin()
            if monotonic() - self._turn_began > LOOP_SECONDS:
                await self._others()
            while not reader.ready:
                if reader.over:
                    return _END
                if reader.closed:
                    raise StreamClosed("this stream was closed")
                waits = inbox.empty()
                reader.received(await inbox.get())
                if waits:
                    self._turn_began = monotonic()
            return reader.take()
        except BaseException:
            reader.close()
            raise
        finally:
            self._busy = False

    async def _others(self) -> None:
        """Let other tasks have a turn."""
        from asyncio import sleep

        await sleep(0)
        self._turn_began = monotonic()

    def _begin(self) -> AsyncioInbox[ReaderMessage]:
        from asyncio import get_running_loop

        from slither_actors.runs.output.asyncio_inbox import AsyncioInbox

        self._running_loop = get_running_loop
        loop = get_running_loop()
        # Weakly: what the relay holds must not hold the reader, which is closed by being dropped.
        inbox: AsyncioInbox[ReaderMessage] = AsyncioInbox(loop, partial(_close, weakref.WeakMethod(self._reader.close)))
        self._loop, self._inbox, self._thread = loop, inbox, get_ident()
        next(self._guard)
        self._reader.begin(inbox)
        self._turn_began = monotonic()
        return inbox

    async def __aenter__(self) -> Self:
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def aclose(self) -> None:
        """Close it as `close` does."""
        self.close()


def _blocking(reader: ChunkReader) -> Generator[Any, None, None]:
    """Yield the chunks to the threads that read; all share this, which admits one at a time."""
    warn_in_loop("a stream of chunks", "`async for ...`")
    inbox: SimpleQueue[ReaderMessage] = SimpleQueue()
    reader.claim()
    try:
        reader.begin(inbox)
        while True:
            while reader.ready:
                yield reader.take()
            if reader.over:
                return
            reader.received(inbox.get())
    finally:
        reader.close()


def _guarding(reader: ChunkReader) -> Generator[None, None, None]:
    """Close the stream when this is dropped, once it was begun."""
    try:
        yield
    finally:
        reader.close()


def _end(generator: Generator[Any, None, None]) -> None:
    """Close it, unless it is running: then the caller is in code that it has called."""
    try:
        generator.close()
    except ValueError as error:
        if not _refused(error):
            raise


def _refused(error: ValueError) -> bool:
    """Return whether a generator was executing, and was not resumed: the traceback ends at the caller of this."""
    trace = error.__traceback__
    return trace is not None and trace.tb_next is None


def _close(close: weakref.WeakMethod[Callable[[], None]]) -> None:
    if (still_there := close()) is not None:
        still_there()
