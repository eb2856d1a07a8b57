"""The ordering window: what came early waits here until all before it has come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class OrderingWindow(Generic[T]):
    """Releases pieces in the order of their first positions.

    A piece covers some positions of the output, ascending, not always side by side (a batch of one key, the items of a
    batch that failed alone). It is released once its first position is the next one; the positions that it covers
    further on are then known to be under way and are passed over when their turn comes. So a consumer that unpacks
    them, one position after the other, never waits for a piece that is still in here.
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

    def add(self, positions: Sequence[int], piece: T, out: list[T]) -> None:
        """Take a piece; put those that are released by it behind what is in `out`, in order.

        Args:
            positions: what the piece covers, ascending, never empty, nothing that was covered before.
            piece: anything.
            out: a list of pieces.
        """
        first = positions[0]
        held = self._held
        if first != self.next:
            held[first] = (positions, piece)
            return
        out.append(piece)
        self._advance(positions)
        self._release(out)

    def extend(self, pieces: Sequence[Any], out: list[T]) -> None:
        """Take some pieces that know their ``positions`` themselves; as `add` for each of them."""
        if not self._covered:
            due = self.next
            for piece in pieces:
                positions = piece.positions
                if type(positions) is not range or positions.start != due:
                    break
                due = positions.stop
            else:  # nearly always: each in one piece, and each behind the one before it
                out += pieces
                self.next = due
                self._release(out)
                return
        for piece in pieces:
            self.add(piece.positions, piece, out)

    def drain(self) -> list[tuple[Sequence[int], T]]:
        """All that is held, by first position: for a run that ends with gaps."""
        held, self._held = self._held, {}
        return [held[first] for first in sorted(held)]

    def _release(self, out: list[T]) -> None:
        """Release what is held and due."""
        held = self._held
        while held and (entry := held.pop(self.next, None)) is not None:
            out.append(entry[1])
            self._advance(entry[0])

    def _advance(self, positions: Sequence[int]) -> None:
        count = len(positions)
        if type(positions) is range and not self._covered:  # nearly always
            self.next += count
            return
        if positions[-1] - positions[0] + 1 == count:
            self.next += count
        else:
            self._covered.update(positions)
        covered = self._covered
        while covered and self.next in covered:
            covered.discard(self.next)
            self.next += 1
