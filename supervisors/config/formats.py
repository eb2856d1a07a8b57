"""What a file may be: a format is its schema, the rules that no schema can say, and how it is drawn.

A distribution that has one of its own names it under the entry point group ``supervisors.formats``, so that
``python -m supervisors`` knows what to make of such a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from supervisors.config.cursor import Cursor, Findings
from supervisors.config.drawing import Outline
from supervisors.config.errors import Place
from supervisors.config.loader import Document, Node, scan_document
from supervisors.config.schema import Schema
from supervisors.config.validator import validate

__all__ = ["GROUP", "Format", "examine", "installed", "read"]

GROUP = "supervisors.formats"


@dataclass(frozen=True, slots=True)
class Format:
    """One format of files.

    Args:
        name: for people.
        schema: of a file's content.
        check: refuses what the schema cannot say.
        outline: what a content that has nothing wrong with it looks like.
    """

    name: str
    schema: Schema
    check: Callable[[Cursor], None]
    outline: Callable[[Mapping[str, Any]], Outline]

    @property
    def keys(self) -> frozenset[str]:
        """Those at the top of a file."""
        return frozenset(self.schema["properties"])


def examine(
    path: str | os.PathLike[str], choices: Iterable[Format], search: Iterable[str] = ()
) -> tuple[Format, Findings]:
    """Find all that is wrong with a file, as far as it can be told without importing what it names.

    Args:
        path: of the file.
        choices: the formats it may have, most likely first; that which knows most of its keys is taken.
        search: folders that come before `sys.path` when a class is looked for.

    Returns:
        The format and what was found. Raises nothing for what the file holds.
    """
    formats = list(choices)
    document, problems = scan_document(path)
    if document is None:
        findings = Findings(Document(os.fspath(path), Node(None, Place(1, 1))), problems)
        return formats[0], findings
    keys = document.root.value.keys() if isinstance(document.root.value, dict) else frozenset[str]()
    chosen = max(formats, key=lambda each: len(each.keys & keys))  # of equals the first
    findings = Findings(document, problems, tuple(search))
    validate(findings, chosen.schema)
    chosen.check(findings.root)
    return chosen, findings


def read(path: str | os.PathLike[str], form: Format) -> Findings:
    """Read a file of this format; what it names is not imported yet.

    Raises:
        ConfigError: anything is wrong with it, and all of that at once.
    """
    _, findings = examine(path, [form])
    findings.raise_if_any()
    return findings


def installed() -> list[Format]:
    """The formats of the distributions that are installed; one that cannot be imported is passed over."""
    found = []
    for entry in entry_points(group=GROUP):
        try:
            form = entry.load()
        except ImportError:
            continue
        if isinstance(form, Format):
            found.append(form)
    return found
