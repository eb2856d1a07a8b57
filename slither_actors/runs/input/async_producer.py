"""The Producer of an asynchronous source: a task of the consumer's event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from slither_actors.runs.input.buffers import BufferGuard
from slither_actors.runs.messages import CloseRun, RoleEnded, SourceEnded, Wake
from slither_actors.runs.output.asyncio_inbox import call_soon
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import ProducerStatistics
from supervisors import LightActor, Monitor

TURN = 64
"""Items after which other tasks get their turn, also when the source never waits for anything."""


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

    thread = None

    def __init__(self, run: Run, items: Any, buffer: deque[Any]) -> None:
        self._run = run
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

    # -- as an actor: it is told things, from any thread

    @property
    def actor_ref(self) -> AsyncProducer:
        """Where messages for it go: here."""
        return self

    def tell(self, message: Any) -> None:
        """Send a message. From any thread; never blocks, never raises."""
        try:
            call_soon(self._loop, self._serve, message)
        except RuntimeError:  # the loop is closed, and this with it
            self._end()

    def statistics(self) -> ProducerStatistics:
        """What it is doing now. From any thread."""
        return ProducerStatistics(self._credit.pulled, max(0, self._credit.room()), self.waiting)

    def wake(self) -> None:
        """There is more credit. Costs a message only if the Producer has run out of it."""
        if self.waiting:
            self.waiting = False
            self.tell(Wake())

    def monitored_by(self, watcher: LightActor) -> Monitor | None:
        """Nobody needs to watch it: whatever ends its task, the task says so itself."""
        return None

    def busy(self) -> bool:
        """Whether a thread of ours is stuck in it; it has none."""
        return False

    # -- in the loop

    def _serve(self, message: Any) -> None:
        if type(message) is CloseRun:
            if self._task is None:
                self._end()
            elif self._pulling:  # once only: the second one would hit what closes the source
                self._pulling = False
                self._task.cancel()
        elif self._task is None and not self.ended:
            self._pulling = True
            self._task = self._loop.create_task(self._work(), name=f"slither-source-{self._run.id}")
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
        run, put, batcher = self._run, self._buffer.append, self._run.batcher
        credit, guard = run.credit, self._guard
        count = 0
        while not run.over():
            if run.room() <= 0:
                self.waiting = True  # before the last look, so that no credit comes unseen
                if run.room() <= 0:
                    if run.budget is not None:
                        batcher.actor_ref.tell(Wake())  # what all wait for may be inside the strategy
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
                batcher.actor_ref.tell(Wake())
            count += 1
            if count % TURN == 0:
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
        run: Run | None = vars(self).pop("_run", None)
        if run is None:
            return
        self._pulling = False
        self._items = None
        if not run.over():
            run.source_done = True
            run.batcher.actor_ref.tell(SourceEnded(error))
        self.ended = True
        if run.cut_short == "close":
            self._buffer.clear()
        run.inbox.put(RoleEnded())
