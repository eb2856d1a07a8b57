"""A Stream: the results of a run, one after the other, as they come due."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from operator import length_hint
from threading import get_ident
from types import TracebackType
from typing import Self

from slither_actors.errors import StreamClosed
from slither_actors.item import Item
from slither_actors.loops import warn_in_loop
from slither_actors.runs.output.blocking_driver import drive
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.statistics import RunStatistics


class Stream(Iterator[Item]):
    """An iterator over results that is closed by ``with``, by `close`, or by being dropped.

    Nothing is pulled from the source before the first result is asked for. One thread at a time iterates: another one
    gets a RuntimeError, and the first notices nothing. `close` and `statistics` may be called from any thread.
    Iterating raises `DispatchError` when the run fails and `StreamClosed` after `close`. What a signal handler raises
    meanwhile comes out as itself and closes the stream, unless the next result was there already.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        # Dropping it, even by the garbage collector, closes the run.
        self._pieces = _pieces(consumer)
        # By thread. Kept, so that `close` and not their being dropped ends them: what a signal handler raises in code
        # that runs as something is dropped is lost.
        self._iterators: dict[int, Generator[Item, None, None]] = {}

    def __iter__(self) -> Iterator[Item]:  # noqa: PYI034  # a generator, so that a `for` drives it directly
        if _is_over(self._pieces):
            _told(self._consumer)
        return self._iterator()

    def __next__(self) -> Item:
        return next(self._iterator())

    def _iterator(self) -> Iterator[Item]:
        """Return the generator of the calling thread."""
        items = self._iterators.get(get_ident())
        if items is None or _is_over(items):
            items = self._iterators[get_ident()] = _items(self._consumer, self._pieces)
        return items

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            items = self._iterators.pop(get_ident(), None)
            if items is not None:
                _end(items)

    def close(self) -> None:
        """Stop the source, drop what was not sent, let what is being executed run out. Never blocks."""
        try:
            self._consumer.close()
        finally:
            if get_ident() in self._iterators:  # another thread's is in use, or soon may be
                _end(self._pieces)

    def statistics(self) -> RunStatistics:
        """Where the items are now."""
        return self._consumer.run.statistics()


BUSY = (
    "another thread is waiting for the next result of this stream; one at a time iterates: "
    "take the results in one thread and hand them on by a queue.Queue, or give each thread a stream of its own"
)


def _is_over(generator: Generator[object, None, None]) -> bool:
    return getattr(generator, "gi_frame", None) is None


def _end(generator: Generator[object, None, None]) -> None:
    """Close it, unless it is running: then the caller is in code that it has called."""
    try:
        generator.close()
    except ValueError as error:
        if not _refused_to_resume(error):
            raise


def _refused_to_resume(error: ValueError) -> bool:
    """Return whether a generator raised this as it is executing already, in this thread or another one.

    The interpreter raises it before the generator's code runs, so the traceback ends at the caller of this function.
    """
    trace = error.__traceback__
    return trace is not None and trace.tb_next is None


def _told(consumer: Consumer) -> None:
    """End an iteration. Raises where no caller has been given how the run ended.

    After an exception of a signal handler that is so: the end of the iteration is then no end of the results.
    """
    if not consumer.told:
        raise StreamClosed("this stream was closed before its end") from None


def _pieces(consumer: Consumer) -> Generator[None, None, None]:
    """Set `Run.reading` to the next piece at each step. All threads that iterate share it: it admits one at a time."""
    run = consumer.run
    source = drive(consumer)
    try:
        for piece in source:
            run.reading = iter(piece)
            run.ledger.emitted += len(piece)
            yield
            while length_hint(run.reading) and not consumer.closed:  # of two threads that went on, one was late
                yield
    finally:
        source.close()  # and not by being dropped


def _items(consumer: Consumer, drive: Generator[None, None, None]) -> Generator[Item, None, None]:
    """Yield the items to one of the threads that iterate; all read the same pieces."""
    # Not `itertools.chain`, which is faster: it is broken by a second thread, and takes the interpreter with it.
    warn_in_loop("a stream", "`async with ...astream(...)`")
    run = consumer.run
    while True:
        try:
            for item in run.reading:
                yield item
                if consumer.closed:
                    run.drop_reading()
                    break
        except GeneratorExit:
            raise
        except BaseException:  # of a signal handler: it may have an item in hand, which would be missing
            consumer.close()
            raise
        try:
            next(drive)
        except StopIteration:
            _told(consumer)
            return
        except ValueError as error:
            if not _refused_to_resume(error):
                raise
            raise RuntimeError(BUSY) from None
