"""The command line: ``slither-actors map``, ``demo``, and ``check``, ``show`` and ``schema`` for configurations.

Exit codes of ``map``: 0 every input has a result, 3 some or all inputs failed and were left out, 1 the run was ended by
a failure, 2 bad usage, 130 and 143 ended by SIGINT and SIGTERM. The others: 0 done, 1 failed, 2 bad usage or a wrong
configuration.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from slither_actors.cli.arguments import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments behind the program's name; those of the process if None.

    Returns:
        The exit code.

    Raises:
        SystemExit: on bad usage (code 2) and after ``--help`` and ``--version`` (code 0), as argparse does.
    """
    arguments = parse(sys.argv[1:] if argv is None else argv)
    # Each command is imported when it is asked for: ``--help`` need not wait for the runtime.
    if arguments.command == "demo":
        from slither_actors.cli import demo_command

        return demo_command.run(arguments.demo)
    if arguments.command == "config":
        from slither_actors.cli import config_command

        return config_command.run(arguments.config)
    from slither_actors.cli import map_command

    return map_command.run(arguments.map)
