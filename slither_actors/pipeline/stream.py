"""A Stream: the results of a run, one after the other, as they come due."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from slither_actors.errors import StreamClosed
from slither_actors.item import Item
from slither_actors.loops import warn_in_loop
from slither_actors.pipeline.consumer import Consumer
from slither_actors.pipeline.pieces import pieces
from slither_actors.pipeline.statistics import RunStatistics, snapshot


class Stream(Iterator[Item]):
    """An iterator over results that is closed by ``with``, by `close`, or by being dropped.

    Nothing is pulled from the source before the first result is asked for. One thread at a time iterates: another one
    gets a RuntimeError from ``next(stream)`` (in a ``for`` the interpreter's own ValueError, "generator already
    executing"), and the first notices nothing. `close` and `statistics` may be called from any thread. Iterating raises
    `DispatchError` when the run fails and `StreamClosed` after `close`.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        # Dropping it, even by the garbage collector, closes the run.
        self._items = _items(consumer)

    def __iter__(self) -> Iterator[Item]:  # noqa: PYI034  # the generator, so that a `for` drives it directly
        if getattr(self._items, "gi_frame", None) is None:
            self._told()
        return self._items

    def __next__(self) -> Item:
        try:
            return next(self._items)
        except StopIteration:
            self._told()
            raise
        except ValueError as error:
            if str(error) != "generator already executing":
                raise
        raise RuntimeError("another thread is waiting for the next result of this stream; one at a time iterates")

    def _told(self) -> None:
        """Iterating is over. Where nobody was told how the run ended, as after an exception of a signal handler's, the
        end is no end of the results."""
        if not self._consumer.told:
            raise StreamClosed("this stream was closed before its end") from None

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


def _items(consumer: Consumer) -> Generator[Item, None, None]:
    # Not `itertools.chain`, which is faster: it is broken by a second thread, and takes the interpreter with it.
    warn_in_loop("a stream", "`async with ...astream(...)`")
    run = consumer.run
    for piece in pieces(consumer):
        reading = run.reading = iter(piece)
        run.emitted += len(piece)
        for item in reading:
            yield item
            if consumer.closed:
                run.drop_reading()
                break
