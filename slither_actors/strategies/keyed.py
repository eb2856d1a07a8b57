"""KeyPartition: items of one key in batches of their own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar

from slither_actors.errors import StrategyError
from slither_actors.item import Item
from slither_actors.strategies.base import BATCH_SIZE, Batches, Strategy
from slither_actors.validation.kinds import Function
from slither_actors.validation.option import Option
from slither_actors.wording import shown


class KeyPartition(Strategy):
    """A batch holds items of one key only, in the order of the input.

    Without `batch_size` there is one batch for each key, which can only be known at the end: the whole input is held,
    and results come by key (sorted; in order of first appearance where keys cannot be compared). With it each key has
    one open batch, which is closed when full, and works on endless input.

    Args:
        key_fn: gets an Item, gives its key: anything that can be hashed.
        batch_size: most items in a batch; None: as many as have the key.

    Raises:
        OptionError: a value is out of range or of a wrong type.
        StrategyError: (of `add`) a key cannot be hashed; names the item.
    """

    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "key_fn": Option(
            kind=Function(("item",), "lambda item: item.payload['user']"),
            description="For `KeyPartition`: gets an Item, gives its key",
            in_file=False,
        ),
        "batch_size": BATCH_SIZE,
    }

    def __init__(self, key_fn: Callable[[Item], Hashable], batch_size: int | None = None) -> None:
        self.key_fn: Callable[[Item], Hashable] = self.OPTIONS["key_fn"].check("key_fn", key_fn)
        if batch_size is not None:
            batch_size = BATCH_SIZE.check("batch_size", batch_size)
        self.batch_size = batch_size
        self.whole_input = batch_size is None
        # A key enters when its batch is opened, so the first holds the oldest item. An OrderedDict, because the first
        # entry of a dict from which many were deleted is found by walking over what they left.
        self._open: OrderedDict[Any, list[Any]] = OrderedDict()

    def add(self, item: Item) -> Batches:
        """Take one item; return the batch of its key, if that is full."""
        try:
            key = self.key_fn(item)
        except Exception as error:
            self._note_failure(error, "key_fn", item)
            error.add_note(f"raised by key_fn, for item {shown(item.id)}")
            raise
        try:
            held = self._open.get(key)
        except TypeError as error:
            raise StrategyError(f"key_fn gave {shown(key)}, which cannot be a key: {error}", [item.id]) from error
        if held is None:
            held = self._open[key] = []
        held.append(item)
        if self.batch_size is None or len(held) < self.batch_size:
            return ()
        del self._open[key]
        return (held,)

    def flush(self) -> Batches:
        """Return all open batches: sorted by key if they are the whole input, else by their oldest items."""
        held, self._open = self._open, OrderedDict()
        if self.batch_size is not None:
            return list(held.values())
        try:
            keys = sorted(held)
        except TypeError:  # keys of several types, say
            keys = list(held)
        return [held[key] for key in keys]

    def release(self) -> Batches:
        """Return the open batch that holds the oldest item."""
        if not self._open:
            return ()
        return (self._open.popitem(last=False)[1],)
