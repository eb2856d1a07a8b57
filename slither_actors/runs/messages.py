"""The messages between the actors of one run, and to its consumer."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Protocol, TypeAlias, final

from msgspec import Struct

from slither_actors.item import Item
from slither_actors.policies import Route
from slither_actors.pools.assignment.job import Outcomes, Replies
from slither_actors.runs.batch import Batch
from slither_actors.wire.header import Frame
from supervisors import Down

# To the Collector


@final
class InputEnd(Struct, frozen=True):
    """The source has given `total` items; `error` if it raised after them."""

    total: int
    error: BaseException | None


@final
class BatchesReady(Struct, frozen=True):
    """Batcher → Collector: new batches, encoded or with the `error` that kept them from it.

    Args:
        batches: in order.
        parent: the number of the failed batch that they stand for; None for fresh ones.
        input_end: with the last fresh ones, how the input ended; so a short run needs one message less.
    """

    batches: Sequence[Batch]
    parent: int | None = None
    input_end: InputEnd | None = None


@final
class Routed(Struct, frozen=True):
    """Batcher → Collector: the items that a route function gave for these of a batch."""

    batch: Batch
    positions: Sequence[int]
    items: list[Item]


@final
class RunFailed(Struct, frozen=True):
    """Batcher, Producer or consumer → Collector: user code of this run raised; end it with the cause."""

    error: BaseException


@final
class CloseRun(Struct, frozen=True):
    """Consumer → Collector; consumer or Collector → Batcher, Producer: the run is over, drop the rest."""


CollectorMessage: TypeAlias = BatchesReady | Routed | RunFailed | CloseRun | Replies | Outcomes | Down


# To the Batcher and the Producer


@final
class Split(Struct, frozen=True):
    """Collector → Batcher: make two batches of this one.

    Args:
        batch: that failed.
        at: the index of the first item of the second batch.
        attempt: which execution the next one of both is.
    """

    batch: Batch
    at: int
    attempt: int = 1


@final
class RebuildBatch(Struct, frozen=True):
    """Collector → Batcher: make a batch of these items of one whose others are results."""

    batch: Batch
    indexes: Sequence[int]
    attempt: int


@final
class AskRoute(Struct, frozen=True):
    """Collector → Batcher: ask the user's function what becomes of these items."""

    batch: Batch
    indexes: Sequence[int]
    errors: Sequence[Exception]
    route: Route


@final
class Wake(Struct, frozen=True):
    """Producer or consumer → Batcher, consumer → Producer: look at the shared state again (items, credit, bytes)."""


@final
class SourceEnded(Struct, frozen=True):
    """Producer → Batcher: the source has no more items; `error` if it raised."""

    error: BaseException | None


BatchRequest: TypeAlias = Split | RebuildBatch | AskRoute
"""What the Collector needs of the Batcher."""
BatcherMessage: TypeAlias = BatchRequest | Wake | SourceEnded | CloseRun
ProducerMessage: TypeAlias = Wake | CloseRun


# To the consumer


@final
class Results(Struct, frozen=True):
    """The reply to a batch of which some items failed alone. Its body is still encoded.

    A batch with all its results goes to the consumer as it is, with its `reply`.

    Args:
        batch: that was answered.
        frame: the reply.
        indexes: of the items that it has results for.
        positions: of these.
    """

    batch: Batch
    frame: Frame
    indexes: Sequence[int]
    positions: Sequence[int]


@final
class Skipped(Struct, frozen=True):
    """Items that go out unchanged, each with its error."""

    batch: Batch
    indexes: Sequence[int]
    errors: Sequence[Exception]
    positions: Sequence[int]


@final
class ReadyItems(Struct, frozen=True):
    """Items that exist already: routed ones, and those of an inline executor."""

    batch: Batch
    items: list[Item]
    positions: Sequence[int]


Delivery: TypeAlias = Batch | Results | Skipped | ReadyItems


@final
class Deliver(Struct, frozen=True):
    """Collector → consumer: take these, in this order."""

    deliveries: list[Delivery]


@final
class Finished(Struct, frozen=True):
    """Collector → consumer: the run has ended.

    Args:
        error: why the run failed; None if it did not.
        batch: the batch that failed, if it was one.
        held: results that the order kept back, with `error` only.
        limit: with ordering, the position of the failed item: results behind it are not handed out.
    """

    error: BaseException | None
    batch: Batch | None = None
    held: Sequence[Delivery] = ()
    limit: int | None = None


@final
class ForBatcher(Struct, frozen=True):
    """Collector → consumer that plays the Batcher: a message for that role; None: there is room for bytes again."""

    message: BatchRequest | None


@final
class RoleEnded(Struct, frozen=True):
    """Producer or Batcher → consumer: it has ended, and what it leaves behind stays as it is."""


@final
class StreamWasClosed(Struct, frozen=True):
    """Another thread → consumer: the stream was closed there."""


ConsumerMessage: TypeAlias = Deliver | Finished | ForBatcher | RoleEnded | StreamWasClosed


class ConsumerInbox(Protocol):
    """Where the run's actors put what they have for the consumer."""

    def put(self, message: ConsumerMessage, /) -> None:
        """Add a message, and wake the consumer. From any thread; never blocks."""

    def put_quietly(self, message: ConsumerMessage, /) -> None:
        """Add a message that is followed at once by another one, whose `put` wakes the consumer."""

    def empty(self) -> bool:
        """Return whether there is nothing to take at once."""


class BlockingInbox(SimpleQueue[ConsumerMessage]):
    """The inbox of a consumer that blocks its thread."""

    put_quietly = SimpleQueue.put
