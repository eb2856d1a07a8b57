"""An option, declared once: its check, its entry in the schema of files and its row in the documentation come of it.

A dataclass declares its options as metadata of its fields (`option`), another class in the mapping `OPTIONS`;
`options_of` reads both. The kinds of values are in `validation.kinds`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Protocol, TypeVar

from slither_actors.errors import OptionError

__all__ = [
    "Kind",
    "Option",
    "Schema",
    "check_fields",
    "default_of",
    "documented",
    "mapping_schema",
    "option",
    "options_of",
]

Schema = dict[str, Any]
T = TypeVar("T")


class Kind(Protocol):
    """A set of values that an option may have."""

    def check(self, name: str, value: object) -> object:
        """Return the value, as a plain one of Python.

        Raises:
            OptionError: it is none of this kind; the message begins with the name.
        """

    def schema(self) -> Schema:
        """Return the JSON Schema of these values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Args:
        kind: its values; None where its class checks it together with others.
        description: a phrase that says what it is, without an end.
        unless: what holds unless it is given, where that is more than a plain default.
        none: what None (in a file null) means, where it is a value of its own.
        see: page and anchor in docs/ that say more.
        in_file: whether a YAML file may give it.
    """

    kind: Kind | None
    description: str
    unless: str = ""
    none: str = ""
    see: str = ""
    in_file: bool = True

    def check(self, name: str, value: object) -> Any:
        """Return the value as the kind gives it; None where that has a meaning.

        Raises:
            OptionError: it is not of the kind.
        """
        if self.kind is None or (value is None and self.none):
            return value
        return self.kind.check(name, value)

    def text(self, none: str) -> str:
        """Return the description with what holds unless the option is given.

        Args:
            none: how None is written.
        """
        unless = f"; unless given {self.unless}" if self.unless else ""
        return f"{self.description}{unless}{f'; {none}: {self.none}' if self.none else ''}"

    def schema(self, default: object = MISSING) -> Schema:
        """Return the entry for a file's schema.

        Args:
            default: the plain default, if it has one.
        """
        values: Schema = {} if self.kind is None else self.kind.schema()
        if self.none:
            values = _or_null(values)
        plain = isinstance(default, (str, int, float)) or (default is None and bool(self.none))
        return {
            "description": f"{self.text('null')}.",
            **values,
            **({"default": default} if plain and not self.unless else {}),
        }


def option(
    kind: Kind | None, description: str, *, unless: str = "", none: str = "", see: str = "", in_file: bool = True
) -> Mapping[str, Option]:
    """Return the metadata that makes a dataclass's field an option: ``field(default=3, metadata=option(...))``."""
    made = Option(kind=kind, description=description, unless=unless, none=none, see=see, in_file=in_file)
    return {"option": made}


def options_of(cls: type[Any]) -> Mapping[str, Option]:
    """Return the options that a class declares, by name."""
    declared: Mapping[str, Option] | None = cls.__dict__.get("OPTIONS")
    if declared is not None:
        return declared
    return {each.name: each.metadata["option"] for each in fields(cls) if "option" in each.metadata}


def default_of(cls: type[Any], name: str) -> object:
    """Return the plain default of a dataclass's option; MISSING if it has none."""
    return next(each.default for each in fields(cls) if each.name == name)


def documented(cls: type[T]) -> type[T]:
    """Add the options of a class to its docstring, for `help`. A class decorator, above `dataclass`."""
    lines = (f"    {name}: {one.text('None')}." for name, one in options_of(cls).items())
    cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nArgs:\n" + "\n".join(lines)
    return cls


def check_fields(record: Any, owner: str = "") -> None:
    """Check the options of a frozen dataclass and put what the checks give in the place of what was given.

    Args:
        record: the instance. A field that still has its default is not looked at.
        owner: what messages say before an option's name, as in "Retry's backoff".

    Raises:
        OptionError: a value is not of its option's kind.
    """
    checks = _CHECKS.get(type(record))
    if checks is None:
        checks = _CHECKS[type(record)] = tuple(_checks(fields(record)))
    for name, check, default in checks:
        value = getattr(record, name)
        if value is default:
            continue
        try:
            checked = check(f"{owner} {name}" if owner else name, value)
        except OptionError as error:
            error.option = name
            raise
        if checked is not value:
            object.__setattr__(record, name, checked)


_Check = tuple[str, Callable[[str, object], Any], object]
# Per class what `check_fields` needs of each option: its name, its check and its default.
_CHECKS: dict[type[Any], tuple[_Check, ...]] = {}


def _checks(given: tuple[Field[Any], ...]) -> Iterator[_Check]:
    for each in given:
        declared: Option | None = each.metadata.get("option")
        if declared is not None and declared.kind is not None:
            yield each.name, declared.check, each.default


def mapping_schema(cls: type[Any], description: str) -> Schema:
    """Return the schema of a mapping in a file whose keys are the options of a dataclass."""
    return {
        "description": description,
        "type": "object",
        "properties": {
            name: each.schema(default_of(cls, name)) for name, each in options_of(cls).items() if each.in_file
        },
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    """Return the schema of the same values and null."""
    if "anyOf" in schema:
        any_of = [*schema["anyOf"], {"type": "null"}]
        return {**schema, "anyOf": any_of, "errorMessage": f"{schema['errorMessage']} or null"}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}
