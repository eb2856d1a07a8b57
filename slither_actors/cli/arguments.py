"""The arguments of the command line, checked and turned into frozen records."""

from __future__ import annotations

import argparse
import math
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from slither_actors import __version__
from slither_actors.cli import config_command
from slither_actors.cli.order import Ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROGRAM = "slither-actors"

# A slow pipe (`tail -f`) shows results without a visible delay, and a fast one still fills its batches.
LINGER = 0.05

DEFAULT_ATTEMPTS = 3

START_TIMEOUT = 60.0

MAP_EPILOG = """\
Each line of INPUT is one JSON value; each result is one line of OUTPUT. The workers keep running between batches.
Numbers and arrays of numpy are written as numbers and lists; Decimal, date, time, datetime, UUID and Path as text. A
result that JSON has no form for (sets, bytes, NaN) is a failure of its input.

--on-error says what becomes of a batch whose function raised, whose worker died or which took longer than --timeout:
  halt       results of what came before are written, then the run fails (exit code 1)
  skip       its inputs are left out of the output and counted (exit code 3)
  retry[:N]  it is run again, N times in all (3 unless said); then as skip where --errors is given, else as halt
--split isolates the one bad input of a batch: a batch that failed is halved, and its halves are run on their own.
With --each a crash or a timeout costs the one input that it was at, and --split has nothing to look for.

Options may stand before, between and behind MODULE:FUNCTION and INPUT; what follows -- is no option.

exit codes: 0 every input has a result, 3 some or all inputs failed and were left out, 1 the run was ended by a failure,
2 bad usage, 130 and 143 ended by SIGINT and SIGTERM

Ctrl-C and SIGTERM stop the reading; what is in flight is delivered, for up to 2 s. A second one ends at once. The
summary counts the inputs that have no result then.

examples:
  printf '1\\n2\\n3\\n' | slither-actors map operator:neg --each
  slither-actors map my_model:predict_batch rows.jsonl -o scores.jsonl --batch-size 32 --workers 4
  tail -f events.jsonl | slither-actors map enrich:batch --on-error retry:5 --split --errors failed.jsonl
"""


@dataclass(frozen=True, slots=True)
class OnError:
    """``--on-error`` and ``--split``, before there is a policy of the library's."""

    kind: Literal["halt", "skip", "retry"]
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class MapArguments:
    """``slither-actors map``."""

    module: str
    function: str
    input: str | None
    output: str | None
    errors: str | None
    each: bool
    workers: int
    batch_size: int | None
    max_in_flight: int
    ordering: Literal["preserve", "as_completed"]
    on_error: OnError
    split: bool
    timeout: float | None
    linger: float
    path: tuple[str, ...]
    python: str | None
    start_timeout: float
    max_restarts: int | Literal["auto"] | None
    verbose: bool

    @property
    def failures_end_the_run(self) -> bool:
        """Whether an input that cannot be served, at last, fails the run (else it is left out and counted)."""
        if self.on_error.kind == "retry":
            return self.errors is None
        return self.on_error.kind == "halt"


@dataclass(frozen=True, slots=True)
class DemoArguments:
    """``slither-actors demo``."""

    directory: str | None
    workers: int
    kill: bool
    verbose: bool


@dataclass(frozen=True, slots=True)
class Arguments:
    """One command with its arguments; only that command's field may be read."""

    command: Literal["map", "demo", "config"]
    _map: MapArguments | None = None
    _demo: DemoArguments | None = None
    _config: config_command.ConfigArguments | None = None

    @property
    def map(self) -> MapArguments:
        """The arguments of ``map``."""
        assert self._map is not None
        return self._map

    @property
    def demo(self) -> DemoArguments:
        """The arguments of ``demo``."""
        assert self._demo is not None
        return self._demo

    @property
    def config(self) -> config_command.ConfigArguments:
        """The arguments of ``check``, ``show`` and ``schema``."""
        assert self._config is not None
        return self._config


def parse(argv: Sequence[str]) -> Arguments:
    """Return the command that `argv` asks for.

    Args:
        argv: the arguments, without the program's name.

    Raises:
        SystemExit: with code 2 and a message on stderr on bad usage; with code 0 after help and version.
    """
    parser, commands = _parsers()
    map_parser = commands["map"]
    at = next((at for at, argument in enumerate(argv) if argument in commands), None)
    if at is not None and not any(argument in ("-h", "--help", "--version") for argument in argv[:at]):
        argv = [*argv[: at + 1], *_in_order(argv[at + 1 :], argv[at], commands[argv[at]])]
    given = parser.parse_args(argv)
    if given.command == "demo":
        return Arguments("demo", _demo=DemoArguments(given.directory, given.workers, given.kill, given.verbose))
    if given.command in ("check", "show", "schema"):
        return Arguments("config", _config=config_command.parsed(given))
    module, function = given.target
    return Arguments("map", _map=_map_arguments(given, module, function, map_parser.error))


def _in_order(argv: Sequence[str], command: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return the arguments of a command in the order that argparse takes: its options first."""
    ordered = Ordered(argv, parser)
    asks = {"-h", "--help"}.intersection(argv)
    if ordered.unknown and not asks:
        from supervisors.wording import did_you_mean  # only when something is wrong: the command starts faster

        said = [option + did_you_mean(option, ordered.known) for option in ordered.unknown]
        parser.error(f"unrecognized arguments: {'; '.join(said)}")
    if command == "map" and len(ordered.positionals) > 2 and not asks:
        files = ordered.positionals[1:]
        parser.error(
            f"one INPUT only, and {len(files)} are given: {' '.join(files)}; put them together: "
            f"cat {' '.join(files)} | {PROGRAM} map {ordered.positionals[0]} ..."
        )
    return ordered.argv


def _map_arguments(
    given: argparse.Namespace, module: str, function: str, refuse: Callable[[str], NoReturn]
) -> MapArguments:
    python = given.python
    if python is not None:
        python = shutil.which(python)
        if python is None:
            refuse(f"argument --python: no such program: {given.python!r}")
    for folder in given.path:
        if not os.path.isdir(folder):
            refuse(f"argument --path: no such folder: {folder!r}")
    return MapArguments(
        module=module,
        function=function,
        input=_unless_dash(given.input),
        output=_unless_dash(given.output),
        errors=given.errors,
        each=given.each,
        workers=given.workers,
        batch_size=given.batch_size,
        max_in_flight=given.max_in_flight if given.max_in_flight is not None else given.workers,
        ordering=given.ordering.replace("-", "_"),
        on_error=given.on_error,
        split=given.split,
        timeout=given.timeout,
        linger=given.linger,
        path=tuple(os.path.abspath(folder) for folder in given.path),
        python=python,
        start_timeout=given.start_timeout,
        max_restarts=given.max_restarts,
        verbose=given.verbose,
    )


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of the program, and those of its commands by name."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Batched work on long-lived Python worker processes.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    map_parser = commands.add_parser(
        "map",
        help="call a function on every line of a JSON Lines file or pipe",
        description="Call a function on batches of JSON Lines, in worker processes.",
        epilog=MAP_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_map(map_parser)
    _add_verbose(map_parser)
    demo = commands.add_parser(
        "demo",
        help="read the whole standard library of this Python and say what is in it",
        description="Parse every Python source file of the standard library in worker processes, and count.",
        allow_abbrev=False,
    )
    demo.add_argument("directory", nargs="?", metavar="DIRECTORY", type=_folder, help="read this folder instead")
    demo.add_argument("--kill", action="store_true", help="kill workers at random meanwhile; the table is the same")
    demo.add_argument("--workers", type=_at_least_one, default=_processors(), metavar="N", help="(one a processor)")
    _add_verbose(demo)
    config_command.add_commands(commands)
    return parser, dict(commands.choices)


def _add_map(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("target", type=_target, metavar="MODULE:FUNCTION", help="takes a list of inputs, returns a list of results")
    add("input", nargs="?", metavar="INPUT", help="JSON Lines file (standard input)")
    add("-o", "--output", metavar="OUTPUT", help="where results go (standard output)")
    add("--errors", metavar="FILE", help="where inputs that failed go, with their reasons, as JSON Lines")
    add("--each", action="store_true", help="the function takes one input at a time, not a list")
    add("--workers", type=_at_least_one, default=_processors(), metavar="N", help="worker processes (one a processor)")
    add("--batch-size", type=_at_least_one, metavar="N", help="inputs a batch (64)")
    add("--max-in-flight", type=_at_least_one, metavar="N", help="batches executing at once (as many as --workers)")
    add(
        "--ordering",
        choices=("preserve", "as-completed"),
        default="preserve",
        # Python's spelling is taken too: it is what the library's own option wants.
        type=lambda text: text.replace("_", "-"),
        help="results in the order of the inputs, or as they come (preserve)",
    )
    add("--on-error", type=_on_error, default=OnError("halt"), metavar="skip|halt|retry[:N]", help="see below (halt)")
    add("--split", action="store_true", help="halve a batch that failed, to find the one bad input")
    add(
        "--timeout",
        type=_seconds_or_none,
        default=30.0,
        metavar="SECONDS",
        help="for a batch, with --each an input; 'none' lifts it (30)",
    )
    add("--linger", type=_seconds, default=LINGER, metavar="SECONDS", help=f"a part-filled batch waits ({LINGER})")
    add(
        "--path",
        action="append",
        default=[],
        metavar="DIR",
        help="put first on the workers' sys.path; may be repeated (the current directory is always there)",
    )
    add("--python", metavar="PROGRAM", help="the workers' interpreter; it needs msgpack (this one)")
    add(
        "--start-timeout",
        type=_seconds,
        default=START_TIMEOUT,
        metavar="SECONDS",
        help=f"for a worker to start, and to import the function ({START_TIMEOUT:g})",
    )
    add(
        "--max-restarts",
        type=_restarts,
        default="auto",
        metavar="N",
        help="workers that die more often end the run; 'none' lifts it (20, or 4 for each worker if more)",
    )


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="show what is logged, on standard error")


def _processors() -> int:
    from slither_actors import PoolSpec

    return PoolSpec().size  # its default respects CPU affinity, quotas and PYTHON_CPU_COUNT


def _unless_dash(name: str | None) -> str | None:
    return None if name == "-" else name


def _target(text: str) -> tuple[str, str]:
    module, colon, function = text.partition(":")
    for part in (module, function):
        if not colon or not all(word.isidentifier() for word in part.split(".")):
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form MODULE:FUNCTION, like 'package.module:name'")
    return module, function


def _at_least_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not math.isfinite(number) or number <= 0:
        raise argparse.ArgumentTypeError(f"must be a finite number of seconds above 0, not {text}")
    return number


def _seconds_or_none(text: str) -> float | None:
    return None if text == "none" else _seconds(text)


def _restarts(text: str) -> int | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    return None if text == "none" else _at_least_one(text)


def _on_error(text: str) -> OnError:
    kind, colon, attempts = text.partition(":")
    if kind == "retry":
        return OnError("retry", _at_least_one(attempts) if colon else DEFAULT_ATTEMPTS)
    if text == "halt":
        return OnError("halt")
    if text == "skip":
        return OnError("skip")
    raise argparse.ArgumentTypeError(f"{text!r} is none of halt, skip, retry, retry:N")


def _folder(text: str) -> str:
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"no such folder: {text!r}")
    return text
