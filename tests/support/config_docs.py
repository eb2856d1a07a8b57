"""The parts of the documentation that are made from the schema. ``python tests/support/config_docs.py`` writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from slither_actors.system.config import SYSTEM

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = DOCS / "slither.schema.json"
PAGE = DOCS / "configuration.md"
TABLE = re.compile(r"<!-- keys: (\S+) -->\n(.*?)<!-- end -->", re.DOTALL)


def schema_text() -> str:
    return json.dumps(SYSTEM.schema, indent=2) + "\n"


def page_text(page: str) -> str:
    """The page, with its tables as the schema has them now."""
    return TABLE.sub(lambda found: f"<!-- keys: {found[1]} -->\n{table(found[1])}<!-- end -->", page)


def table(pointer: str) -> str:
    """The keys of one mapping of the schema, given as a JSON pointer."""
    schema: Any = SYSTEM.schema
    for part in pointer.removeprefix("#").strip("/").split("/"):
        schema = schema[int(part) if isinstance(schema, list) else part] if part else schema
    lines = ["| key | value | unless given | |", "|---|---|---|---|"]
    for key, one in schema["properties"].items():
        needed = key in schema.get("required", ())
        default = "needed" if needed else code(json.dumps(one["default"])) if "default" in one else ""
        says = one.get("description", "").replace("|", "\\|")
        lines.append(f"| `{key}` | {values(one)} | {default} | {says} |")
    return "\n".join(lines) + "\n"


def keys(schema: Any, path: str = "#") -> dict[str, str]:
    """Where in the schema there are mappings with keys of their own."""
    found: dict[str, str] = {}
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("additionalProperties") is False:
            found[path] = ""
        for name, below in schema.items():
            found.update(keys(below, f"{path}/{name}"))
    elif isinstance(schema, list):
        for index, below in enumerate(schema):
            found.update(keys(below, f"{path}/{index}"))
    return found


def values(one: Any) -> str:
    """What values a key takes, in few words."""
    if "enum" in one:
        return ", ".join(code(each) for each in one["enum"])
    if "const" in one:
        return code(one["const"])
    if "anyOf" in one:
        return " or ".join(values(each) for each in one["anyOf"])
    if "pattern" in one:
        return "`package.module:Name`"
    types = one.get("type")
    told = " or ".join(WORDS[each] for each in ([types] if isinstance(types, str) else types or ()))
    for rule, words in BOUNDS.items():
        if rule in one:
            told += f", {words} {one[rule]:,.15g}"
    return told


def code(value: object) -> str:
    return f"`{value}`"


WORDS = {
    "object": "mapping",
    "array": "list",
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "`true`, `false`",
    "null": "`null`",
}
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to"}


def write() -> None:
    SCHEMA.write_text(schema_text())
    PAGE.write_text(page_text(PAGE.read_text()))


if __name__ == "__main__":
    write()
