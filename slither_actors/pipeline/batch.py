"""A Batch: a pool's Job together with the items that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slither_actors.item import Item
from slither_actors.pools.job import Job, Lane


class Batch(Job):
    """One batch of a run.

    Args:
        lane: the run's place in its pool.
        ref: the batch's number in its run, for people and telemetry.
        positions: where its items come in the output, ascending; a range where they stand side by side.
        entries: Items, or bare payloads if `bare`; kept until the batch is delivered, for skip, split and route.
        bare: the entries are payloads that nobody has wrapped; their ids are their positions.
    """

    __slots__ = ("bare", "encoded", "entries", "error", "positions")

    def __init__(self, lane: Lane, ref: int, positions: Sequence[int], entries: list[Any], bare: bool) -> None:
        super().__init__(lane, ref, len(entries))
        self.positions = positions
        self.entries = entries
        self.bare = bare
        self.error: Exception | None = None
        self.encoded = 0

    def items(self) -> list[Item]:
        """Its items, made now if they are bare."""
        if self.bare:
            return list(map(Item, self.positions, self.entries))
        return self.entries

    def ids(self) -> list[Any]:
        """The ids of its items."""
        return list(self.positions) if self.bare else [item.id for item in self.entries]

    def payloads(self) -> list[Any]:
        """The payloads of its items."""
        return self.entries if self.bare else [item.payload for item in self.entries]

    def subset(self, indexes: Sequence[int], ref: int) -> Batch:
        """A new batch of some of its items, not encoded yet. `indexes` ascend."""
        positions, entries = self.positions, self.entries
        if len(indexes) and indexes[-1] - indexes[0] + 1 == len(indexes):
            part = slice(indexes[0], indexes[-1] + 1)
            return Batch(self.lane, ref, positions[part], entries[part], self.bare)
        return Batch(self.lane, ref, tuple(positions[i] for i in indexes), [entries[i] for i in indexes], self.bare)


def describe(batch: Batch) -> str:
    """The batch for an error's message: its number, and where its items stand."""
    first, last = batch.positions[0], batch.positions[-1]
    where = f"item {first}" if batch.count == 1 else f"{batch.count} items, {first} to {last}"
    return f"batch {batch.ref} ({where})"
