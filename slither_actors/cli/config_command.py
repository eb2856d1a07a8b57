"""``slither-actors check``, ``show`` and ``schema``: as of ``python -m supervisors``, on files of a System."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CHECK = """\
Say everything that is wrong with a configuration file, one line each: file:line:column: path: what, and the remedy.
Nothing is started, and no code of the classes it names is run: they are looked for in the file's folder, in the current
one and where this Python looks. With --import they are imported as the service would.
"""


@dataclass(frozen=True, slots=True)
class ConfigArguments:
    """``slither-actors check``, ``show`` and ``schema``."""

    command: Literal["check", "show", "schema"]
    file: str | None = None
    path: Sequence[str] = ()
    imports: bool = False


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser, without importing `supervisors`: --help need not wait for the runtime."""
    check = commands.add_parser(
        "check",
        help="say everything that is wrong with a configuration file",
        description=CHECK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    show = commands.add_parser(
        "show",
        help="draw the tree that a configuration file describes",
        description="Draw the tree that a configuration file describes. Nothing is started.",
        allow_abbrev=False,
    )
    for parser in (check, show):
        parser.add_argument("file", metavar="FILE", help="a configuration in YAML")
        parser.add_argument("--path", action="append", default=[], metavar="DIR", help="look for classes here first")
    check.add_argument("--import", action="store_true", dest="imports", help="import the classes: runs their modules")
    commands.add_parser(
        "schema",
        help="print the JSON Schema of configuration files, for editors",
        description="Print the JSON Schema (draft 2020-12) of configuration files, for editors.",
        allow_abbrev=False,
    )


def parsed(given: argparse.Namespace) -> ConfigArguments:
    """Return the parsed arguments of one of the commands."""
    if given.command == "schema":
        return ConfigArguments("schema")
    return ConfigArguments(given.command, given.file, tuple(given.path), getattr(given, "imports", False))


def run(arguments: ConfigArguments) -> int:
    """Carry out the command; the exit code: 0, or 2 if something is wrong with the file."""
    from slither_actors.system.config import SYSTEM
    from supervisors.config.commands import carry_out
    from supervisors.config.tree_config import TREE

    return carry_out(
        arguments.command, [SYSTEM, TREE], arguments.file, search=arguments.path, imports=arguments.imports
    )
