"""The Batcher as an actor with a thread of its own, for lazy sources."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any, assert_never

from slither_actors.runs.input.batcher import Batcher, name_entries
from slither_actors.runs.input.run_thread_actor import RunThreadActor
from slither_actors.runs.messages import (
    AskRoute,
    BatcherMessage,
    CloseRun,
    RebuildBatch,
    RunFailed,
    SourceEnded,
    Split,
    Wake,
)
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import BatcherStatistics
from supervisors import ExitReason, Ref


class BatcherActor(RunThreadActor):
    """The Batcher of a run with a lazy source.

    Runs in: a thread of its own, as strategies, route functions and weights are user code. Owns: what the strategy
    holds. If it dies: its run fails with the cause; other runs go on.
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

    @property
    def inbox_ref(self) -> Ref[BatcherMessage]:
        """Where messages for it go."""
        return self.actor_ref

    def on_start(self) -> object:  # type: ignore[override]  # as DaemonActor has it
        """Make the role here, so that what belongs to one thread is made in it."""
        super().on_start()
        self._batcher = self._make(self._run)
        return None

    def statistics(self) -> BatcherStatistics:
        """Return what it holds now. From any thread."""
        batcher = self._batcher
        return batcher.statistics() if batcher is not None else BatcherStatistics(0, 0, 0)

    def receive_timeout(self) -> float | None:
        """Return the seconds until `linger` is over for what the strategy holds."""
        until = self._batcher.lingers_until() if self._batcher is not None else None
        return None if until is None else max(0.0, until - time.monotonic())

    def on_timeout(self) -> None:
        """Release what has waited for `linger`."""
        self._guard(lambda batcher: batcher.on_linger())

    def on_receive(self, message: BatcherMessage) -> None:
        """Serve the Producer, the consumer and the Collector."""
        self._guard(lambda batcher: self._handle(batcher, message))

    def _handle(self, batcher: Batcher, message: BatcherMessage) -> None:
        self._drain(batcher)
        match message:
            case Wake():
                batcher.look()
            case SourceEnded():
                batcher.finish(message)
            case Split() | RebuildBatch() | AskRoute():
                batcher.rebuild(message)
            case CloseRun():
                self.stop()
            case _:
                assert_never(message)

    def _drain(self, batcher: Batcher) -> None:
        """Take what the Producer has put down. `idle` is set before the last look, so that no item waits unseen."""
        run, buffer = self._run, self._buffer
        while True:
            while buffer and not run.ending.closed:
                try:
                    entries = [buffer.popleft() for _ in range(len(buffer))]
                except IndexError:  # it was closed, and the Producer has dropped them
                    return
                batcher.feed(entries)
                if run.budget is not None and run.producer is not None:
                    run.producer.wake()  # it may have waited for these to be fed
            self.idle = True
            if not buffer or run.ending.closed:
                return
            self.idle = False

    def _guard(self, work: Callable[[Batcher], None]) -> None:
        """Call user code, which may raise anything: that ends this run with the cause, and nothing else."""
        run = self._run
        if run.ending.closed or self._batcher is None:
            self.stop()
            return
        try:
            work(self._batcher)
        except BaseException as error:
            run.collector.tell(RunFailed(error))
            self.stop()

    def on_exit(self, reason: ExitReason) -> None:
        """Name what never became a batch, for the error that the consumer may be about to raise."""
        run, batcher = self._run, self._batcher
        if batcher is not None:
            self._fed = run.ledger.batched + batcher.inside
            with contextlib.suppress(BaseException):  # a strategy that failed once may fail again
                self._leftover.extend(batcher.held_ids())
            batcher.close()
        self._batcher = None  # and the strategy, with what it holds
        if run.ending.cut_short == "close":
            self._buffer.clear()
        super().on_exit(reason)

    def leftover(self) -> list[Any]:
        """Return the ids of what was pulled and never became a batch, once Producer and Batcher have ended."""
        left = self._leftover + name_entries(list(self._buffer), self._fed)
        self._buffer.clear()
        return left
