"""A Stream: the results of a run, one after the other, as they come due."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import Self

from slither_actors.item import Item
from slither_actors.pipeline.consumer import Consumer
from slither_actors.pipeline.pieces import pieces
from slither_actors.pipeline.statistics import RunStatistics, snapshot


class Stream(Iterator[Item]):
    """An iterator over results that is closed by ``with``, by `close`, or by being dropped.

    Nothing is pulled from the source before the first result is asked for. One thread iterates; `close` and
    `statistics` may be called from any. Iterating raises `DispatchError` when the run fails and `StreamClosed` after
    `close`.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        # An iterator of the interpreter's own, so that a `for` drives it without a Python call for each item. Dropping
        # it, even by the garbage collector, drops the generator inside it, and that closes the run.
        self._items = chain.from_iterable(_readings(consumer))

    def __iter__(self) -> Iterator[Item]:  # noqa: PYI034  # the generator, so that a `for` drives it directly
        return self._items

    def __next__(self) -> Item:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the source, drop what was not sent, let what is being executed run out. Never blocks."""
        self._consumer.close()

    def statistics(self) -> RunStatistics:
        """Where the items are now."""
        return snapshot(self._consumer.run)


def _readings(consumer: Consumer) -> Iterator[Iterator[Item]]:
    run = consumer.run
    for piece in pieces(consumer):
        reading = run.reading = iter(piece)
        run.emitted += len(piece)
        yield reading
