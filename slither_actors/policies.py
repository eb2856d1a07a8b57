"""Error policies: the values of the option ``on_error``, which decide over a batch that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, final

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.item import Item
from slither_actors.validation.kinds import Flag, Function, Number, Seconds, Whole
from slither_actors.validation.option import Schema, check_fields, documented, mapping_schema, option
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

    The function is called on a thread of the run, and must return an Item: anything else ends the run.

    Args:
        fn: gets the Item and the exception behind the failure.

    Raises:
        OptionTypeError: `fn` is no function, or cannot be called so.
    """

    fn: Callable[[Item, Exception], Item] = field(
        metadata=option(
            Function(("item", "reason"), "lambda item, reason: item.put_meta(failed=str(reason))"),
            "Gets the Item and the exception behind the failure, gives an Item",
            in_file=False,
        )
    )

    def __post_init__(self) -> None:
        check_fields(self, "Route's")


@dataclass(frozen=True, slots=True)
class _Then:
    """What may follow the last attempt."""

    def check(self, name: str, value: object) -> object:
        if isinstance(value, Retry):
            raise OptionTypeError(f"{name} cannot be another Retry; raise max_attempts", name)
        _parse(name, value, _LAST, ("halt", "skip", "Route"))
        return value

    def schema(self) -> Schema:
        return {"enum": ["halt", "skip"]}


@final
@documented
@dataclass(frozen=True, slots=True)
class Retry:
    """The batch is executed again, on another worker if one is ready. In a file: ``retry``, or a mapping of its keys.

    Raises:
        OptionError: a value is out of range or of a wrong type; its `option` names it.
    """

    max_attempts: int = field(
        default=3, metadata=option(Whole(1, MAX_ATTEMPTS), "Executions in all, the first included")
    )
    _: KW_ONLY
    backoff: float = field(
        default=0.1,
        metadata=option(Seconds(zero=True), "Seconds before the second attempt; doubled before each further one"),
    )
    max_backoff: float = field(default=30.0, metadata=option(Seconds(zero=True), "Seconds that no pause exceeds"))
    jitter: float = field(
        default=0.5,
        metadata=option(
            Number(0, 1), "Part of each pause that is left to chance, from 0 (none): 0.5 gives half of it to all"
        ),
    )
    split: bool = field(
        default=False,
        metadata=option(
            Flag(),
            "Halve a failing batch at once, without pause, to find the one bad item; only a batch of one item is "
            "attempted again",
        ),
    )
    then: str | Halt | Skip | Route = field(
        default="halt",
        metadata=option(_Then(), 'What follows the last attempt: "halt", "skip" or (not in a file) a Route'),
    )
    last: Halt | Skip | Route = field(init=False, repr=False, compare=False)
    """`then` as a policy."""

    def __post_init__(self) -> None:
        check_fields(self, "Retry's")
        if self.backoff > self.max_backoff:
            raise OptionError(
                f"Retry's backoff ({self.backoff:g} s) exceeds its max_backoff ({self.max_backoff:g} s); raise both",
                "backoff",
                "max_backoff",
            )
        object.__setattr__(self, "last", _parse("Retry's then", self.then, _LAST, ("halt", "skip", "Route")))

    def delay(self, failed_attempts: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait before the next attempt.

        Args:
            failed_attempts: number of failed attempts, from 1.
            random: gives numbers from 0 up to 1.
        """
        # A float cannot hold 2.0**1024; long before that every pause is max_backoff (or, with no backoff, 0).
        doublings = min(max(failed_attempts - 1, 0), 1023)
        pause = min(self.max_backoff, self.backoff * 2.0**doublings)
        return pause * (1.0 - self.jitter * random())


Policy = Halt | Skip | Retry | Route

_LAST = '"halt", "skip" or Route(fn)'
_ALLOWED = '"halt", "skip", Retry(...) or Route(fn)'


@dataclass(frozen=True, slots=True)
class OnErrorKind:
    """The values of the option `on_error`: a policy, or the text that stands for one."""

    def check(self, name: str, value: object) -> Policy:
        return parse_on_error(value)

    def schema(self) -> Schema:
        retry = mapping_schema(Retry, "A batch that failed is executed again, on another worker if one is ready.")
        options = {
            "description": "A policy with options.",
            "type": "object",
            "properties": {"retry": retry},
            "additionalProperties": False,
            "required": ["retry"],
        }
        return {
            "type": ["string", "object"],
            "allOf": [
                {"if": {"type": "string"}, "then": {"enum": ["halt", "skip", "retry"]}},
                {"if": {"type": "object"}, "then": options},
            ],
        }


def parse_on_error(value: object) -> Policy:
    """Return the policy that a value of the option `on_error` stands for.

    Args:
        value: "halt", "skip", a Retry, a Route, or one of their classes' instances.

    Raises:
        OptionError: anything else; the message says what was perhaps meant.
    """
    if isinstance(value, Retry):
        return value
    return _parse("on_error", value, _ALLOWED, ("halt", "skip", "Retry", "Route"))


def _parse(name: str, value: object, allowed: str, names: tuple[str, ...]) -> Halt | Skip | Route:
    if isinstance(value, (Halt, Skip, Route)):
        return value
    if value == "halt" and isinstance(value, str):
        return HALT
    if value == "skip" and isinstance(value, str):
        return SKIP
    message = f"{name} must be {allowed}, not {shown(value)}"
    if isinstance(value, str):
        if value.lower() in ("retry", "route"):
            raise OptionError(f"{message}: the text is not enough, say {value.title()}(...)", name)
        raise OptionError(message + did_you_mean(value, names), name)
    if isinstance(value, type) and value in (Retry, Halt, Skip):
        message = f"{message}: that is the class; say {value.__name__}()"
    elif value is Route:
        message = f"{message}: that is the class; say Route(fn)"
    elif callable(value):
        message = f"{message}: a function is given as Route(fn)"
    elif value is None:
        message = f'{message}: "halt" is the default, "skip" lets the run go on'
    raise OptionTypeError(message, name)
