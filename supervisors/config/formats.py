"""Formats of files: a schema, the rules that a schema cannot express, and a drawing.

A distribution adds a format by naming it under the entry point group ``supervisors.formats``, which
``python -m supervisors`` reads.
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
        name: for messages.
        schema: JSON Schema of a file's content.
        check: reports what the schema cannot express.
        outline: makes the drawing of a content without problems.
    """

    name: str
    schema: Schema
    check: Callable[[Cursor], None]
    outline: Callable[[Mapping[str, Any]], Outline]

    @property
    def keys(self) -> frozenset[str]:
        """The keys at the top of a file."""
        return frozenset(self.schema["properties"])


def examine(
    path: str | os.PathLike[str], choices: Iterable[Format], search: Iterable[str] = ()
) -> tuple[Format, Findings]:
    """Find all problems of a file that can be found without importing the classes it names.

    Args:
        path: the file.
        choices: the formats it may have, the likeliest first; the one that knows most of its keys is taken.
        search: folders that come before `sys.path` when a class is looked for.

    Returns:
        The format and the findings. No content of a file makes it raise.
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
    """Read a file of this format; the classes it names are not imported yet.

    Raises:
        ConfigError: the file has problems; it lists all of them.
    """
    _, findings = examine(path, [form])
    findings.raise_if_any()
    return findings


def installed() -> list[Format]:
    """Return the formats of the installed distributions; one that cannot be imported is left out."""
    found = []
    for entry in entry_points(group=GROUP):
        try:
            form = entry.load()
        except ImportError:
            continue
        if isinstance(form, Format):
            found.append(form)
    return found
