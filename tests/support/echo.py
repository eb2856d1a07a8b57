"""A run whose Collector is played by the test: each batch comes back at once, as its own payloads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slither_actors.pools.assignment.target import Target
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import BatchesReady, Deliver, Finished
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.run import Run
from support.a_run import Recorder, a_queue, a_run, replied


class Echo(Recorder):
    """A Collector that answers each batch with its payloads, in the run's inbox.

    Args:
        run: which it is the Collector of.
        error: how the run ends; None: with its source.
        answers: whether it answers at all.
    """

    def __init__(self, run: Run, error: BaseException | None = None, answers: bool = True) -> None:
        super().__init__()
        self.run = run
        self.error = error
        self.answers = answers

    def tell(self, message: Any) -> None:
        """Keep a message, and answer it."""
        super().tell(message)
        if isinstance(message, BatchesReady) and self.answers:
            for batch in message.batches:
                self.run.inbox.put(Deliver([replied(batch)]))
                self.run.ledger.resolved += batch.count
            if message.input_end is not None:
                self.run.inbox.put(Finished(self.error))


def echoing(
    items: Iterable[Any], *, error: BaseException | None = None, answers: bool = True, **options: Any
) -> tuple[Consumer, Echo]:
    """Return a consumer that was not driven yet, and the Collector that its run will have."""
    run = a_run(**options)
    echo = Echo(run, error, answers)
    consumer = Consumer(
        run,
        items,
        lambda run: Batcher(run, RequestEncoder(run.options, Target)),
        lambda run: run.start(a_queue(), echo),
    )
    return consumer, echo
