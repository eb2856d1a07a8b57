"""What becomes of a batch that failed: the values of the option ``on_error``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, final

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.item import Item
from slither_actors.validation import checks
from slither_actors.validation.callbacks import check_call
from slither_actors.wording import did_you_mean, shown

__all__ = ["HALT", "SKIP", "Halt", "Policy", "Retry", "Route", "Skip", "parse_on_error"]


MAX_ATTEMPTS: Final = 65_535
"""What a frame has room for."""


@final
@dataclass(frozen=True, slots=True)
class Halt:
    """The run ends with a DispatchError. Written ``"halt"``."""


@final
@dataclass(frozen=True, slots=True)
class Skip:
    """The items come out unchanged, with ``meta["error"]`` and ``meta["skipped"] = True``. Written ``"skip"``."""


HALT: Final = Halt()
SKIP: Final = Skip()


@final
@dataclass(frozen=True, slots=True)
class Route:
    """The item that ``fn(item, reason)`` returns comes out in the place of each item of the batch.

    Args:
        fn: gets the Item and the exception behind the failure, and returns an Item; anything else ends the run. It is
            called on a thread of the run.

    Raises:
        OptionTypeError: `fn` is no function, or cannot be called so.
    """

    fn: Callable[[Item, Exception], Item]

    def __post_init__(self) -> None:
        checks.function("Route's fn", self.fn, "lambda item, reason: item.put_meta(failed=str(reason))")
        check_call("Route's fn", self.fn, ("item", "reason"))


@final
@dataclass(frozen=True, slots=True)
class Retry:
    """The batch is executed again, on another worker if one is ready.

    Args:
        max_attempts: executions in all, the first included; from 1 to 65,535.
        backoff: seconds before the second attempt; doubled before each further one.
        max_backoff: seconds that no pause exceeds.
        jitter: part of each pause that is left to chance, 0 (none) to 1: 0.5 means anything from half of it to all.
        split: halve a failing batch at once, without pause; only a batch of one item is attempted again. Finds the one
            item that kills its worker, at the cost of few failures.
        then: what follows the last attempt: "halt", "skip" or a Route.

    Raises:
        OptionError: a value is out of range or of a wrong type; the message names it.
    """

    max_attempts: int = 3
    _: KW_ONLY
    backoff: float = 0.1
    max_backoff: float = 30.0
    jitter: float = 0.5
    split: bool = False
    then: str | Halt | Skip | Route = "halt"
    last: Halt | Skip | Route = field(init=False, repr=False, compare=False)
    """`then` as a policy."""

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("max_attempts", checks.whole("Retry's max_attempts", self.max_attempts, 1, MAX_ATTEMPTS))
        put("backoff", checks.seconds("Retry's backoff", self.backoff, zero=True, none=False))
        put("max_backoff", checks.seconds("Retry's max_backoff", self.max_backoff, zero=True, none=False))
        if self.backoff > self.max_backoff:
            raise OptionError(
                f"Retry's backoff ({self.backoff:g} s) exceeds its max_backoff ({self.max_backoff:g} s); raise both"
            )
        put("jitter", checks.real("Retry's jitter", self.jitter))
        if not 0 <= self.jitter <= 1:
            raise OptionError(f"Retry's jitter must be from 0 to 1, not {shown(self.jitter)}")
        checks.flag("Retry's split", self.split)
        then: Any = self.then
        if isinstance(then, Retry):
            raise OptionTypeError("Retry's then cannot be another Retry; raise max_attempts")
        put("last", _parse("Retry's then", then, _LAST, ("halt", "skip", "Route")))

    def delay(self, failed_attempts: int, random: Callable[[], float]) -> float:
        """Seconds to wait before the next attempt.

        Args:
            failed_attempts: how many there were, from 1.
            random: gives numbers from 0 up to 1.
        """
        # A float cannot hold 2.0**1024; long before that every pause is max_backoff (or, with no backoff, 0).
        doublings = min(max(failed_attempts - 1, 0), 1023)
        pause = min(self.max_backoff, self.backoff * 2.0**doublings)
        return pause * (1.0 - self.jitter * random())


Policy = Halt | Skip | Retry | Route

_LAST = '"halt", "skip" or Route(fn)'
_ALLOWED = '"halt", "skip", Retry(...) or Route(fn)'


def parse_on_error(value: Any) -> Policy:
    """The policy that `value` stands for.

    Args:
        value: "halt", "skip", a Retry, a Route, or one of their classes' instances.

    Raises:
        OptionError: anything else; the message says what was perhaps meant.
    """
    if isinstance(value, Retry):
        return value
    return _parse("on_error", value, _ALLOWED, ("halt", "skip", "Retry", "Route"))


def _parse(name: str, value: Any, allowed: str, names: tuple[str, ...]) -> Halt | Skip | Route:
    if isinstance(value, (Halt, Skip, Route)):
        return value
    if value == "halt" and isinstance(value, str):
        return HALT
    if value == "skip" and isinstance(value, str):
        return SKIP
    message = f"{name} must be {allowed}, not {shown(value)}"
    if isinstance(value, str):
        if value.lower() in ("retry", "route"):
            raise OptionError(f"{message}: the text is not enough, say {value.title()}(...)")
        raise OptionError(message + did_you_mean(value, names))
    if isinstance(value, type) and value in (Retry, Halt, Skip):
        message = f"{message}: that is the class; say {value.__name__}()"
    elif value is Route:
        message = f"{message}: that is the class; say Route(fn)"
    elif callable(value):
        message = f"{message}: a function is given as Route(fn)"
    elif value is None:
        message = f'{message}: "halt" is the default, "skip" lets the run go on'
    raise OptionTypeError(message)
