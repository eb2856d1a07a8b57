"""The benchmark: `python -m tests.benchmarks [WORKLOAD ...]`, or `make bench`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import machine, report
from .figures import IMAP, OURS, Book, Figures
from .goals import judge
from .peers import PEERS
from .processes import ChildFailed
from .settings import Settings
from .suite import SUITE, TITLES, measure_apart, measure_into


def _parser() -> argparse.ArgumentParser:
    workloads = "\n".join(f"  {letter}  {title}" for letter, title in TITLES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=f"{OURS} and other pools in turn, in the same rounds. A table in Markdown goes to standard output.",
        epilog=f"workloads:\n{workloads}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="their letters; all unless given")
    parser.add_argument("--rounds", type=_rounds, default=7, help="that count, after one that does not (default 7)")
    parser.add_argument(
        "--peers",
        type=_peers,
        default=tuple(PEERS),
        metavar="NAME,...",
        help=f"who takes part beside {OURS} and {IMAP}, of {', '.join(PEERS[1:])}; all unless given, none if empty",
    )
    parser.add_argument("--scale", type=_scale, default=1.0, help="of the number of payloads, for a quick look")
    parser.add_argument("--goals", action="store_true", help="tell each goal, its figure, and whether it is reached")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there, too")
    parser.add_argument("--into", help=argparse.SUPPRESS)  # measure the one workload here, and write it to this file
    return parser


def _rounds(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def _scale(text: str) -> float:
    if not 0 < (scale := float(text)) <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return scale


def _peers(text: str) -> tuple[str, ...]:
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    return tuple(name for name in PEERS if name in names or name == IMAP)


def main(argv: list[str] | None = None) -> int:
    """Measure, and tell.

    Returns:
        The exit code: 1 if a workload could not be measured.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    settings = Settings(arguments.rounds, arguments.peers, arguments.scale)
    letters = [letter.upper() for letter in arguments.workloads] or list(SUITE)
    for letter in letters:
        if letter not in SUITE:
            parser.error(f"there is no workload {letter}; there are {', '.join(SUITE)}")
    if arguments.into is not None:
        measure_into(letters[0], settings, arguments.into)
        return 0
    where = machine.describe()  # first, for the load average is to be that without us
    figures, failed = _measure(letters, settings)
    book = Book(figures)
    goals = judge(book)
    text = report.markdown(book, where, goals if arguments.goals else (), settings.scale)
    print(text)
    if arguments.markdown is not None:
        arguments.markdown.write_text(text)
    if arguments.json is not None:
        arguments.json.write_text(report.json_text(book, where, goals, settings, failed))
    return 1 if failed else 0


def _measure(letters: list[str], settings: Settings) -> tuple[list[Figures], dict[str, str]]:
    """Their figures, and of those that failed why. Tells on standard error how far it is."""
    measured: list[Figures] = []
    failed: dict[str, str] = {}
    for letter in letters:
        begin = time.monotonic()
        try:
            figures = measure_apart(letter, settings)
        except ChildFailed as error:
            failed[letter] = str(error)
            print(f"{letter}  {TITLES[letter]}: {error}", file=sys.stderr, flush=True)
            continue
        measured += figures
        told = "\n".join(report.lines(each) for each in figures)
        print(f"{told}\n   ({time.monotonic() - begin:.0f} s)\n", file=sys.stderr, flush=True)
    return measured, failed


if __name__ == "__main__":
    sys.exit(main())
