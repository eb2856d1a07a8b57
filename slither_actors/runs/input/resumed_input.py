"""The input of a run whose one batch was executed already, as a request, and needs more than to be handed out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slither_actors.pools.assignment.job import Outcome, RunQueue
from slither_actors.runs.batch import Batch
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.memory_input import MemoryInput
from slither_actors.runs.run import Run


class Resumed:
    """Stands for the source of such a run.

    Args:
        request: the batch as it was executed.
        outcome: how that ended.
    """

    __slots__ = ("outcome", "request")

    def __init__(self, request: Batch, outcome: Outcome) -> None:
        self.request = request
        self.outcome = outcome

    def enter(self, run: Run, run_queue: RunQueue) -> Batch:
        """Make the batch one of this run, and return it."""
        request = self.request
        batch = Batch(
            run_queue,
            run.next_ref(),
            request.count,
            request.target,
            request.side,
            request.body,
            request.buffers,
            request.attempt,
            avoid=request.avoid,
            queued=request.queued,
            began=request.began,
            took=request.took,
            worker=request.worker,
            closed_by=request.closed_by,
            spared=request.spared,
            positions=request.positions,
            entries=request.entries,
            bare=request.bare,
            encoded=request.encoded,
        )
        run.undelivered[batch.ref] = batch
        return batch


class ResumedInput(MemoryInput):
    """Rebuilds the batch if that is asked for; there is nothing to pull.

    Args:
        run: not started.
        resumed: its batch.
        make_batcher: makes the Batcher.
    """

    def __init__(self, run: Run, resumed: Resumed, make_batcher: Callable[[Run], Batcher]) -> None:
        super().__init__(run, (), make_batcher, 1)
        self._source = None
        run.credit.pulled = resumed.request.count
        run.source_done = True
        self._batcher.adopt(resumed.request.count)

    def leftover(self) -> list[Any]:
        """Return nothing: all items are in the batch."""
        return []
