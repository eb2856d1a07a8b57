"""The ordering window: what came early waits here until all before it has come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class OrderingWindow(Generic[T]):
    """Releases pieces in the order of their first positions.

    A piece covers some positions of the output, ascending, not always side by side (a batch of one key, the items of a
    batch that failed alone). It is released once its first position is the next one; the positions that it covers
    further on are then known to be under way and are passed over when their turn comes. So pieces are released so that
    whoever unpacks them, one position after the other, is never held up by a piece that is still in here.
    """

    __slots__ = ("_covered", "_held", "next")

    def __init__(self) -> None:
        self.next = 0
        self._held: dict[int, tuple[Sequence[int], T]] = {}
        self._covered: set[int] = set()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def items(self) -> int:
        """How many positions the held pieces cover."""
        return sum(len(positions) for positions, _ in self._held.values())

    def add(self, positions: Sequence[int], piece: T) -> list[T]:
        """Take a piece; give those that are released by it, in order.

        Args:
            positions: what the piece covers, ascending, never empty, nothing that was covered before.
            piece: anything.
        """
        first = positions[0]
        if first != self.next:
            self._held[first] = (positions, piece)
            return []
        out = [piece]
        self._advance(positions)
        held = self._held
        while held and (entry := held.pop(self.next, None)) is not None:
            out.append(entry[1])
            self._advance(entry[0])
        return out

    def drain(self) -> list[tuple[Sequence[int], T]]:
        """All that is held, by first position: for a run that ends with gaps."""
        held, self._held = self._held, {}
        return [held[first] for first in sorted(held)]

    def _advance(self, positions: Sequence[int]) -> None:
        count = len(positions)
        if positions[-1] - positions[0] + 1 == count:
            self.next += count
        else:
            self._covered.update(positions)
        covered = self._covered
        while covered and self.next in covered:
            covered.discard(self.next)
            self.next += 1
