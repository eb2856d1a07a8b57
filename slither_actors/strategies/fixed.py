"""FixedBatch: batches of equally many items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, final

from slither_actors.strategies.base import BATCH_SIZE, Batches, Strategy
from slither_actors.validation.option import Option


@final
class FixedBatch(Strategy):
    """Batches of `batch_size` items, in the order of the input; the last one may be smaller. The default strategy.

    Args:
        batch_size: items in a batch.

    Raises:
        OptionError: it is no whole number of at least 1.
    """

    OPTIONS: ClassVar[Mapping[str, Option]] = {"batch_size": BATCH_SIZE}
    opaque: ClassVar[bool] = True
    batch_size: int

    def __init__(self, batch_size: int = 64) -> None:
        self.batch_size = BATCH_SIZE.check("batch_size", batch_size)
        self._held: list[Any] = []

    def __init_subclass__(cls, **options: Any) -> None:
        # `extend` slices and never calls `add`: a subclass that overrides one of them would surprise.
        raise TypeError("FixedBatch cannot be subclassed; subclass slither_actors.strategies.Strategy")

    def add(self, item: Any) -> Batches:
        """Take one item; return the batch that it fills, if it does."""
        held = self._held
        held.append(item)
        if len(held) < self.batch_size:
            return ()
        self._held = []
        return (held,)

    def extend(self, items: Iterable[Any]) -> Batches:
        """Take some items at once, by slices: there is no work for each item."""
        entries = items if type(items) is list else list(items)
        held, size = self._held, self.batch_size
        total = len(entries)
        if len(held) + total < size:
            held.extend(entries)
            return ()
        start = size - len(held) if held else 0
        end = total - (total - start) % size
        done = [entries[at : at + size] for at in range(start, end, size)]
        if start:
            held.extend(entries[:start])
            done.insert(0, held)
        self._held = entries[end:]
        return done

    def flush(self) -> Batches:
        """Return the last, smaller batch, if there is one."""
        held, self._held = self._held, []
        return (held,) if held else ()
