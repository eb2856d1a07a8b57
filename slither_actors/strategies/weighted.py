"""WeightedBatch: batches of about the same weight."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from slither_actors.errors import StrategyError
from slither_actors.item import Item
from slither_actors.strategies.base import BATCH_SIZE, Batches, Strategy
from slither_actors.validation.kinds import Function, Number
from slither_actors.validation.option import Option
from slither_actors.wording import shown


class WeightedBatch(Strategy):
    """A batch is closed before its weight would exceed `max_weight`; a heavier item makes a batch alone.

    Args:
        weight_fn: gets an Item, gives its weight: a number, 0 or more. Default: the length of the payload where it has
            one (text, bytes, lists), else 1.
        max_weight: of a batch; a finite number above 0.
        batch_size: most items in a batch; None: the weight alone closes it.

    Raises:
        OptionError: a value is out of range or of a wrong type.
        StrategyError: (of `add`) a weight is negative, NaN or no number; names the item.
    """

    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "weight_fn": Option(
            kind=Function(("item",), "lambda item: len(item.payload)"),
            description="For `WeightedBatch`: gets an Item, gives its weight",
            unless="the payload's length",
            in_file=False,
        ),
        "max_weight": Option(
            kind=Number(above=0), description="For `WeightedBatch`: weight of a batch", unless="1000", in_file=False
        ),
        "batch_size": BATCH_SIZE,
    }

    def __init__(
        self,
        weight_fn: Callable[[Item], float] | None = None,
        max_weight: float = 1000,
        batch_size: int | None = None,
    ) -> None:
        if weight_fn is not None:
            self.OPTIONS["weight_fn"].check("weight_fn", weight_fn)
        self.OPTIONS["max_weight"].check("max_weight", max_weight)
        if batch_size is not None:
            batch_size = BATCH_SIZE.check("batch_size", batch_size)
        self.weight_fn = weight_fn
        self.max_weight = max_weight
        self.batch_size = batch_size
        self._most = math.inf if batch_size is None else batch_size
        self._held: list[Any] = []
        self._weight: float = 0

    def add(self, item: Item) -> Batches:
        """Take one item; return the batches that it completes: the one it would overflow, its own if it fills it."""
        weight = self._weigh(item)
        held = self._held
        if weight > self.max_weight:
            # Never added up: it may be inf, or an int beyond what a float can hold.
            self._held, self._weight = [], 0
            return (held, [item]) if held else ([item],)
        done: list[list[Any]] = []
        total = self._weight + weight
        if total > self.max_weight:
            done.append(held)
            held = self._held = []
            total = weight
        held.append(item)
        if total >= self.max_weight or len(held) >= self._most:
            done.append(held)
            self._held, total = [], 0
        self._weight = total
        return done

    def flush(self) -> Batches:
        """Return the open batch, if there is one."""
        held, self._held, self._weight = self._held, [], 0
        return (held,) if held else ()

    def _weigh(self, item: Item) -> float:
        if self.weight_fn is None:
            return _length(item.payload)
        try:
            weight: Any = self.weight_fn(item)
        except Exception as error:
            self._note_failure(error, "weight_fn", item)
            error.add_note(f"raised by weight_fn, for item {shown(item.id)}")
            raise
        if type(weight) is not int and type(weight) is not float:
            if isinstance(weight, bool) or not isinstance(weight, numbers.Real):
                raise StrategyError(f"weight_fn must give a number, 0 or more, not {shown(weight)}", [item.id])
            weight = float(weight)
        if not weight >= 0:  # so that NaN is caught, too
            raise StrategyError(f"weight_fn must give a number, 0 or more, not {shown(weight)}", [item.id])
        return weight  # type: ignore[no-any-return]


def _length(payload: Any) -> int:
    if not hasattr(payload, "__len__"):
        return 1
    try:
        return len(payload)
    except TypeError:  # numpy's arrays without dimensions have the method, but no length
        return 1
