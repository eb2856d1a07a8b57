"""The Producer of an asynchronous source: a task of the consumer's event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from slither_actors.runs.flow.pacing import SOURCE_ITEMS
from slither_actors.runs.input.buffers import BufferGuard
from slither_actors.runs.messages import CloseRun, ProducerMessage, RoleEnded, SourceEnded, Wake
from slither_actors.runs.output.asyncio_inbox import call_soon
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import ProducerStatistics
from supervisors import Down, LightActor, Monitor, Ref


class AsyncProducer:
    """Pulls an asynchronous source as far as there is credit.

    Runs in: a task of the loop that is running when this is made. Owns: the asynchronous iterator, which it closes with
        ``aclose()`` if it made it itself.
    If it dies: its run fails with the cause once what it had pulled is delivered.

    Args:
        run: whose source it is.
        items: the source.
        buffer: where items are put down, each before the next is asked for; the Batcher takes them from there.
    """

    def __init__(self, run: Run, items: Any, buffer: deque[Any]) -> None:
        self._of_run: Run | None = run
        self._id = run.id
        self._items = items
        self._credit = run.credit
        self._guard = BufferGuard()
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pulling = False
        self.ended = False
        self.waiting = False
        run.producer = self

    # -- as an actor: it receives messages from any thread

    @property
    def inbox_ref(self) -> Ref[ProducerMessage]:
        """Where messages for it go: here."""
        return self

    def tell(self, message: ProducerMessage) -> None:
        """Send a message. From any thread; never blocks, never raises."""
        try:
            call_soon(self._loop, self._serve, message)
        except RuntimeError:  # the loop is closed, and this with it
            self._end()

    def is_alive(self) -> bool:
        """Return whether it may pull more."""
        return not self.ended

    def statistics(self) -> ProducerStatistics:
        """Return what it is doing now. From any thread."""
        return ProducerStatistics(self._credit.pulled, max(0, self._credit.room()), self.waiting)

    def wake(self) -> None:
        """Report that there is more credit. Sends a message only if it waits for that."""
        if self.waiting:
            self.waiting = False
            self.tell(Wake())

    def monitored_by(self, watcher: LightActor | Callable[[Down], object]) -> Monitor | None:
        """Return None: it reports its end itself, whatever ends its task."""
        return None

    def stuck_in(self) -> int | None:
        """Return None: it has no thread."""
        return None

    # -- in the loop

    def _serve(self, message: ProducerMessage) -> None:
        if type(message) is CloseRun:
            if self._task is None:
                self._end()
            elif self._pulling:  # once only: the second one would hit what closes the source
                self._pulling = False
                self._task.cancel()
        elif self._task is None and not self.ended:
            self._pulling = True
            self._task = self._loop.create_task(self._work(), name=f"slither-source-{self._id}")
            self._task.add_done_callback(self._done)
        else:
            self._more.set()

    async def finished(self, seconds: float) -> None:
        """Wait until the source is closed, `seconds` at most; outside of its own loop there is nothing to wait for."""
        task = self._task
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return
        if here and task is not None and not task.done():
            await asyncio.wait([task], timeout=seconds)

    async def _work(self) -> None:
        error: BaseException | None = None
        iterator: AsyncIterator[Any] | None = None
        items = self._items
        try:
            iterator = aiter(items)
            await self._pull(iterator)
        except GeneratorExit:  # the loop is gone: nothing may be awaited any more
            self._end(asyncio.CancelledError())
            raise
        except BaseException as failure:  # CancelledError too: the source's own, or that of a loop that shuts down
            error = failure
        self._end(error)
        interrupt = error if isinstance(error, KeyboardInterrupt) else None
        error = None  # its traceback holds this frame, and with it the source
        if iterator is not None and iterator is not items:
            await self._close(iterator)
        if interrupt is not None:
            raise interrupt  # the person at the terminal: the run knows, and so must the loop

    async def _pull(self, iterator: AsyncIterator[Any]) -> None:
        run, put, guard = self._of_run, self._buffer.append, self._guard
        if run is None:  # ended before the first step
            return
        credit, ending, batcher = run.credit, run.ending, run.batcher
        assert batcher is not None  # made before the Producer
        count = 0
        while not ending.closed:
            if run.room() <= 0:
                self.waiting = True  # before the last look, so that no credit comes unseen
                if run.room() <= 0:
                    if run.budget is not None:
                        batcher.inbox_ref.tell(Wake())  # what all wait for may be inside the strategy
                    await self._more.wait()
                    self._more.clear()
                self.waiting = False
                continue
            try:
                entry = await anext(iterator)
            except StopAsyncIteration:
                return
            if type(entry) not in guard.untouched:
                entry = guard.owned(entry)
            credit.pulled += 1
            put(entry)
            if batcher.idle:
                batcher.idle = False
                batcher.inbox_ref.tell(Wake())
            count += 1
            if count % SOURCE_ITEMS == 0:
                await asyncio.sleep(0)

    async def _close(self, iterator: Any) -> None:
        close = getattr(iterator, "aclose", None)
        if close is None:
            return
        try:
            await close()
        except Exception as error:
            # Without the "task": a loop would call its handler in the context of that one, in which we are already.
            self._loop.call_exception_handler({"message": "closing the source of a run failed", "exception": error})

    def _done(self, task: asyncio.Task[None]) -> None:
        # Cancelled before its first step, it had no chance to say anything.
        self._end(asyncio.CancelledError())

    def _end(self, error: BaseException | None = None) -> None:
        """Nothing is pulled any more; said once."""
        # Taken out in one step: where the loop is closed, who tells us something does this in a thread of its own.
        run: Run | None = vars(self).pop("_of_run", None)
        if run is None:
            return
        self._pulling = False
        self._items = None
        if not run.ending.closed:
            run.source_done = True
            assert run.batcher is not None
            run.batcher.inbox_ref.tell(SourceEnded(error))
        self.ended = True
        if run.ending.cut_short == "close":
            self._buffer.clear()
        run.inbox.put(RoleEnded())
