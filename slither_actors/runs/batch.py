"""A Batch: a pool's Job together with the items that it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from slither_actors.item import Item
from slither_actors.pools.assignment.job import Job


class Batch(Job, kw_only=True, eq=False):
    """One batch of a run.

    Args:
        positions: where its items come in the output, ascending; a range where they stand side by side.
        entries: Items, or bare payloads if `bare`; kept until the batch is delivered, for skip, split and route.
        bare: the entries are payloads, not Items; their ids are their positions, and these are a range.
        error: why it could not be encoded.
        encoded: bytes that it holds of the run's budget.
        live: it has no outcome yet.
    """

    positions: Sequence[int]
    entries: list[Any]
    bare: bool
    error: Exception | None = None
    encoded: int = 0
    live: bool = False

    def items(self) -> list[Item]:
        """Return its items, made now if they are bare."""
        if self.bare:
            return list(map(Item, self.positions, self.entries))
        return self.entries

    def ids(self) -> list[Any]:
        """Return the ids of its items."""
        return list(self.positions) if self.bare else [item.id for item in self.entries]

    def payloads(self) -> list[Any]:
        """Return the payloads of its items."""
        return self.entries if self.bare else [item.payload for item in self.entries]

    def subset(self, indexes: Sequence[int], ref: int) -> Batch:
        """Return a new batch of some of its items, not encoded yet. `indexes` ascend."""
        positions, entries, bare = self.positions, self.entries, self.bare
        if len(indexes) and indexes[-1] - indexes[0] + 1 == len(indexes):
            part = slice(indexes[0], indexes[-1] + 1)
            positions, entries = positions[part], entries[part]
        else:
            items = self.items()
            positions, entries, bare = tuple(positions[i] for i in indexes), [items[i] for i in indexes], False
        return Batch(
            self.run_queue,
            ref,
            len(entries),
            self.target,
            self.side,
            deaths=self.deaths,
            positions=positions,
            entries=entries,
            bare=bare,
        )


def describe(batch: Batch) -> str:
    """Describe a batch for a message: its number, and where its items stand."""
    first, last = batch.positions[0], batch.positions[-1]
    where = f"item {first}" if batch.count == 1 else f"{batch.count} items, {first} to {last}"
    return f"batch {batch.ref} ({where})"


def wrap_bare(entries: Iterable[Any], start: int) -> list[Item]:
    """Items of all these entries; those that are none get the positions from `start` on as ids."""
    return [e if type(e) is Item else Item(start + i, e) for i, e in enumerate(entries)]
