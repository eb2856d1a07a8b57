"""What the actors of one run, and its consumer, say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from slither_actors.item import Item
from slither_actors.policies import Route
from slither_actors.runs.batch import Batch
from slither_actors.wire.frames import Frame

# To the Collector


class BatchesReady:
    """Batcher → Collector: new batches, encoded or with the `error` that kept them from it.

    `parent`: the reference of the failed batch that they stand for, None for fresh ones.
    """

    __slots__ = ("batches", "parent")

    def __init__(self, batches: Sequence[Batch], parent: int | None = None) -> None:
        self.batches = batches
        self.parent = parent


class Routed:
    """Batcher → Collector: the items that a route function gave for these of a batch."""

    __slots__ = ("batch", "items", "positions")

    def __init__(self, batch: Batch, positions: Sequence[int], items: list[Item]) -> None:
        self.batch = batch
        self.positions = positions
        self.items = items


class InputEnded:
    """Batcher → Collector: the source has given `total` items; `error` if it raised after them."""

    __slots__ = ("error", "total")

    def __init__(self, total: int, error: BaseException | None) -> None:
        self.total = total
        self.error = error


class RunFailed:
    """Batcher or consumer → Collector: user code of this run raised; end it with the cause."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class CloseRun:
    """Consumer → Collector, Batcher, Producer: nobody wants the rest."""

    __slots__ = ()


# To the Batcher


class Split:
    """Collector → Batcher: make two batches of this one, for this attempt.

    `at`: the first item of the second; None: two halves.
    """

    __slots__ = ("at", "attempt", "batch")

    def __init__(self, batch: Batch, at: int | None = None, attempt: int = 1) -> None:
        self.batch = batch
        self.at = batch.count // 2 if at is None else at
        self.attempt = attempt


class RebuildBatch:
    """Collector → Batcher: make a batch of these items of one whose others are results."""

    __slots__ = ("attempt", "batch", "indexes")

    def __init__(self, batch: Batch, indexes: Sequence[int], attempt: int) -> None:
        self.batch = batch
        self.indexes = indexes
        self.attempt = attempt


class AskRoute:
    """Collector → Batcher: ask the user's function what becomes of these items."""

    __slots__ = ("batch", "errors", "indexes", "route")

    def __init__(self, batch: Batch, indexes: Sequence[int], errors: Sequence[Exception], route: Route) -> None:
        self.batch = batch
        self.indexes = indexes
        self.errors = errors
        self.route = route


class Wake:
    """Producer or consumer → Batcher: there is something new in the shared state (items, credit, room for bytes)."""

    __slots__ = ()


class SourceEnded:
    """Producer → Batcher: that was all, or all before it raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


# To the consumer


@final
class Results:
    """The reply to a batch of which some items failed alone; `indexes`: those that it has results for.

    Its body is still encoded. (A batch with all its results goes to the consumer as it is, with its `reply`.)
    """

    __slots__ = ("batch", "frame", "indexes", "positions")

    def __init__(self, batch: Batch, frame: Frame, indexes: Sequence[int], positions: Sequence[int]) -> None:
        self.batch = batch
        self.frame = frame
        self.indexes = indexes
        self.positions = positions


@final
class Skipped:
    """Items that go out unchanged, each with its error."""

    __slots__ = ("batch", "errors", "indexes", "positions")

    def __init__(
        self, batch: Batch, indexes: Sequence[int], errors: Sequence[Exception], positions: Sequence[int]
    ) -> None:
        self.batch = batch
        self.indexes = indexes
        self.errors = errors
        self.positions = positions


@final
class ReadyItems:
    """Items that exist already: routed ones, and those of an inline executor."""

    __slots__ = ("batch", "items", "positions")

    def __init__(self, batch: Batch, items: list[Item], positions: Sequence[int]) -> None:
        self.batch = batch
        self.items = items
        self.positions = positions


Delivery = Batch | Results | Skipped | ReadyItems


class Deliver:
    """Collector → consumer: take these, in this order."""

    __slots__ = ("deliveries",)

    def __init__(self, deliveries: list[Delivery]) -> None:
        self.deliveries = deliveries


class Finished:
    """Collector → consumer: the last word.

    Args:
        error: why the run failed, None if it did not.
        batch: the batch that failed, if it was one.
        held: results that the order kept back, with `error` only.
        limit: with ordering, the position of the failed item: results behind it are not handed out.
    """

    __slots__ = ("batch", "error", "held", "limit")

    def __init__(
        self,
        error: BaseException | None,
        batch: Batch | None = None,
        held: Sequence[Delivery] = (),
        limit: int | None = None,
    ) -> None:
        self.error = error
        self.batch = batch
        self.held = held
        self.limit = limit


class ForBatcher:
    """Collector → consumer, where the consumer is the Batcher too: a message for that role."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message


class RoleEnded:
    """Producer or Batcher → consumer: it has ended, and what it leaves behind stays as it is."""

    __slots__ = ()
