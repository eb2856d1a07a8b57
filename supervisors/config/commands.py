"""The commands on configuration files, for ``python -m supervisors`` and for programs with more formats.

Exit codes: 0 nothing is wrong, 2 something is (or bad usage).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from supervisors.config.errors import ConfigError

if TYPE_CHECKING:
    from supervisors.config.cursor import Findings
    from supervisors.config.formats import Format

__all__ = ["add_commands", "carry_out", "run"]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check`, `show` and `schema` to a parser's commands."""
    check = commands.add_parser(
        "check",
        help="say everything that is wrong with a configuration file",
        description="Say everything that is wrong with a configuration file, a line each. Nothing is started. Classes "
        "are looked for, without running their code, in the file's folder, the current one and on sys.path.",
        allow_abbrev=False,
    )
    show = commands.add_parser(
        "show",
        help="draw the tree that a configuration file describes",
        description="Draw the tree that a configuration file describes. Nothing is started.",
        allow_abbrev=False,
    )
    for parser in (check, show):
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--path", action="append", default=[], metavar="DIR", help="look for classes here, too")
    check.add_argument("--import", action="store_true", dest="imports", help="import the classes too: runs their code")
    commands.add_parser(
        "schema",
        help="print the JSON Schema of configuration files",
        description="Print the JSON Schema (draft 2020-12) of configuration files, for editors.",
        allow_abbrev=False,
    )


def run(given: argparse.Namespace, formats: Sequence[Format]) -> int:
    """`carry_out` of what was parsed."""
    if given.command == "schema":
        return carry_out("schema", formats)
    imports = getattr(given, "imports", False)
    return carry_out(given.command, formats, given.file, search=given.path, imports=imports)


def carry_out(
    command: str,
    formats: Sequence[Format],
    file: str | None = None,
    *,
    search: Sequence[str] = (),
    imports: bool = False,
) -> int:
    """Carry out one of the commands.

    Args:
        command: "check", "show" or "schema".
        formats: the formats that a file may have; `schema` prints that of the first.
        file: the file, for "check" and "show".
        search: folders to look for classes in first.
        imports: `check` imports the classes, too.

    Returns:
        The exit code.
    """
    if file is None:
        _write(json.dumps(formats[0].schema, indent=2), sys.stdout)
        return 0
    from supervisors.config.formats import examine

    # As a script in the file's folder would find them, then as `python -m` would.
    folders = [*search, os.path.dirname(os.path.abspath(file)), os.getcwd()]
    form, findings = examine(file, formats, folders)
    try:
        findings.raise_if_any()
        if imports:
            _import(findings, folders)
    except ConfigError as error:
        _write("\n".join(error.lines()), sys.stdout if command == "check" else sys.stderr)
        return 2
    outline = form.outline(findings.document.root.plain())
    if command == "check":
        _write(f"{file}: ok, a {form.name} with {outline.count} parts", sys.stdout)
    else:
        fancy = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        _write(outline.draw(ascii_only=not fancy), sys.stdout)
    return 0


def _import(findings: Findings, search: Sequence[str]) -> None:
    from supervisors.config.tree_config import check_classes

    before = sys.path[:]
    sys.path[:0] = search
    try:
        check_classes(findings)
    finally:
        sys.path[:] = before


def _write(text: str, stream: TextIO) -> None:
    # File names may hold bytes that are no text in this encoding, and the reader may have gone.
    data = f"{text}\n".encode(stream.encoding or "ascii", "backslashreplace")
    try:
        stream.write(data.decode(stream.encoding or "ascii"))
        stream.flush()
    except BrokenPipeError:
        # Python would try to flush the rest at exit, and complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
