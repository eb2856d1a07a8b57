"""The input of a run whose source is in memory: the consumer plays Producer and Batcher between two results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.messages import BatchRequest, RunFailed, SourceEnded
from slither_actors.runs.run import Run
from supervisors.runtime.interrupts import raised_by_handler


class MemoryInput:
    """Pulls, batches and encodes in the consumer's thread, which saves the hops between threads.

    Args:
        run: not started.
        items: a source that is in memory.
        make_batcher: makes the Batcher.
        at_a_time: items that are pulled in one step.
    """

    def __init__(self, run: Run, items: Iterable[Any], make_batcher: Callable[[Run], Batcher], at_a_time: int) -> None:
        self._run = run
        self._source: Iterator[Any] | None = iter(items)
        self._batcher = make_batcher(run)
        self._at_a_time = at_a_time

    def start(self) -> None:
        """Do nothing: `refill` is the start."""

    def refill(self) -> bool:
        """Use the credit that there is, as far as one step goes. Returns whether there is more to do."""
        return not self._run.ending.closed and self._guarded(self._feed)

    def serve(self, request: BatchRequest | None) -> None:
        """Do what the Collector asks of the Batcher; None: there is room for bytes again."""
        if request is None:
            self._guarded(self._feed)
        else:
            self._guarded(lambda: self._batcher.rebuild(request))

    def ended(self) -> bool:
        """Return True: what it leaves behind stays as it is, as no other thread works on it."""
        return True

    def leftover(self) -> list[Any]:
        """Return the ids of what was pulled and is in no batch."""
        try:
            return self._batcher.held_ids()
        except Exception as error:  # the strategy's own failure may be what ended the run
            if raised_by_handler(error):
                raise
            return []

    def close(self) -> None:
        """Make no more batches."""
        self._batcher.close()

    def _guarded(self, work: Callable[[], bool | None]) -> bool:
        """Call user code in strategies and routes, which may raise anything: it ends this run with the cause."""
        try:
            return bool(work())
        except BaseException as error:
            if raised_by_handler(error):
                raise  # Ctrl-C or a time limit: this is the thread where it belongs
            self._source = None
            self._run.source_done = True
            self._run.collector.tell(RunFailed(error))
        return False

    def _feed(self) -> bool:
        """Pull and hand over as much as one step may take. Returns whether there is credit for more."""
        run, batcher = self._run, self._batcher
        credit, source = run.credit, self._source
        room = credit.room()
        if source is None or run.source_done or room <= 0:
            batcher.look()
            return False
        want = min(room, max(self._at_a_time, credit.part()))
        entries: list[Any] = []
        error: BaseException | None = None
        try:
            entries.extend(islice(source, want))
        except Exception as failure:  # changed during iteration, say; what came before it is kept
            if raised_by_handler(failure):
                raise
            error = failure
        credit.pulled += len(entries)
        if len(entries) < want:
            self._source = None
            run.source_done = True
        batcher.feed(entries)
        if self._source is None:
            batcher.finish(SourceEnded(error))
        elif credit.room() > 0:
            return True
        else:
            batcher.look()
        return False
