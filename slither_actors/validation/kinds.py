"""The kinds of values that options have: each checks a value and gives the JSON Schema of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slither_actors.errors import OptionError
from slither_actors.validation import checks
from slither_actors.validation.callbacks import check_call
from slither_actors.validation.option import Schema
from slither_actors.wording import shown

__all__ = ["Choice", "Flag", "Function", "Number", "Seconds", "Text", "Whole"]


@dataclass(frozen=True, slots=True)
class Whole:
    """Integers from `least` to `most`; None: without an upper bound. Also one of the texts `words`."""

    least: int
    most: int | None = None
    words: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> int | str:
        if self.words and isinstance(value, str) and value in self.words:
            return value
        return checks.whole(name, value, self.least, self.most)

    def schema(self) -> Schema:
        whole: Schema = {"type": "integer", "minimum": self.least}
        if self.most is not None:
            whole["maximum"] = self.most
        if not self.words:
            return whole
        message = f"must be a whole number from {self.least} to {self.most}, {', '.join(self.words)}"
        return {"anyOf": [whole, {"enum": list(self.words)}], "errorMessage": message}


@dataclass(frozen=True, slots=True)
class Number:
    """Finite numbers from `least` to `most`, or above `above`."""

    least: float | None = None
    most: float | None = None
    above: float | None = None

    def check(self, name: str, value: object) -> object:
        number = checks.real(name, value)
        if self.above is not None and number <= self.above:
            raise OptionError(f"{name} must be above {self.above:g}, not {shown(value)}", name)
        if self.least is not None and self.most is not None and not self.least <= number <= self.most:
            raise OptionError(f"{name} must be from {self.least:g} to {self.most:g}, not {shown(value)}", name)
        return number

    def schema(self) -> Schema:
        bounds = {"exclusiveMinimum": self.above, "minimum": self.least, "maximum": self.most}
        return {"type": "number", **{rule: bound for rule, bound in bounds.items() if bound is not None}}


@dataclass(frozen=True, slots=True)
class Seconds:
    """Spans of time: above 0, or with `zero` from 0. `endless`: None means "no limit", and messages say so."""

    zero: bool = False
    endless: bool = False

    def check(self, name: str, value: object) -> float:
        return checks.seconds(name, value, zero=self.zero, none=self.endless)

    def schema(self) -> Schema:
        least = "minimum" if self.zero else "exclusiveMinimum"
        return {"type": "number", least: 0, "maximum": checks.MAX_SECONDS}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few texts."""

    choices: Sequence[str]

    def check(self, name: str, value: object) -> str:
        return checks.choice(name, value, self.choices)

    def schema(self) -> Schema:
        return {"enum": list(self.choices)}


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not empty."""

    def check(self, name: str, value: object) -> str:
        return checks.text(name, value)

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Flag:
    """True and False."""

    def check(self, name: str, value: object) -> bool:
        return checks.flag(name, value)

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Function:
    """Functions that can be called with these arguments; no file can hold one."""

    parameters: tuple[str, ...]
    example: str

    def check(self, name: str, value: object) -> object:
        function = checks.function(name, value, self.example)
        check_call(name, function, self.parameters, option=name)
        return function

    def schema(self) -> Schema:
        return {}
