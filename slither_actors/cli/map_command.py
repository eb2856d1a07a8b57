"""``slither-actors map``: JSON Lines through a function on workers, and out again."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from slither_actors import DispatchError, Item, PoolSpec, Retry, System
from slither_actors.cli.display import TICKS_A_REDRAW, Display, Ticker
from slither_actors.cli.files import Files
from slither_actors.cli.lines import LineSource, MalformedLine, parse_line
from slither_actors.cli.logs import logs
from slither_actors.cli.progress import Progress, Rate, format_summary, seconds_left
from slither_actors.cli.records import NotJson, brief, error_record, json_line, stack_of
from slither_actors.cli.signals import Interrupted, Signals
from slither_actors.cli.translate import translated
from slither_actors.cli.writer import LineWriter, WriteFailed
from slither_actors.errors import LoadError, OptionError, PoolUnavailable, SlitherError, WorkerError
from slither_actors.executors import SnakeBridge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slither_actors.cli.arguments import MapArguments

BAD_USAGE = 2
RUN_FAILED = 1
SOME_FAILED = 3


def run(arguments: MapArguments) -> int:
    """Carry out the command; the exit code."""
    display = Display()
    with contextlib.ExitStack() as context:
        try:
            files = Files(arguments.input, arguments.output, arguments.errors, context)
        except OSError as error:
            display.say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            return BAD_USAGE
        context.enter_context(logs(display, arguments.verbose))
        return Mapping(arguments, files, display).run()


class Mapping:
    """One run of the command.

    The input is read by a thread of the run (`_items`), results are written by the main thread, and the ticker's
    thread flushes and draws. Each counter below has one writer.
    """

    def __init__(self, arguments: MapArguments, files: Files, display: Display) -> None:
        self._arguments = arguments
        self._display = display
        self._source = LineSource(files.input)
        # Results on the terminal that the moving line is on: it makes room for them.
        clear = display.clear if display.enabled and os.isatty(files.output) else None
        self._output = LineWriter(files.output, arguments.output or "standard output", before_write=clear)
        self._errors: LineWriter | None = None
        if files.errors is not None:
            self._errors = LineWriter(files.errors, str(arguments.errors))
        self._signals = Signals(on_first=self._source.stop)
        self._rate = Rate()
        self._began = time.monotonic()
        self._stream: Any = None
        self._lines = 0  # read and given to the run; by the reading thread, like the next one
        self._malformed = 0
        self._results = 0  # by the main thread, like the next one
        self._failed = 0
        self._unfinished = 0
        # What has no outcome yet, by line, where it may have to be reported: filled by the reading thread.
        self._inputs: dict[int, Any] = {}
        self._reasons: list[tuple[int, str]] = []  # of the first of those and of the malformed: a line, and why

    def run(self) -> int:
        """Carry it out; the exit code."""
        code, ending = 0, ""
        # A second signal may come at any moment, also while the run that the first one ended is being put away.
        with contextlib.suppress(Interrupted), self._signals, Ticker(self._tick):
            code, ending = self._guarded()
        if self._signals.received is not None:
            code, ending = self._signals.exit_code, f"ended by {self._signals.name}"
        failed = self._failed + self._malformed
        if code == 0 and failed:
            code = SOME_FAILED
            if not ending and not self._results:
                ending = "all inputs failed"
        summary = format_summary(
            ending,
            self._output.written,
            failed,
            self._stream.statistics().retries if self._stream is not None else 0,
            time.monotonic() - self._began,
            unfinished=self._unfinished,
            unwritten=self._results - self._output.written,
        )
        if code == SOME_FAILED and self._errors is None and self._reasons:
            line, reason = min(self._reasons)
            summary = f"{summary}; line {line}: {reason} (--errors FILE keeps every reason)"
        self._display.say(summary)
        return code

    def _guarded(self) -> tuple[int, str]:
        """Execute the run; return an exit code and a word for the summary, however the run ends."""
        try:
            self._dispatch()
            self._flush()
        except WriteFailed as error:
            if error.closed:
                return 0, "output closed"
            self._display.say(str(error))
            return RUN_FAILED, "failed"
        except OptionError as error:
            self._display.say(translated(error))
            return BAD_USAGE, "failed"
        except DispatchError as error:
            # What the source raised, a malformed line, is reported as it is: it names the line.
            if isinstance(error.reason, SlitherError):
                self._unfinished = len(set(error.unfinished).difference(error.failed))
            self._display.say(_told(error))
            return RUN_FAILED, "failed"
        except (SlitherError, MalformedLine, NotJson, OSError) as error:
            self._display.say(translated(error) or brief(error))
            return RUN_FAILED, "failed"
        return 0, ""

    def _dispatch(self) -> None:
        try:
            self._stream_through()
        except Interrupted:
            for writer in self._writers():
                writer.flush_what_fits()
            raise
        except WriteFailed:
            raise
        except Exception:
            self._flush()
            raise

    def _stream_through(self) -> None:
        arguments = self._arguments
        pool = PoolSpec(
            size=arguments.workers,
            path=[*arguments.path, os.getcwd()],
            python=arguments.python,
            start_timeout=arguments.start_timeout,
            max_restarts=arguments.max_restarts,
        )
        options: dict[str, Any] = {} if arguments.batch_size is None else {"batch_size": arguments.batch_size}
        with System(pools={"default": pool}) as system:
            stream = system.dispatch.stream(
                self._items(),
                executor=SnakeBridge,
                module=arguments.module,
                function=arguments.function,
                each=arguments.each,
                pool="default",
                max_in_flight=arguments.max_in_flight,
                ordering=arguments.ordering,
                on_error=_policy(arguments),
                timeout=arguments.timeout,
                linger=arguments.linger,
                **options,
            )
            self._stream = stream
            with stream:
                try:
                    for item in stream:
                        self._take(item)
                except DispatchError as error:
                    self._take_failed(error)
                    self._take_partial(error)
                    raise
                except Interrupted:
                    self._unfinished = self._lines - self._results - self._failed
                    system.stop(0.0)  # the workers had their time; what hangs is not asked again
                    raise

    def _items(self) -> Iterator[Item]:
        """Yield the input, each line under its number as id. Runs on a thread of the run."""
        ends_the_run = self._arguments.failures_end_the_run
        first = True
        for number, line in self._source:
            if line is not None and not line.strip():
                continue  # blank lines are no values, and editors leave them
            is_first, first = first, False
            try:
                payload = parse_line(number, line, first=is_first)
            except MalformedLine as error:
                self._malformed += 1
                self._report(number, error.text, error)
                if ends_the_run:
                    raise
                continue
            self._lines += 1
            if self._errors is not None:
                self._inputs[number] = payload
            yield Item(number, payload)

    def _take(self, item: Item) -> None:
        given = self._inputs.pop(item.id, None)
        if item.meta.get("skipped"):
            self._failed += 1
            self._report(item.id, item.payload, item.meta["error"])
            return
        try:
            line = json_line(item.payload)
        except NotJson as error:
            self._failed += 1
            self._report(item.id, given, error)
            if self._arguments.failures_end_the_run:
                raise NotJson(f"line {item.id}: {error}") from None
            return
        self._output.write(line)
        self._results += 1

    def _take_failed(self, error: DispatchError) -> None:
        """Count and report the inputs whose failure ends the run."""
        if isinstance(error.reason, SlitherError):
            for line in error.failed:
                self._failed += 1
                self._report(line, self._inputs.pop(line, None), error.reason)

    def _take_partial(self, error: DispatchError) -> None:
        """Deliver what was done before the failure.

        Results that wait behind the failed batch for their turn are not: in order means that line n of the output
        is that of input n.
        """
        first_missing = min(error.unfinished, default=None)
        for item in error.partial_results:
            if self._arguments.ordering == "as_completed" or first_missing is None or item.id < first_missing:
                self._take(item)

    def _report(self, line: int, value: Any, error: BaseException) -> None:
        if (self._malformed if isinstance(error, MalformedLine) else self._failed) == 1:
            self._reasons.append((line, brief(error)))
        if self._errors is not None:
            self._errors.write(json_line(error_record(line, value, error)))

    def _writers(self) -> list[LineWriter]:
        return [self._output] if self._errors is None else [self._errors, self._output]

    def _flush(self) -> None:
        for writer in self._writers():
            writer.flush()

    def _tick(self, number: int) -> None:
        try:
            self._flush()
        except WriteFailed:
            # The main thread may wait for a result that never comes; it learns of this with its next write or flush.
            self._source.stop()
        if number % TICKS_A_REDRAW == 0 and self._stream is not None:
            self._display.show(self._progress(time.monotonic()))

    def _progress(self, now: float) -> Progress:
        statistics = self._stream.statistics()
        failed = self._failed + self._malformed
        done = self._results + failed
        read = self._lines + self._malformed
        fraction = None
        if self._source.size and read:
            # Bytes are known of what was read, not of what came out: the window between the two is taken off.
            fraction = self._source.offset / self._source.size * done / read
        return Progress(
            done=done,
            rate=self._rate.update(now, done),
            in_flight=statistics.in_flight,
            retries=statistics.retries,
            failed=failed,
            fraction=fraction,
            left=seconds_left(now - self._began, fraction),
            stopping=self._signals.received is not None,
        )


def _policy(arguments: MapArguments) -> Any:
    """``--on-error`` and ``--split`` as the library's policy."""
    then = "halt" if arguments.failures_end_the_run else "skip"
    if arguments.on_error.kind == "retry" or arguments.split:
        return Retry(max_attempts=arguments.on_error.attempts, split=arguments.split, then=then)
    return then


def _told(error: DispatchError) -> str:
    """Describe a run's failure in lines, not batches."""
    reason = error.reason
    if isinstance(reason, MalformedLine):
        return str(reason)
    if isinstance(reason, SlitherError) and not isinstance(reason, (LoadError, PoolUnavailable)) and error.unfinished:
        return f"{_where(error)}: {brief(reason)}{_traceback(reason)}{_stack(reason)}"
    return translated(error) if reason is None else f"{translated(reason)}{_stack(reason)}"


def _where(error: DispatchError) -> str:
    lines = error.failed
    if not lines:
        return f"failed in a batch at line {min(error.unfinished)} or after"
    if len(lines) == 1:
        return f"line {lines[0]} failed"
    return f"a batch of {len(lines)} lines failed, {min(lines)} to {max(lines)}"


def _traceback(reason: SlitherError) -> str:
    return f"\n{reason.traceback.rstrip()}" if isinstance(reason, WorkerError) and reason.traceback else ""


def _stack(reason: BaseException) -> str:
    stack = stack_of(reason)
    return f"\nIt was killed {stack}" if stack else ""
