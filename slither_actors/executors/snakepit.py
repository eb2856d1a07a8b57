"""Snakepit: a batch is a command of the workers' adapter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from slither_actors.context import Context
from slither_actors.executors.base import AFFINITY, POOL, Affinity, Command, RunSettings, check_affinity, check_pool
from slither_actors.executors.snakebridge import results_for
from slither_actors.item import Item
from slither_actors.validation.kinds import Text
from slither_actors.validation.option import Option


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
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "command": Option(
            kind=Text(),
            description="For Snakepit: a command of the pool's adapter",
            see="workers.md#adapters-snakepit",
            in_file=False,
        ),
        "pool": POOL,
        "affinity": AFFINITY,
    }

    def __init__(self, *, command: str, pool: str | None = None, affinity: Affinity | None = None) -> None:
        self.command: str = self.OPTIONS["command"].check("command", command)
        self.pool = check_pool(pool)
        self.affinity = check_affinity(affinity)

    def request(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Command:
        """Return the command for a batch."""
        return Command(self.command, {"items": [item.payload for item in batch]})

    def results(self, batch: Sequence[Item], reply: object) -> Iterable[Item]:
        """Return the batch's items with the payloads of the reply's ``items``."""
        return results_for(batch, reply.get("items") if isinstance(reply, dict) else reply)

    def __repr__(self) -> str:
        return f"Snakepit(command={self.command!r})"
