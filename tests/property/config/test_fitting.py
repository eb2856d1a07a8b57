"""What decides that a part of a file has nothing wrong with it decides as jsonschema does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slither_actors.system.config import SYSTEM
from supervisors.config import validator
from supervisors.config.cursor import Findings
from supervisors.config.fitting import Fitting, Unsupported
from supervisors.config.formats import Format
from supervisors.config.loader import parse_document
from supervisors.config.tree_config import TREE

EXAMPLE = yaml.safe_load((Path(__file__).parents[3] / "docs/examples/service/slither.yaml").read_text())

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "actor", "supervisor", "a:b", "hint", "halt", "retry", "auto", "permanent", "infinity", "x"]),
)
KEYS = st.sampled_from(
    [
        "pools",
        "tree",
        "dispatch",
        "system",
        "kind",
        "id",
        "children",
        "class",
        "size",
        "path",
        "env",
        "init",
        "timeout",
        "max_restarts",
        "restart_backoff",
        "base",
        "on_error",
        "retry",
        "then",
        "shutdown",
        "significant",
        "name",
        "",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=15,
)


@st.composite
def changed_examples(draw: st.DrawFn) -> Any:
    """The example with one value put in the place of another."""

    def change(value: Any) -> Any:
        if isinstance(value, dict) and value and draw(st.integers(0, 3)):
            key = draw(st.sampled_from(sorted(value)))
            return {**value, key: change(value[key])}
        if isinstance(value, list) and value and draw(st.integers(0, 3)):
            index = draw(st.integers(0, len(value) - 1))
            return [*value[:index], change(value[index]), *value[index + 1 :]]
        return draw(VALUES)

    return change(EXAMPLE)


FORMS = st.sampled_from([SYSTEM, TREE])


@settings(max_examples=200, deadline=5000)
@given(st.one_of(VALUES, changed_examples()), FORMS)
def test_a_value_fits_if_jsonschema_has_nothing_against_it(value: Any, form: Format) -> None:
    assert Fitting(form.schema)(form.schema, value) is validator._class(None)(form.schema).is_valid(value)


@settings(max_examples=100, deadline=5000)
@given(changed_examples(), FORMS)
def test_what_is_passed_by_has_no_error(value: Any, form: Format) -> None:
    document = parse_document(yaml.safe_dump(value, allow_unicode=True))
    found = []
    for fitting in (Fitting, unsupported):
        findings = Findings(document, [])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(validator, "Fitting", fitting)
            validator.validate(findings, form.schema)
        found.append(set(findings.problems))
    assert found[0] == found[1]


def unsupported(schema: Mapping[str, Any]) -> Fitting:
    raise Unsupported


ODD: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    2.5,
    -1,
    "",
    "a",
    "ab",
    [],
    [1],
    [True],
    ["a", "a"],
    {},
    {"a": 1},
    {"b": "x"},
    {"a": {}},
]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"description": "a", "default": 1},
        {"type": "integer"},
        {"type": ["number", "null"]},
        {"const": 1},
        {"const": True},
        {"const": None},
        {"const": "a"},
        {"enum": [0, "a", None]},
        {"enum": [False]},
        {"minimum": 1},
        {"exclusiveMinimum": 1},
        {"maximum": 1},
        {"exclusiveMaximum": 1},
        {"minLength": 1},
        {"maxLength": 1},
        {"pattern": "^a$"},
        {"minItems": 1},
        {"maxItems": 1},
        {"minProperties": 1},
        {"maxProperties": 0},
        {"items": {"type": "integer"}},
        {"items": False},
        {"required": ["a"]},
        {"properties": {"a": {"type": "string"}}},
        {"properties": {"a": True}, "additionalProperties": False},
        {"additionalProperties": {"type": "string"}},
        {"propertyNames": {"enum": ["a"]}},
        {"allOf": [{"minimum": 1}, {"type": "number"}]},
        {"anyOf": [{"type": "string"}, {"minimum": 2}]},
        {"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "object"}},
        {"if": {"type": "string"}},
        {"then": False},
        {"if": True, "else": False},
        {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    ],
    ids=str,
)
def test_each_keyword_means_what_it_means_to_jsonschema(schema: dict[str, Any]) -> None:
    checker = validator._class(None)(schema)
    fits = Fitting(schema)
    assert [fits(schema, value) for value in ODD] == [checker.is_valid(value) for value in ODD]


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [True]},
        {"not": {}},
        {"format": "uri"},
        {"const": [1]},
        {"enum": [{}]},
        {"type": "text"},
        {"$ref": "other.json"},
        {"$ref": "#/$defs/none"},
        {"properties": {"a": {"items": {"uniqueItems": True}}}},
        {"prefixItems": []},
    ],
    ids=str,
)
def test_a_schema_with_more_in_it_is_left_to_jsonschema(schema: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        Fitting(schema)
