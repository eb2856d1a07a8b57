"""Validation of a document by its schema: all errors, in plain words with the remedy, at their lines and columns.

jsonschema finds the errors; this module words and places them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from supervisors.config.cursor import Findings
from supervisors.config.errors import MAX_PROBLEMS, Path, in_yaml
from supervisors.config.loader import Node
from supervisors.wording import did_you_mean

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = ["validate"]

# Twice what one error lists. A hostile file could have one for each of its values, and each costs time.
_MOST_ERRORS = 2 * MAX_PROBLEMS

_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


def validate(findings: Findings, schema: Mapping[str, Any]) -> None:
    """Add to the findings the errors of their document against a schema."""
    root = findings.document.root
    plain = root.plain()
    reported: set[tuple[Path, str]] = set()
    errors = list(itertools.islice(_validator()(schema).iter_errors(plain), _MOST_ERRORS))
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    for error in errors:
        path: Path = tuple(error.absolute_path)
        if path in mistyped and error.validator != "type":
            continue  # if 2.5 is no whole number, an error that it is below 3 adds nothing
        for below, message, at_key in _explain(error, len(reported)):
            whole: Path = (*path, *below)
            if (whole, message) in reported:
                continue
            reported.add((whole, message))
            if _refused(root, path, whole, error.validator):
                continue
            holder = root.at(whole[:-1]) if at_key else root.at(whole)
            place = holder.keys.get(str(whole[-1]), holder.place) if at_key else holder.place
            findings.add(place, whole, message)


def _refused(root: Node, path: Path, whole: Path, rule: object) -> bool:
    """Return whether another problem of this value is reported already, so that one more would confuse."""
    if rule == "additionalProperties":
        return False
    if rule == "required":  # a merge or an odd key may stand for what is missing
        return root.at(path).refused
    return root.at(whole).refused and not isinstance(root.at(whole).value, dict)


@cache
def _validator() -> Any:
    """Return the validator class: draft 2020-12 with YAML's numbers, so 2.0 is no integer and true is no number."""
    import jsonschema  # takes 0.1 s, which a program that reads no file does not pay

    draft = jsonschema.Draft202012Validator
    checker = draft.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: isinstance(value, (int, float)) and not isinstance(value, bool),
        }
    )
    return jsonschema.validators.extend(draft, type_checker=checker)  # type: ignore[no-untyped-call]


Explained = list[tuple[Path, str, bool]]
"""For each message of an error: the path down from its value, the message, and whether it is about the key."""


def _explain(error: ValidationError, reported: int) -> Explained:
    rule = str(error.validator)
    if "propertyNames" in error.schema_path:
        return [((str(error.instance),), "a name must not be empty", True)]
    if rule == "additionalProperties":
        return _unknown(error, reported)
    if rule == "required":
        return _missing(error)
    own: Any = error.schema
    words = own.get("errorMessage") if isinstance(own, Mapping) else None
    if words is not None and rule in ("anyOf", "enum", "pattern"):
        return [((), f"{words}, not {_given(error)}{_near(error)}", False)]
    explain = _VALUES.get(rule)
    return [((), explain(error) if explain is not None else error.message, False)]


def _given(error: ValidationError) -> str:
    """Return the value for a message which says already that a text is wanted."""
    return in_yaml(error.instance).removeprefix("the text ")


def _near(error: ValidationError) -> str:
    """Return "did you mean" with the choice that is nearest to the value."""
    if not isinstance(error.instance, str):
        return ""
    schemas = [error.schema, *(below.schema for below in error.context or ())]
    choices = [
        choice
        for schema in schemas
        if isinstance(schema, Mapping)
        for choice in schema.get("enum", ())
        if isinstance(choice, str)
    ]
    return did_you_mean(error.instance, choices, quote=str)


# -- about keys


def _unknown(error: ValidationError, reported: int) -> Explained:
    schema: Any = error.schema
    known = list(schema.get("properties", {}))
    made: Explained = []
    for key in error.instance:  # type: ignore[union-attr]
        if key not in known:
            # The search for the nearest name is the dearest part; a message that will not be listed does without.
            near = did_you_mean(key, known, quote=str) if reported + len(made) < MAX_PROBLEMS else ""
            made.append(((key,), f"unknown key{near or ', known: ' + ', '.join(known)}", True))
    return made


def _missing(error: ValidationError) -> Explained:
    schema: Any = error.schema
    instance: Any = error.instance
    made: Explained = []
    for key in error.validator_value:  # type: ignore[union-attr]
        if key in instance:
            continue
        choices = schema.get("properties", {}).get(key, {}).get("enum")
        remedy = f"; it is one of {', '.join(choices)}" if choices else ""
        made.append(((), f"the key {key} is missing{remedy}", False))
    return made


# -- about values


def _type(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    value: Any = error.instance
    message = f"must be {' or '.join(_TYPES[name] for name in names)}, not {in_yaml(value)}"
    if isinstance(value, str):
        if {"number", "integer"} & set(names) and _NUMBER.fullmatch(value):
            return f"{message}; take it out of its quotes"
        if "boolean" in names and value.lower() in ("true", "false"):
            return f"{message}; write {value.lower()}, without quotes and in small letters"
        if "array" in names:
            return f"{message}; put it in brackets: [...]"
    elif value is None:
        return f"{message}; give a value, or leave the key out"
    elif "string" in names and not isinstance(value, (dict, list)):
        return f'{message}; put it in quotes: "{in_yaml(value)}"'
    elif "integer" in names and isinstance(value, float) and value.is_integer():
        return f"{message}; write {value:.0f}"
    return message


def _choice(error: ValidationError) -> str:
    allowed: Any = error.validator_value
    names = [str(each) for each in (allowed if isinstance(allowed, list) else [allowed])]
    wanted = f"one of {', '.join(names)}" if len(names) > 1 else names[0]
    return f"must be {wanted}, not {_given(error)}{_near(error)}"


def _bound(words: str) -> Callable[[ValidationError], str]:
    def explain(error: ValidationError) -> str:
        limit: Any = error.validator_value
        return f"must be {words} {limit:,.15g}, not {in_yaml(error.instance)}"

    return explain


def _empty(error: ValidationError) -> str:
    return "must not be empty; give a value, or leave the key out"


_VALUES: dict[str, Callable[[ValidationError], str]] = {
    "type": _type,
    "enum": _choice,
    "const": _choice,
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("above"),
    "exclusiveMaximum": _bound("below"),
    "minLength": _empty,
    "minItems": _empty,
    "minProperties": _empty,
}
