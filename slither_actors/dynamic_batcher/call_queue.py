"""The calls that wait for a batch: the higher priority first, and in each first come, first served. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class Call(Struct, eq=False, gc=False):
    """One call.

    Args:
        value: what it was called with.
        future: of its caller; done once the caller has its answer, or does not want one.
        since: when it came, by its caller's clock.
        weight: by `weight_fn`.
    """

    value: Any
    future: Any
    since: float
    weight: float = 1.0


class CallQueue:
    """Calls by priority. Not thread-safe."""

    __slots__ = ("_first", "_ranks", "append", "weight")

    def __init__(self) -> None:
        self._first: deque[Call] = deque()
        self.append = self._first.append
        """Add a call of priority 0 whose weight does not count."""
        self._ranks: dict[int, deque[Call]] = {0: self._first}
        self.weight = 0.0
        """Of all calls."""

    def __len__(self) -> int:
        """Return how many calls wait; those whose callers are gone are among them until they are found."""
        ranks = self._ranks
        return len(self._first) if len(ranks) == 1 else sum(map(len, ranks.values()))

    def add(self, call: Call, priority: int = 0) -> None:
        """Add a call, behind those of its priority."""
        self.weight += call.weight
        if priority == 0:
            self._first.append(call)
            return
        rank = self._ranks.get(priority)
        if rank is None:
            rank = self._ranks[priority] = deque()
            self._ranks = dict(sorted(self._ranks.items(), reverse=True))
        rank.append(call)

    def take(self, most: int, max_weight: float | None = None) -> list[Call]:
        """Take out the next calls, without those whose callers are gone.

        Args:
            most: how many.
            max_weight: of them together; the first one may be heavier.
        """
        if len(self._ranks) == 1 and max_weight is None and len(self._first) <= most:
            calls = [call for call in self._first if not call.future.done()]
            self._first.clear()
            self.weight = 0.0
            return calls
        calls, weight = [], 0.0
        for rank in self._ranks.values():
            while rank and len(calls) < most:
                call = rank[0]
                wanted = not call.future.done()
                if wanted and calls and max_weight is not None and weight + call.weight > max_weight:
                    self._forget_empty()
                    return calls
                rank.popleft()
                self.weight -= call.weight
                if wanted:
                    calls.append(call)
                    weight += call.weight
        self._forget_empty()
        return calls

    def purge(self) -> None:
        """Take out the calls whose callers are gone."""
        for rank in self._ranks.values():
            kept = [call for call in rank if not call.future.done()]
            rank.clear()
            rank.extend(kept)
        self.weight = sum(call.weight for call in self)
        self._forget_empty()

    def oldest(self) -> float | None:
        """Return since when the longest waiting call waits; None if there is none."""
        return min((rank[0].since for rank in self._ranks.values() if rank), default=None)

    def snapshot(self) -> list[Call]:
        """Return all calls. From any thread: each step is one of the interpreter's."""
        return [call for rank in list(self._ranks.values()) for call in list(rank)]

    def __iter__(self) -> Iterator[Call]:
        """Yield the calls in the order in which they would be taken."""
        for rank in self._ranks.values():
            yield from rank

    def _forget_empty(self) -> None:
        if len(self._ranks) > 1:
            self._ranks = {priority: rank for priority, rank in self._ranks.items() if rank or rank is self._first}
        if not len(self):
            self.weight = 0.0
