"""Snakepit: a batch is a command of the workers' adapter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from slither_actors.context import Context
from slither_actors.executors.base import Affinity, Command, RunSettings, check_affinity, check_pool
from slither_actors.executors.snakebridge import results_for
from slither_actors.item import Item
from slither_actors.validation import checks


class Snakepit:
    """Sends each batch to a command of the adapter that the pool's workers run, as ``{"items": [payload, ...]}``.

    Args:
        command: its name.
        pool: name of the pool.
        affinity: what a session means to the choice of worker; None: as the pool says.

    Raises:
        OptionError: a value is out of range or of a wrong type.
    """

    __slots__ = ("affinity", "command", "pool")

    def __init__(self, *, command: str, pool: str | None = None, affinity: Affinity | None = None) -> None:
        self.command = checks.text("command", command)
        self.pool = check_pool(pool)
        self.affinity = check_affinity(affinity)

    def request(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Command:
        """The command for a batch."""
        return Command(self.command, {"items": [item.payload for item in batch]})

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        """The batch's items with the payloads of the reply's ``items``."""
        return results_for(batch, reply.get("items") if isinstance(reply, dict) else reply)

    def __repr__(self) -> str:
        return f"Snakepit(command={self.command!r})"
