"""The cursor: at which item of which batch this worker is, in a page that its host reads when a batch goes wrong.

It is the last page of a file that the two share: of the worker's replies where these go through memory, else its own.

Three words of 64 bits, in the machine's byte order: the id of the request, the index of the item, and when that began
in nanoseconds of CLOCK_MONOTONIC. The host reads them at a deadline and after a death, and believes none of them
further than `slither_actors.pools.worker.blame` says. Nothing is sent, so an item costs two stores.

A worker that executes several batches at a time has as many cursors, one behind the other.
"""

from __future__ import annotations

import os
from mmap import PAGESIZE, mmap
from operator import index as _index
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import ContextVar
    from typing import Any, Final

REQUEST: Final = 0
INDEX: Final = 1
SINCE: Final = 2
WORDS: Final = 3

SIZE: Final = PAGESIZE
"""Bytes at the end of the file."""


class Cursor:
    """Where this worker is. Written by the thread that executes; mapped when it is first needed.

    Args:
        place: which one it is in the page, from 0.
    """

    __slots__ = ("_fd", "_file", "_map", "_place", "batch", "words")

    def __init__(self, place: int = 0) -> None:
        self._place = place
        self._fd = -1
        self._file: Any = None
        self._map: Any = None
        self.words: Any = None
        """The three words; None before they are needed."""
        self.batch: tuple[int, int] | None = None
        """The batch whose function may say where it is by `progress`: its request id, and its items."""

    def use(self, fd: int) -> None:
        """Write to the end of this file."""
        self._fd = fd
        self._file = _identity(fd)
        os.register_at_fork(after_in_child=self._forked)

    def beside(self, place: int) -> Cursor:
        """Return another cursor in the same page."""
        made = Cursor(place)
        if self._fd >= 0:
            made.use(self._fd)
        return made

    def begin(self, request_id: int) -> Any:
        """Begin a batch: its first item is the next one to be executed.

        Returns:
            The words: for each further item set `SINCE` first, then `INDEX`.
        """
        words = self.words
        if words is None:
            words = self.words = self._mapped()
        # In this order, so that no index is read that belongs to another batch.
        words[REQUEST] = 0
        words[INDEX] = 0
        words[SINCE] = monotonic_ns()
        words[REQUEST] = request_id
        return words

    def at(self, request_id: int, index: int) -> None:
        """Note that this batch is at this item."""
        words = self.words
        if words is None or words[REQUEST] != request_id:
            words = self.begin(request_id)
        words[SINCE] = monotonic_ns()
        words[INDEX] = index

    def _mapped(self) -> Any:
        if self._fd >= 0 and _identity(self._fd) == self._file:  # user code may have closed it, and opened another
            try:
                self._map = mmap(self._fd, SIZE, offset=os.fstat(self._fd).st_size - SIZE)
            except (OSError, ValueError):  # no address space left, say: the host then knows of no item
                self._fd = -1
            else:
                return memoryview(self._map).cast("Q")[WORDS * self._place : WORDS * (self._place + 1)]
        return [0, 0, 0]

    def _forked(self) -> None:
        """Stop writing in a forked child: the page says where its parent is."""
        self._fd = -1
        self.batch = None
        words, self.words = self.words, None
        if type(words) is memoryview:
            words.release()


def _identity(fd: int) -> Any:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


cursor: Final = Cursor()
_of_context: ContextVar[Cursor | None] | None = None


def separate(count: int) -> list[Cursor]:
    """Return cursors for so many batches at a time. From now on `progress` is about the one of its context."""
    global _of_context
    from contextvars import ContextVar

    _of_context = ContextVar("slither_cursor", default=None)
    return [cursor.beside(place) for place in range(count)]


def use_here(own: Cursor) -> None:
    """Have `progress` write to this cursor, in the context of the caller: that of a task or of a thread."""
    assert _of_context is not None
    _of_context.set(own)


def progress(index: int) -> None:
    """Say that the batch in execution is at this item: call it before each one, in their order.

    For functions that get a whole batch, and for commands of an adapter. If the worker then dies, or an item takes
    longer than the run's ``timeout``, that item alone is to blame, and the others of its batch are executed again
    without an attempt counted. A batch that has called this has its ``timeout`` for each item, as with ``each=True``,
    where it does nothing, as it does outside of a worker and in a forked child. It takes a fraction of a microsecond.

    Args:
        index: of the item in the batch, from 0; the number of items: all are done. One that is smaller than before
            is ignored.

    Raises:
        TypeError: it is no whole number.
        ValueError: the batch has no such item.
    """
    own = cursor if _of_context is None else _of_context.get()
    if own is None or (batch := own.batch) is None:
        return
    if type(index) is not int:
        try:
            index = _index(index)
        except TypeError:
            raise TypeError(f"progress takes the index of an item as an int, not a {type(index).__name__}") from None
    request_id, count = batch
    if not 0 <= index <= count:
        raise ValueError(f"progress({index}): the batch has {count} items, so an index is from 0 to {count}")
    own.at(request_id, index)
