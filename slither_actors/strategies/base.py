"""The base class of strategies, which users subclass for their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from slither_actors.item import Item
from slither_actors.validation.kinds import Whole
from slither_actors.validation.option import Option
from slither_actors.wording import shown

MAX_BATCH = 2**32 - 1
"""A frame's header counts items in 32 bits."""

BATCH_SIZE = Option(
    kind=Whole(1, MAX_BATCH),
    description="Most items in a batch",
    unless="the strategy's own, 64 for `FixedBatch`",
)

Batches = Iterable[Sequence[Any]]
"""Finished batches, the first of them first: lists of Items, not empty, and the receiver's from then on."""


class Strategy:
    """Groups items into batches, one item at a time; holds the items that are not yet in a finished batch.

    Subclasses implement :meth:`add` and :meth:`flush`. The keyword parameters of their constructor become options of
    the run, so that they can be given as a class: ``Dispatch.run(items, strategy=Mine, my_option=3, ...)``.

    All methods are called by one thread of the run; a slow one delays this run only. After `flush` each item
    must have come out exactly once; else the run ends with a StrategyError. An instance serves one run.
    """

    batch_size: int | None = None
    """Most items in a batch; None where batches are closed by other means."""

    whole_input: bool = False
    """Whether no batch comes before the end of the input. The order of the batches is then that of the results."""

    opaque: ClassVar[bool] = False
    """Whether items are never looked at and keep their order, so that they need not be wrapped. Not inherited."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "opaque" not in cls.__dict__:
            cls.opaque = False  # the code of a subclass probably looks at the items

    def add(self, item: Item) -> Batches:
        """Take one item; return the batches that it completes, in most cases none."""
        raise NotImplementedError(f"{type(self).__name__} must implement add(item)")

    def flush(self) -> Batches:
        """Return all held items, as batches; nothing is held afterwards."""
        raise NotImplementedError(f"{type(self).__name__} must implement flush()")

    def release(self) -> Batches:
        """Close the open batch that holds the oldest item, whether it is full or not; default: all of them.

        Must return at least one batch if anything is held.
        """
        return self.flush()

    def extend(self, items: Iterable[Any]) -> Batches:
        """Take some items (finitely many); return the batches that they complete."""
        done: list[Sequence[Any]] = []
        item = None
        try:
            for item in items:
                done.extend(self.add(item))
        except BaseException as error:
            self._note_failure(error, "add", item)
            raise
        return done

    def _note_failure(self, error: BaseException, what: str, item: Any) -> None:
        """Record which method raised, and for which item; the first record of an error is nearest to the place."""
        if self._failed_in(error) is None:
            place = f"{what} for item {shown(item.id)}" if isinstance(item, Item) else what
            vars(self)["_failure"] = error, place  # so that subclasses may define how attributes are set

    def _failed_in(self, error: BaseException) -> str | None:
        known, place = vars(self).get("_failure", (None, None))
        return place if known is error else None

    def batches(self, items: Iterable[Any]) -> Iterator[Sequence[Item]]:
        """Yield the batches of a whole input, each when it is complete. Payloads are wrapped; ids are positions."""
        for position, entry in enumerate(items):
            yield from self.add(Item.wrap(entry, id=position))
        yield from self.flush()
