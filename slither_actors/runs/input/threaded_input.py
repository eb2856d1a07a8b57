"""The input of a run with a lazy source: a Producer, and a Batcher with a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.batcher_actor import BatcherActor
from slither_actors.runs.messages import BatchRequest, Wake
from slither_actors.runs.roles import BatcherRole, ProducerRole
from slither_actors.runs.run import Run
from slither_actors.runs.run_failure import not_started
from supervisors.runtime.interrupts import raised_by_handler

StartProducer: TypeAlias = Callable[[Run, Any, deque[Any]], object]
"""Starts what pulls a source, as ``run.producer``: of the run, the source, and the buffer where it puts down items."""


class ThreadedInput:
    """Starts the two roles, and wakes them when the consumer has returned credit.

    Args:
        run: not started.
        items: the source.
        make_batcher: makes the Batcher, in the thread that plays it.
        start_producer: starts what pulls the source.

    Raises:
        DispatchError: the system has no thread left.
    """

    def __init__(
        self, run: Run, items: object, make_batcher: Callable[[Run], Batcher], start_producer: StartProducer
    ) -> None:
        self._run = run
        buffer: deque[Any] = deque()
        try:
            BatcherActor.start(run, make_batcher, buffer)
            start_producer(run, items, buffer)
        except RuntimeError as error:
            if raised_by_handler(error):
                raise
            raise not_started(error) from error

    @property
    def _roles(self) -> tuple[ProducerRole, BatcherRole]:
        producer, batcher = self._run.producer, self._run.batcher
        assert producer is not None
        assert batcher is not None
        return producer, batcher

    def start(self) -> None:
        """Have the Producer begin, now that the run has a Collector."""
        self._roles[0].inbox_ref.tell(Wake())

    def refill(self) -> bool:
        """Wake the roles that wait for what the consumer has returned. Returns False: they work on their own."""
        producer, batcher = self._roles
        run = self._run
        producer.wake()
        if run.starving or (run.budget is not None and run.budget.waited_for):
            batcher.inbox_ref.tell(Wake())
        return False

    def serve(self, request: BatchRequest | None) -> None:
        """Pass a request on to the Batcher, which gets those of the Collector directly."""
        self._roles[1].inbox_ref.tell(Wake() if request is None else request)

    def ended(self) -> bool:
        """Return whether both roles have ended, so that what they leave behind stays as it is."""
        return all(role.ended for role in self._roles)

    def leftover(self) -> list[Any]:
        """Return the ids of what was pulled and is in no batch."""
        return self._roles[1].leftover()

    def close(self) -> None:
        """Do nothing: the roles are closed by a message."""
