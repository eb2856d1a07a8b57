"""The Batcher as an actor with a thread of its own, for lazy sources."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from slither_actors.runs.input.batcher import Batcher, name_entries
from slither_actors.runs.input.run_thread_actor import RunThreadActor
from slither_actors.runs.messages import AskRoute, CloseRun, RebuildBatch, RunFailed, SourceEnded, Split, Wake
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import BatcherStatistics
from supervisors import ExitReason


class BatcherActor(RunThreadActor):
    """The Batcher of a run with a lazy source.

    Runs in: a thread of its own, as strategies, route functions and weights are user code. Owns: what the strategy
        holds.
    If it dies: its run fails with the cause, and nothing else notices.
    """

    def __init__(self, run: Run, make: Callable[[Run], Batcher], buffer: deque[Any]) -> None:
        super().__init__(run)
        self._make = make
        self._buffer = buffer
        self._batcher: Batcher | None = None
        self.idle = True
        self._leftover: list[Any] = []
        self._fed = 0  # items that the role was fed: the position of the first in the buffer
        run.batcher = self

    def on_start(self) -> object:  # type: ignore[override]  # as DaemonActor has it
        """Make the role here, so that what belongs to one thread is made in it."""
        super().on_start()
        self._batcher = self._make(self._run)
        return None

    def statistics(self) -> BatcherStatistics:
        """What it holds now. From any thread."""
        batcher = self._batcher
        return batcher.statistics() if batcher is not None else BatcherStatistics(0, 0, 0)

    def receive_timeout(self) -> float | None:
        """Seconds until `linger` is over for what the strategy holds."""
        until = self._batcher.lingers_until() if self._batcher is not None else None
        return None if until is None else max(0.0, until - time.monotonic())

    def on_timeout(self) -> None:
        """`linger` is over."""
        self._guard(lambda batcher: batcher.on_linger())

    def on_receive(self, message: Any) -> None:
        """Serve the Producer, the consumer and the Collector."""
        self._guard(lambda batcher: self._handle(batcher, message))

    def _handle(self, batcher: Batcher, message: Any) -> None:
        self._drain(batcher)
        kind = type(message)
        if kind is Wake:
            batcher.look()
        elif kind is SourceEnded:
            batcher.finish(message)
        elif kind in (Split, RebuildBatch, AskRoute):
            batcher.rebuild(message)
        elif kind is CloseRun:
            self.stop()
        elif message is not None:
            super().on_receive(message)

    def _drain(self, batcher: Batcher) -> None:
        """Take what the Producer has put down. `idle` is set before the last look, so that no item waits unseen."""
        buffer = self._buffer
        while True:
            while buffer and not self._run.closed:
                try:
                    entries = [buffer.popleft() for _ in range(len(buffer))]
                except IndexError:  # it was closed, and the Producer has dropped them
                    return
                batcher.feed(entries)
                if self._run.budget is not None:
                    self._run.producer.wake()  # it may have waited for these to be looked at
            self.idle = True
            if not buffer or self._run.closed:
                return
            self.idle = False

    def _guard(self, work: Callable[[Batcher], None]) -> None:
        """User code of any kind may raise anything: it ends this run with the cause, and nothing else."""
        if self._run.closed or self._batcher is None:
            self.stop()
            return
        try:
            work(self._batcher)
        except BaseException as error:
            self._run.collector.tell(RunFailed(error))
            self.stop()

    def on_exit(self, reason: ExitReason) -> None:
        """Name what never became a batch, for the error that the consumer may be about to raise."""
        run, batcher = self._run, self._batcher
        if batcher is not None:
            self._fed = run.batched + batcher.inside
            with contextlib.suppress(BaseException):  # a strategy that failed once may fail again
                self._leftover.extend(batcher.held_ids())
            batcher.close()
        self._batcher = None  # and the strategy, with what it holds
        if run.cut_short == "close":
            self._buffer.clear()
        super().on_exit(reason)

    def leftover(self) -> list[Any]:
        """The ids of what was pulled and never became a batch; all of them once Producer and Batcher have ended."""
        left = self._leftover + name_entries(list(self._buffer), self._fed)
        self._buffer.clear()
        return left
