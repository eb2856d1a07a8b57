"""Options and positional arguments in any order: argparse stops to match positionals where options stand between them.

``parse_intermixed_args`` of argparse does this for parsers without subcommands only, and loses ``--``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_NEGATIVE_NUMBER = re.compile(r"-\d+$|-\d*\.\d+$")


class Ordered:
    """The arguments of one command, sorted into options and positionals.

    Args:
        argv: the arguments behind the command's name.
        parser: of the command; every option of it takes one value or none.
    """

    def __init__(self, argv: Sequence[str], parser: argparse.ArgumentParser) -> None:
        self.positionals: list[str] = []
        self.unknown: list[str] = []
        """Options that the parser does not have."""
        self.known = {option: action.nargs != 0 for action in parser._actions for option in action.option_strings}
        """Each option that there is, with whether it takes a value."""
        self._options: list[str] = []
        rest = list(argv)
        while rest:
            argument = rest.pop(0)
            if argument == "--":
                self.positionals += rest
                break
            if not _is_option(argument):
                self.positionals.append(argument)
                continue
            self._options.append(argument)
            if self._takes_next(argument) and rest and not _is_option(rest[0]) and rest[0] != "--":
                self._options.append(rest.pop(0))

    @property
    def argv(self) -> list[str]:
        """The options, then the positionals."""
        return [*self._options, "--", *self.positionals] if self.positionals else self._options

    def _takes_next(self, argument: str) -> bool:
        """Whether the value of an option is the next argument; notes what is no option."""
        if argument.startswith("--"):
            name, equals, _ = argument.partition("=")
            if name not in self.known:
                self.unknown.append(name)
                return False
            return self.known[name] and not equals
        for at, letter in enumerate(argument[1:], 1):  # -vo FILE, -oFILE
            name = f"-{letter}"
            if name not in self.known:
                self.unknown.append(argument if at == 1 else name)
                return False
            if self.known[name]:
                return at == len(argument) - 1
        return False


def _is_option(argument: str) -> bool:
    # A dash alone is a file's name, and "-1" the (bad) value of a number: argparse sees both so.
    return len(argument) > 1 and argument[0] == "-" and argument != "--" and not _NEGATIVE_NUMBER.match(argument)
