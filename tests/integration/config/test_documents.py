"""The schema beside the documentation, and the documentation's tables, are those of the code."""

from __future__ import annotations

from architecture.imports import ROOT
from support.config_docs import PAGE, SCHEMA, TABLE, keys, page_text, schema_text

from slither_actors.system.config import SYSTEM

WRITE = "run: python tests/support/config_docs.py"


def test_the_published_schema_is_current() -> None:
    assert SCHEMA.read_text() == schema_text(), WRITE


def test_the_tables_of_keys_are_current() -> None:
    page = PAGE.read_text()
    assert page == page_text(page), WRITE


def test_every_mapping_of_the_schema_has_its_table() -> None:
    shown = {found[1] for found in TABLE.finditer(PAGE.read_text())}
    # The wrapper of `retry:` has one key, and the back-off of pools is that of supervisors.
    elsewhere = {
        "#/properties/dispatch/properties/on_error/allOf/1/then",
        "#/properties/pools/additionalProperties/properties/restart_backoff",
    }
    assert set(keys(SYSTEM.schema)) - elsewhere == shown


def test_every_key_is_described() -> None:
    def undescribed(schema: object, path: str = "") -> list[str]:
        found = []
        if isinstance(schema, dict):
            for name, one in schema.get("properties", {}).items() if isinstance(schema.get("properties"), dict) else ():
                if "const" not in one and "description" not in one:
                    found.append(f"{path}.{name}")
            for name, below in schema.items():
                if name != "if":
                    found += undescribed(below, f"{path}.{name}")
        return found

    assert undescribed(SYSTEM.schema) == []


def test_the_example_tells_editors_where_the_schema_is() -> None:
    example = ROOT / "docs" / "examples" / "service" / "slither.yaml"
    first = example.read_text().splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (example.parent / first.removeprefix(prefix)).resolve() == SCHEMA
