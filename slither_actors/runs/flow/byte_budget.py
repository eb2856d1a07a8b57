"""The byte budget of a run: encoded requests plus held replies, against ``max_in_flight_bytes``."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident

from slither_actors.runs.flow.pacing import AHEAD_ITEMS, MOST_AHEAD_ITEMS


class ByteBudget:
    """Counts bytes over three threads; a run without ``max_in_flight_bytes`` has no budget at all.

    Without a lock, which an interrupted consumer might leave held: each thread counts for itself.

    Args:
        limit: bytes above which nothing new is pulled or encoded.
        freed: called by the thread that makes room again after `full` has said there is none.
    """

    __slots__ = ("_bytes", "_freed", "_held", "_items", "_waiting", "limit")

    def __init__(self, limit: int, freed: Callable[[], None]) -> None:
        self.limit = limit
        self._held: dict[int, int] = {}
        self._freed = freed
        self._waiting = False
        self._items = self._bytes = 0  # encoded so far

    def encoded(self, items: int, size: int) -> None:
        """Count a batch that was encoded to so many bytes."""
        self._items += items
        self._bytes += size
        self.change(size)

    def ahead(self) -> int:
        """Items that may be pulled before anything is known of their size: as many as take a quarter of the limit.

        Going by those that have been encoded; few as long as none has.
        """
        if not self._bytes:
            return AHEAD_ITEMS
        return min(MOST_AHEAD_ITEMS, max(1, self.limit * self._items // (4 * self._bytes)))

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return sum(list(self._held.values()))

    def change(self, by: int) -> None:
        """Count `by` bytes more, or fewer if it is negative."""
        held, thread = self._held, get_ident()
        held[thread] = held.get(thread, 0) + by
        if self._waiting and self.held <= self.limit:
            self._waiting = False
            self._freed()

    @property
    def waited_for(self) -> bool:
        """Whether the Batcher has been told that there is no room, and nothing since."""
        return self._waiting

    def full(self) -> bool:
        """Whether nothing new may be pulled or encoded. Once true, `freed` will be called when there is room."""
        if self.held <= self.limit:
            self._waiting = False
            return False
        self._waiting = True  # before the last look, so that who makes room after it sees that
        if self.held > self.limit:
            return True
        self._waiting = False
        return False
