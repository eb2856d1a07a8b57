"""The options of a dynamic batcher that are its own; the others are those of a call."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from slither_actors.errors import OptionError, StrategyError
from slither_actors.policies import Retry
from slither_actors.validation.kinds import Flag, Function, Number, Seconds, Whole
from slither_actors.validation.option import check_fields, option
from slither_actors.wording import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class BatcherOptions:
    """What a dynamic batcher does with calls before they are batches.

    Raises:
        OptionError: a value is out of range or of a wrong type; its `option` names it.
    """

    max_batch_size: int = field(default=64, metadata=option(Whole(1), "Calls in a batch"))
    max_wait: float = field(
        default=0.005,
        metadata=option(
            Seconds(zero=True), "Seconds that a part-filled batch waits for more calls while all workers are busy"
        ),
    )
    max_queue: int | None = field(
        default=None,
        metadata=option(
            Whole(1), "Calls that may wait for a batch; one more is refused with `Overloaded`", none="no limit"
        ),
    )
    deadline: float | None = field(
        default=None,
        metadata=option(
            Seconds(endless=True),
            "Seconds for a whole call, waiting included; then `DeadlineExceeded`",
            none="no limit",
        ),
    )
    weight_fn: Callable[[Any], float] | None = field(
        default=None,
        metadata=option(
            Function(("value",), "lambda text: len(text)"), "Gets what is called with, gives its weight", none="1 each"
        ),
    )
    max_weight: float | None = field(
        default=None,
        metadata=option(Number(above=0), "Weight of a batch; a heavier call makes a batch alone", none="no limit"),
    )
    split: bool = field(
        default=True,
        metadata=option(
            Flag(),
            "Halve a batch that failed as a whole until the bad call is found, which executes its neighbours again; "
            "else all its calls fail",
        ),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.weight_fn is not None and self.max_weight is None:
            raise OptionError("weight_fn has no meaning without max_weight", "weight_fn", "max_weight")

    def weigh(self, value: object) -> float:
        """Return the weight of a call.

        Raises:
            StrategyError: `weight_fn` gave no number, or one below 0.
        """
        weight_fn = self.weight_fn
        if weight_fn is None:
            return 1.0
        weight: object = weight_fn(value)
        if isinstance(weight, bool) or not isinstance(weight, numbers.Real) or not float(weight) >= 0:  # NaN neither
            raise StrategyError(f"weight_fn must give a number, 0 or more, not {shown(weight)}")
        return float(weight)


def policy_of(on_error: object, split: bool) -> Retry:
    """Return the error policy of a batcher's batches: what is given up fails its own caller.

    Args:
        on_error: a Retry for calls that fail alone; None: one attempt.
        split: whether a batch that failed as a whole is halved.

    Raises:
        OptionError: it is another policy.
    """
    if on_error is None:
        return Retry(max_attempts=1, split=split, then="skip")
    if isinstance(on_error, Retry):
        return replace(on_error, split=split, then="skip")
    raise OptionError(
        f"on_error of a batcher is a Retry or left out, not {shown(on_error)}: a call that fails raises in its caller",
        "on_error",
    )


def take_options(given: Mapping[str, object]) -> tuple[BatcherOptions, dict[str, object]]:
    """Return the options of a batcher among those given, and the rest, which are those of its batches.

    Raises:
        OptionError: a value is out of range or of a wrong type.
    """
    names = {each.name for each in fields(BatcherOptions)}
    own: dict[str, Any] = {name: value for name, value in given.items() if name in names}
    return BatcherOptions(**own), {name: value for name, value in given.items() if name not in names}
