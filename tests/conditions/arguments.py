"""What the command line chooses."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from .known import CONDITIONS, Condition


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which conditions, how many times each, and the arguments of pytest."""

    conditions: list[Condition]
    times: int
    pytest: list[str]


def parse(argv: Sequence[str]) -> Chosen:
    """The choice of ``[NAME ...] [--times N] [-- pytest arguments]``.

    Raises:
        SystemExit: of argparse, for ``--help``, ``--list`` and bad usage.
    """
    ours = list(argv)
    pytest: list[str] = []
    if "--" in ours:
        at = ours.index("--")
        ours, pytest = ours[:at], ours[at + 1 :]
    parser = argparse.ArgumentParser(
        prog="python -m tests.conditions",
        description="Runs the suite under conditions that make what is rare happen.",
        epilog="What follows -- goes to pytest: python -m tests.conditions cpu-hog -- tests/faults -x",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CONDITIONS)}; all unless given")
    parser.add_argument("--times", type=_count, default=1, metavar="N", help="run each so often, to find what is rare")
    parser.add_argument("--list", action="store_true", help="say what each condition is, and end")
    given = parser.parse_args(ours)
    if given.list:
        width = max(map(len, CONDITIONS))
        print("\n".join(f"{name:{width}}  {condition.told}" for name, condition in CONDITIONS.items()))
        parser.exit()
    for name in given.names:
        if name not in CONDITIONS:
            parser.error(f"no condition {name!r}; there are {', '.join(CONDITIONS)}. Pytest's arguments come after --")
    return Chosen([CONDITIONS[name] for name in dict.fromkeys(given.names or CONDITIONS)], given.times, pytest)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a number of 1 or more: {text!r}")
    return int(text)
