"""What a run knows of its Producer and its Batcher, whichever thread or event loop these have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from slither_actors.runs.messages import BatcherMessage, ProducerMessage
from slither_actors.runs.statistics import BatcherStatistics, ProducerStatistics
from supervisors import Down, LightActor, Monitor, Ref


class Role(Protocol):
    """A Producer or a Batcher with a thread, or a task, of its own."""

    ended: bool
    """It has let go of all that it used: what it leaves behind stays as it is."""

    def monitored_by(self, watcher: LightActor | Callable[[Down], object]) -> Monitor | None:
        """Have `watcher` learn of its end; None if it reports its end itself."""

    def stuck_in(self) -> int | None:
        """Return the ident of its thread if that is still there, else None."""


class ProducerRole(Role, Protocol):
    """What pulls a lazy source."""

    waiting: bool
    """It waits for credit."""

    @property
    def inbox_ref(self) -> Ref[ProducerMessage]:
        """Where messages for it go."""

    def wake(self) -> None:
        """Report that there is more credit. Sends a message only if it waits for that."""

    def statistics(self) -> ProducerStatistics:
        """Return what it is doing now. From any thread."""


class BatcherRole(Role, Protocol):
    """What makes batches of the items of a lazy source."""

    idle: bool
    """It has taken all that the Producer has put down, and needs a `Wake` to look again."""

    @property
    def inbox_ref(self) -> Ref[BatcherMessage]:
        """Where messages for it go."""

    def leftover(self) -> list[Any]:
        """Return the ids of what was pulled and never became a batch, once Producer and Batcher have ended."""

    def statistics(self) -> BatcherStatistics:
        """Return what it holds now. From any thread."""
