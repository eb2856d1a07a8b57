"""Whether a value fits a schema, by functions made of it: 20 times as fast as jsonschema, which tells what is wrong.

Most files have nothing wrong with them, and of the others most parts have not. So this decides where jsonschema is to
look at all. It knows the keywords of our own schemas and judges by them exactly as jsonschema does; a schema with any
other keyword (a kind of somebody's own may bring one) is left to jsonschema as a whole.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Fitting", "Unsupported"]

Fits = Callable[[Any], bool]

# They say nothing about whether a value fits.
_ANNOTATIONS = frozenset(
    ("$schema", "$defs", "$comment", "title", "description", "default", "examples", "deprecated", "errorMessage")
)
_TYPES: dict[str, Fits] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
# Bounds: of which type, of what of it, and how it compares.
_BOUNDS: dict[str, tuple[Fits, Callable[[Any], Any], Callable[[Any, Any], bool]]] = {
    "minimum": (_TYPES["number"], lambda value: value, operator.ge),
    "maximum": (_TYPES["number"], lambda value: value, operator.le),
    "exclusiveMinimum": (_TYPES["number"], lambda value: value, operator.gt),
    "exclusiveMaximum": (_TYPES["number"], lambda value: value, operator.lt),
    "minLength": (_TYPES["string"], len, operator.ge),
    "maxLength": (_TYPES["string"], len, operator.le),
    "minItems": (_TYPES["array"], len, operator.ge),
    "maxItems": (_TYPES["array"], len, operator.le),
    "minProperties": (_TYPES["object"], len, operator.ge),
    "maxProperties": (_TYPES["object"], len, operator.le),
}


class Unsupported(Exception):
    """The schema has something that this does not know."""


class Fitting:
    """Judges by one schema. A value must not change, nor go, as long as it is in use.

    Args:
        root: the schema, with its `$defs`.

    Raises:
        Unsupported: it is not for this to judge by.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._schemas: list[Any] = []  # so that none of those made goes, and its id to another
        self._made: dict[int, Fits] = {}
        self._judged: dict[tuple[int, int], bool] = {}
        try:
            self._made_of(root)
        except KeyError as error:  # a type that there is none of, or a reference to nothing
            raise Unsupported(str(error)) from None

    def __call__(self, schema: Any, value: Any) -> bool:
        """Whether a value fits a part of the schema."""
        return self._made_of(schema)(value)

    def _made_of(self, schema: Any) -> Fits:
        if isinstance(schema, bool):
            return _always if schema else _never
        key = id(schema)
        if key not in self._made:
            unknown = schema.keys() - _RULES.keys() - _ANNOTATIONS
            if unknown:
                raise Unsupported(f"the keywords {sorted(unknown)}")
            self._schemas.append(schema)
            # It may contain itself, by a reference: until it is made, it is looked up when it is asked.
            self._made[key] = lambda value: self._made[key](value)  # noqa: PLW0108 - not what is there now
            self._made[key] = self._remembering(key, [_RULES[rule](self, schema) for rule in schema if rule in _RULES])
        return self._made[key]

    def _remembering(self, schema: int, rules: list[Fits]) -> Fits:
        """What was judged is not judged again: errors are looked for level by level, each asking about all below."""
        fits, judged = _all(rules), self._judged

        def remembered(value: Any) -> bool:
            if not isinstance(value, (dict, list)):
                return fits(value)
            key = schema, id(value)
            if key not in judged:
                judged[key] = fits(value)
            return judged[key]

        return remembered

    # -- rules; each is true of a value that it is not about

    def _ref(self, schema: Mapping[str, Any]) -> Fits:
        way = str(schema["$ref"]).split("/")
        if way[0] != "#" or any("~" in step or "%" in step for step in way):
            raise Unsupported(f"the reference {schema['$ref']}")
        found: Any = self._root
        for step in way[1:]:
            found = found[step]
        return self._made_of(found)

    def _type(self, schema: Mapping[str, Any]) -> Fits:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        return _any([_TYPES[name] for name in names])

    def _const(self, schema: Mapping[str, Any]) -> Fits:
        return _equal(schema["const"])

    def _enum(self, schema: Mapping[str, Any]) -> Fits:
        return _any([_equal(each) for each in schema["enum"]])

    def _pattern(self, schema: Mapping[str, Any]) -> Fits:
        search = re.compile(schema["pattern"]).search
        return lambda value: not isinstance(value, str) or search(value) is not None

    def _items(self, schema: Mapping[str, Any]) -> Fits:
        fits = self._made_of(schema["items"])
        return lambda value: not isinstance(value, list) or all(map(fits, value))

    def _required(self, schema: Mapping[str, Any]) -> Fits:
        needed = frozenset(schema["required"])
        return lambda value: not isinstance(value, dict) or value.keys() >= needed

    def _properties(self, schema: Mapping[str, Any]) -> Fits:
        known = {key: self._made_of(below) for key, below in schema["properties"].items()}
        return lambda value: (
            not isinstance(value, dict) or all(known[key](below) for key, below in value.items() if key in known)
        )

    def _additional(self, schema: Mapping[str, Any]) -> Fits:
        known = schema.get("properties", {}).keys()
        if schema["additionalProperties"] is False:
            return lambda value: not isinstance(value, dict) or value.keys() <= known
        fits = self._made_of(schema["additionalProperties"])
        return lambda value: (
            not isinstance(value, dict) or all(key in known or fits(below) for key, below in value.items())
        )

    def _names(self, schema: Mapping[str, Any]) -> Fits:
        fits = self._made_of(schema["propertyNames"])
        return lambda value: not isinstance(value, dict) or all(map(fits, value))

    def _all_of(self, schema: Mapping[str, Any]) -> Fits:
        return _all([self._made_of(each) for each in schema["allOf"]])

    def _any_of(self, schema: Mapping[str, Any]) -> Fits:
        return _any([self._made_of(each) for each in schema["anyOf"]])

    def _if(self, schema: Mapping[str, Any]) -> Fits:
        asked = self._made_of(schema["if"])
        yes, no = self._made_of(schema.get("then", True)), self._made_of(schema.get("else", True))
        return lambda value: yes(value) if asked(value) else no(value)

    def _with_if(self, schema: Mapping[str, Any]) -> Fits:
        return _always


def _bound(rule: str) -> Callable[[Fitting, Mapping[str, Any]], Fits]:
    concerns, measure, compare = _BOUNDS[rule]

    def make(_: Fitting, schema: Mapping[str, Any]) -> Fits:
        bound = schema[rule]
        return lambda value: not concerns(value) or compare(measure(value), bound)

    return make


_RULES: dict[str, Callable[[Fitting, Mapping[str, Any]], Fits]] = {
    "$ref": Fitting._ref,
    "type": Fitting._type,
    "const": Fitting._const,
    "enum": Fitting._enum,
    "pattern": Fitting._pattern,
    "items": Fitting._items,
    "required": Fitting._required,
    "properties": Fitting._properties,
    "additionalProperties": Fitting._additional,
    "propertyNames": Fitting._names,
    "allOf": Fitting._all_of,
    "anyOf": Fitting._any_of,
    "if": Fitting._if,
    "then": Fitting._with_if,
    "else": Fitting._with_if,
    **{rule: _bound(rule) for rule in _BOUNDS},
}


def _always(value: Any) -> bool:
    return True


def _never(value: Any) -> bool:
    return False


def _all(rules: list[Fits]) -> Fits:
    return rules[0] if len(rules) == 1 else lambda value: all(fits(value) for fits in rules)


def _any(rules: list[Fits]) -> Fits:
    return rules[0] if len(rules) == 1 else lambda value: any(fits(value) for fits in rules)


def _equal(choice: Any) -> Fits:
    """Whether a value is this one. To JSON 1 and 1.0 are one number, and true is none."""
    if choice is None or isinstance(choice, bool):
        return lambda value: value is choice
    if isinstance(choice, (str, int, float)):
        return lambda value: not isinstance(value, bool) and bool(value == choice)
    raise Unsupported("a choice that is a list or a mapping")
