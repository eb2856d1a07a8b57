"""The parts of the documentation that are made from the declarations of options and from the schema.

``python tests/support/config_docs.py`` writes them.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from slither_actors.chunk_options import ChunkOptions
from slither_actors.dynamic_batcher.options import BatcherOptions
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.run_options import RunOptions
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch
from slither_actors.system.config import SYSTEM
from slither_actors.validation.option import Option, default_of, options_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = DOCS / "slither.schema.json"
PAGE = DOCS / "configuration.md"
OPTIONS_PAGE = DOCS / "options.md"
OPTIONS_TABLE = re.compile(r"<!-- (batcher )?options: ([\w ]+) -->\n(.*?)<!-- end -->", re.DOTALL)
TABLE = re.compile(r"<!-- keys: (\S+) -->\n(.*?)<!-- end -->", re.DOTALL)


def schema_text() -> str:
    return json.dumps(SYSTEM.schema, indent=2) + "\n"


def page_text(page: str) -> str:
    """The page, with its tables as the schema has them now."""
    return TABLE.sub(lambda found: f"<!-- keys: {found[1]} -->\n{table(found[1])}<!-- end -->", page)


def run_options() -> dict[str, tuple[Option, object]]:
    """Return each option of a run with its plain default: the run's own, then those of our executors and strategies."""
    found = {name: (one, default_of(RunOptions, name)) for name, one in options_of(RunOptions).items()}
    for cls in (SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition):
        for name, one in options_of(cls).items():
            found.setdefault(name, (one, MISSING))
    return found


def chunk_options() -> dict[str, tuple[Option, object]]:
    """Return each option of a stream of chunks with its plain default."""
    return {name: (one, default_of(ChunkOptions, name)) for name, one in options_of(ChunkOptions).items()}


def batcher_options() -> dict[str, tuple[Option, object]]:
    """Return each option of a dynamic batcher's own; two have the names of options of a run."""
    return {name: (one, default_of(BatcherOptions, name)) for name, one in options_of(BatcherOptions).items()}


def options_text(page: str) -> str:
    """Return docs/options.md with its tables as the options are declared now."""

    def made(found: re.Match[str]) -> str:
        known = batcher_options() if found[1] else run_options() | chunk_options()
        return f"<!-- {found[1] or ''}options: {found[2]} -->\n{options_table(found[2], known)}<!-- end -->"

    return OPTIONS_TABLE.sub(made, page)


def options_table(names: str, known: dict[str, tuple[Option, object]]) -> str:
    """Return the table of these options."""
    lines = ["| option | value | unless given | |", "|---|---|---|---|"]
    for name in names.split():
        one, default = known[name]
        unless = one.unless or (code(repr(default)) if default is not MISSING else "")
        says = (
            one.description + (f"; None: {one.none}" if one.none else "") + (f" ([more]({one.see}))" if one.see else "")
        )
        schema = {} if one.kind is None else one.kind.schema()
        value = "" if "allOf" in schema else values(schema)  # a policy is written in another way in a file
        lines.append(f"| `{name}` | {value} | {unless} | {says} |")
    return "\n".join(lines) + "\n"


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
    words_of_value = " or ".join(WORDS[each] for each in ([types] if isinstance(types, str) else types or ()))
    for rule, words in BOUNDS.items():
        if rule in one:
            words_of_value += f", {words} {one[rule]:,.15g}"
    return words_of_value


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
    OPTIONS_PAGE.write_text(options_text(OPTIONS_PAGE.read_text()))


if __name__ == "__main__":
    write()
