"""``python -m supervisors check FILE | show FILE | schema``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from supervisors.config.commands import add_commands, run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments behind the program's name; those of the process if None.

    Returns:
        The exit code: 0, or 2 if something is wrong with the file.

    Raises:
        SystemExit: on bad usage (code 2) and after ``--help`` (code 0), as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="python -m supervisors", description="Supervision trees from YAML.", allow_abbrev=False
    )
    add_commands(parser.add_subparsers(dest="command", metavar="COMMAND", required=True))
    given = parser.parse_args(sys.argv[1:] if argv is None else argv)
    # After the arguments: help and bad usage need not wait for these.
    from supervisors.config.formats import installed
    from supervisors.config.tree_config import TREE

    return run(given, [TREE, *installed()])


if __name__ == "__main__":
    sys.exit(main())
