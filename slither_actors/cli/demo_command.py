"""``slither-actors demo``: the table on standard output, everything else on standard error."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING, Any

from slither_actors.cli.display import TICKS_A_REDRAW, Display, Ticker
from slither_actors.cli.logs import logs
from slither_actors.cli.progress import Progress, Rate, counted, format_elapsed, seconds_left
from slither_actors.cli.signals import Interrupted, Signals
from slither_actors.demos.survey import Outcome, find_sources, standard_library, survey
from slither_actors.demos.table import FANCY, PLAIN, format_table
from slither_actors.errors import SlitherError

if TYPE_CHECKING:
    from slither_actors.cli.arguments import DemoArguments
    from slither_actors.demos.report import Report


def run(arguments: DemoArguments) -> int:
    """Carry out the command; the exit code."""
    display = Display()
    # No grace: nothing is lost by an end at once.
    signals = Signals(on_first=lambda: None, grace=0)
    try:
        with signals, logs(display, arguments.verbose):
            return _run(arguments, display)
    except Interrupted:
        display.say(f"ended by {signals.name}")
        return signals.exit_code
    except SlitherError as error:
        display.say(str(error))
        return 1
    except BrokenPipeError:
        # What reads the table has gone. Python would try to flush the rest at exit, and complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return 0


def _run(arguments: DemoArguments, display: Display) -> int:
    if arguments.directory is None:
        directory = standard_library()
        title = f"The standard library of {platform.python_implementation()} {platform.python_version()}"
    else:
        directory = os.path.abspath(arguments.directory)
        title = f"Python files in {directory}"
    files = find_sources(directory)
    display.say(f"{len(files):,} source files in {directory}, {arguments.workers} workers")
    began = time.monotonic()
    watching = _Watching(display, len(files))
    with Ticker(watching.tick):
        outcome = survey(directory, files, workers=arguments.workers, kill=arguments.kill, watch=watching.start)
    display.clear()
    # Plain unless a person reads it, and in ASCII where the terminal could not show more.
    fancy = sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    table = format_table(title, outcome.report, FANCY if fancy else PLAIN)
    # File names may hold bytes that are no text in this encoding.
    sys.stdout.buffer.write(table.encode(sys.stdout.encoding or "ascii", "backslashreplace"))
    sys.stdout.flush()
    display.say(_closing(outcome, len(files), time.monotonic() - began))
    return 0


def _closing(outcome: Outcome, files: int, seconds: float) -> str:
    parts = [
        f"{counted(files, 'file', 'files')} in {format_elapsed(seconds)}",
        f"{counted(outcome.retries, 'batch', 'batches')} run again",
    ]
    if outcome.killed:
        parts.append(f"{counted(outcome.killed, 'worker', 'workers')} killed meanwhile")
    return ", ".join(parts)


class _Watching:
    """Draws how far the survey is."""

    def __init__(self, display: Display, files: int) -> None:
        self._display = display
        self._files = files
        self._rate = Rate()
        self._began = time.monotonic()
        self._stream: Any = None
        self._report: Report | None = None

    def start(self, stream: Any, report: Report) -> None:
        self._report = report
        self._stream = stream

    def tick(self, number: int) -> None:
        if self._stream is None or self._report is None or number % TICKS_A_REDRAW:
            return
        now = time.monotonic()
        failed = len(self._report.unparsed)
        done = self._report.code.files + self._report.tests.files + failed
        fraction = done / self._files if self._files else None
        statistics = self._stream.statistics()
        self._display.show(
            Progress(
                done=done,
                rate=self._rate.update(now, done),
                in_flight=statistics.in_flight,
                retries=statistics.retries,
                failed=failed,
                fraction=fraction,
                left=seconds_left(now - self._began, fraction),
            )
        )
