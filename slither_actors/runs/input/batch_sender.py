"""From batches that the strategy gave to encoded ones at the Collector, as far as the byte budget goes."""

from __future__ import annotations

from collections.abc import Sequence

from slither_actors.runs.batch import Batch
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import AskRoute, BatchesReady, BatchRequest, InputEnd, Routed, Split
from slither_actors.runs.routing import ask_route
from slither_actors.runs.run import Run


class BatchSender:
    """Encodes batches and sends them. All its methods are called by the Batcher's thread.

    Args:
        run: whose batches these are.
        encoder: None for an inline executor, which takes the items themselves.

    Attributes:
        backlog: batches that are made and not encoded: a chunk is not full, or the byte budget has no room.
        input_end: how the input ended, to be sent behind the last batch; None while it goes on, and once it is sent.
    """

    def __init__(self, run: Run, encoder: RequestEncoder | None) -> None:
        self._run = run
        self._encoder = encoder
        self.backlog: list[Batch] = []
        self.input_end: InputEnd | None = None

    def close(self) -> None:
        """Encode no more."""
        if self._encoder is not None:
            self._encoder.close()

    def flush(self) -> None:
        """Encode the backlog, as far as the byte budget goes, and send it to the Collector."""
        run, encoder, backlog = self._run, self._encoder, self.backlog
        ready: list[Batch]
        if run.budget is not None:
            ready = self._encode_within(run.budget)
        else:
            ready, backlog[:] = backlog[:], ()
            if encoder is not None:
                encoder.encode(ready)
        if self.input_end is not None and not backlog:
            end, self.input_end = self.input_end, None
            run.collector.tell(BatchesReady(ready, None, end))
        elif ready:
            run.collector.tell(BatchesReady(ready))

    def _encode_within(self, budget: ByteBudget) -> list[Batch]:
        ready: list[Batch] = []
        while self.backlog:
            if budget.full() and not self._put_first_what_all_wait_for():
                break
            batch = self.backlog.pop(0)
            parts = [batch]
            if self._encoder is not None:
                self._encoder.encode(parts)
                for part in parts:
                    budget.encoded(part.count, part.encoded)
            ready += parts
        return ready

    def _put_first_what_all_wait_for(self) -> bool:
        """Whether a batch that waits for room has the oldest undelivered item; it is then the next one.

        That one is always admitted, however full: the order may hold back all that fills the budget until it has come.
        """
        first = min(self.backlog, key=lambda batch: batch.positions[0])
        if min(batch.positions[0] for batch in list(self._run.undelivered.values())) < first.positions[0]:
            return False
        self.backlog.remove(first)
        self.backlog.insert(0, first)
        return True

    def rebuild(self, message: BatchRequest) -> None:
        """Make batches of one that failed, or ask where its items go."""
        run = self._run
        if isinstance(message, AskRoute):
            self._ask(message)
            return
        batch = message.batch
        if isinstance(message, Split):
            halves = (range(message.at), range(message.at, batch.count))
            parts: list[Sequence[int]] = [half for half in halves if half]
            attempt, closed_by = message.attempt, "split"
        else:
            parts, attempt, closed_by = [message.indexes], message.attempt, "retry"
        made = []
        for indexes in parts:
            part = batch.subset(indexes, run.next_ref())
            part.attempt = attempt
            part.avoid = batch.avoid
            part.closed_by = closed_by
            run.undelivered[part.ref] = part
            made.append(part)
        if self._encoder is not None:
            self._encoder.encode(made)
            if run.budget is not None:
                run.budget.change(sum(part.encoded for part in made))
        run.undelivered.pop(batch.ref, None)
        run.collector.tell(BatchesReady(made, batch.ref))

    def _ask(self, message: AskRoute) -> None:
        run, batch, items = self._run, message.batch, message.batch.items()
        routed = [
            ask_route(run, message.route, batch, items[index], error)
            for index, error in zip(message.indexes, message.errors, strict=True)
        ]
        run.collector.tell(Routed(batch, [batch.positions[i] for i in message.indexes], routed))
