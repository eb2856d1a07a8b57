"""A strategy of a user that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slither_actors import Item
from slither_actors.strategies import Strategy


class Failing(Strategy):
    """Makes batches of three, up to where it fails.

    Args:
        where: "add", for the eleventh item; "flush"; "release", where batches come of nothing else.
        fail: called there.
    """

    def __init__(self, where: str, fail: Callable[[], Any]) -> None:
        self.where, self.fail = where, fail
        self.held: list[Item] = []
        if where == "release":  # asked for when credit is used up, which a batch size makes countable
            self.batch_size = 4

    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        if self.where == "add" and item.id == 10:
            self.fail()
        self.held.append(item)
        return self._give() if len(self.held) == 3 and self.where != "release" else []

    def _give(self) -> Sequence[Sequence[Item]]:
        held, self.held = self.held, []
        return [held] if held else []

    def release(self) -> Sequence[Sequence[Item]]:
        if self.where == "release":
            self.fail()
        return self._give()

    def flush(self) -> Sequence[Sequence[Item]]:
        if self.where == "flush":
            self.fail()
        return self._give()
