"""One mapping in this process, with a System that is played: what goes where, exit codes, and the closing line."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.fake_system import FakeSystem, HandDisplay, HandTicker, fake_system

from slither_actors import DispatchError, Item, PoolSpec, Retry, WorkerCrashed, WorkerError
from slither_actors.cli import map_command
from slither_actors.cli.arguments import parse
from slither_actors.cli.display import TICKS_A_REDRAW
from slither_actors.cli.lines import MalformedLine
from slither_actors.cli.map_command import Mapping, run
from slither_actors.errors import BatchTimeout, LoadError, OptionError, PoolUnavailable
from slither_actors.executors import SnakeBridge

THREE = "1\n2\n3\n"


def doubled(items: Iterable[Item]) -> Iterator[Item]:
    """Play the workers; an error of the source fails the run, as in the library."""
    try:
        for item in items:
            yield Item(item.id, item.payload * 2)
    except MalformedLine as error:
        raise DispatchError("the source failed", reason=error) from error


def skipped(item: Item, error: BaseException) -> Item:
    return Item(item.id, item.payload, {"skipped": True, "error": error})


class Bench:
    """The command on files of a folder."""

    def __init__(self, folder: Path, system: FakeSystem, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.system = system
        self._capfd = capfd

    def run(self, text: str, *argv: str) -> int:
        """Map the lines of a text to the file ``out``; return the exit code."""
        (self.folder / "in").write_text(text)
        return run(parse(["map", "m:f", "in", "-o", "out", *argv]).map)

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "errors").read_text().splitlines()]

    def said(self) -> list[str]:
        """The lines on standard error, without the program's name and the time that it took."""
        err = self._capfd.readouterr().err
        return [re.sub(r" in \d.*/s\)", "", line.removeprefix("slither-actors: ")) for line in err.splitlines()]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, fake_system(monkeypatch, "slither_actors.cli.map_command", doubled), capfd)


def test_each_line_has_its_result_and_the_code_is_zero(bench: Bench) -> None:
    assert bench.run(THREE) == 0
    assert bench.out == "2\n4\n6\n"
    assert bench.said() == ["3 results, 0 failed"]
    assert bench.system.calls == ["enter", "exit"]
    assert bench.system.stream.closed


def test_input_and_output_are_the_standard_ones_by_default(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with open(bench.folder / "given", "w+b") as given:
        given.write(b"[1]\n")
        given.seek(0)
        monkeypatch.setattr("slither_actors.cli.files.STDIN", given.fileno())
        assert run(parse(["map", "m:f"]).map) == 0
    assert capfd.readouterr().out == "[1,1]\n"


def test_blank_lines_are_no_inputs_but_have_numbers(bench: Bench) -> None:
    seen: list[Any] = []

    def note(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            seen.append(item.id)
            yield item

    bench.system.serve = note
    assert bench.run('\n"a"\n \t\n"b"') == 0
    assert (seen, bench.out) == ([2, 4], '"a"\n"b"\n')


def test_the_pool_and_the_run_get_what_is_asked(bench: Bench) -> None:
    (bench.folder / "lib").mkdir()
    bench.run(THREE, "--workers", "3", "--path", "lib", "--python", sys.executable, "--start-timeout", "7")
    folder = str(bench.folder)
    pool = PoolSpec(size=3, path=[f"{folder}/lib", folder], python=sys.executable, start_timeout=7.0)
    assert bench.system.pools == {"default": pool}
    assert bench.system.options == {
        "executor": SnakeBridge,
        "module": "m",
        "function": "f",
        "each": False,
        "pool": "default",
        "max_in_flight": 3,
        "ordering": "preserve",
        "on_error": "halt",
        "timeout": 30.0,
        "linger": 0.05,
    }


def test_each_option_of_a_run_is_handed_on(bench: Bench) -> None:
    bench.run(THREE, "--each", "--batch-size", "5", "--max-in-flight", "9", "--ordering", "as-completed")
    options = bench.system.options
    assert (options["each"], options["batch_size"], options["max_in_flight"]) == (True, 5, 9)
    assert options["ordering"] == "as_completed"
    bench.system.streams.clear()
    bench.run(THREE, "--timeout", "none", "--linger", "2", "--max-restarts", "none")
    assert (bench.system.options["timeout"], bench.system.options["linger"]) == (None, 2.0)
    assert bench.system.pools["default"].max_restarts is None


@pytest.mark.parametrize(
    ("argv", "policy"),
    [
        ([], "halt"),
        (["--on-error", "skip"], "skip"),
        (["--on-error", "retry"], Retry(max_attempts=3, split=False, then="halt")),
        (["--on-error", "retry:5", "--errors", "errors"], Retry(max_attempts=5, split=False, then="skip")),
        (["--split"], Retry(max_attempts=1, split=True, then="halt")),
        (["--split", "--on-error", "skip"], Retry(max_attempts=1, split=True, then="skip")),
        (["--split", "--on-error", "retry:2"], Retry(max_attempts=2, split=True, then="halt")),
    ],
)
def test_what_becomes_of_failures_is_the_librarys_policy(bench: Bench, argv: list[str], policy: Any) -> None:
    bench.run(THREE, *argv)
    assert bench.system.options["on_error"] == policy


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nothing"], "nothing: No such file or directory"),
        (["."], ".: is a folder"),
        (["in", "-o", "in"], "in: given twice; input, output and errors must be different files"),
        (["in", "-o", "out", "--errors", "no/errors"], "no/errors: No such file or directory"),
    ],
)
def test_files_that_do_not_open_are_bad_usage(bench: Bench, argv: list[str], message: str) -> None:
    (bench.folder / "in").write_text(THREE)
    assert run(parse(["map", "m:f", *argv]).map) == 2
    assert bench.said() == [message]
    assert bench.system.calls == []
    assert (bench.folder / "in").read_text() == THREE


# --- inputs that fail


def test_a_malformed_line_ends_the_run_and_names_itself(bench: Bench) -> None:
    assert bench.run("1\n{\n3\n") == 1
    assert bench.out == "2\n"
    first, last = bench.said()
    assert first.startswith("line 2: Expecting property name")
    assert last == "failed: 1 result, 1 failed"


def test_malformed_lines_that_are_skipped_are_counted(bench: Bench) -> None:
    assert bench.run("1\nx\ny\n4\n", "--on-error", "skip") == 3
    assert bench.out == "2\n8\n"
    assert bench.said() == [
        "2 results, 2 failed; line 2: MalformedLine: Expecting value at column 1 (--errors FILE keeps every reason)"
    ]


def test_the_errors_file_has_input_and_reason_of_each(bench: Bench) -> None:
    def serve(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            yield skipped(item, WorkerError("builtins.ValueError", "odd")) if item.payload % 2 else item

    bench.system.serve = serve
    assert bench.run("1\n2\nx\n", "--on-error", "skip", "--errors", "errors") == 3
    assert bench.out == "2\n"
    first, second = sorted(bench.errors, key=lambda record: int(record["line"]))
    assert (first["line"], first["input"], first["error"]["message"]) == (1, 1, "odd")
    assert (second["line"], second["input"]) == (3, "x")
    assert bench.said() == ["1 result, 2 failed"]


def test_the_closing_line_has_the_first_reason(bench: Bench) -> None:
    def serve(items: Iterable[Item]) -> Iterator[Item]:
        kept = list(items)
        yield skipped(kept[1], WorkerError("builtins.ValueError", "second"))
        yield skipped(kept[0], WorkerError("builtins.ValueError", "first"))

    bench.system.serve = serve
    assert bench.run("1\n\n3\nx\n", "--on-error", "skip") == 3
    assert bench.said() == [
        "all inputs failed: 0 results, 3 failed; line 3: ValueError: second (--errors FILE keeps every reason)"
    ]


def test_a_result_that_is_not_json_fails_its_input(bench: Bench) -> None:
    bench.system.serve = lambda items: (Item(item.id, {1} if item.id == 2 else item.payload) for item in items)
    assert bench.run(THREE, "--on-error", "skip", "--errors", "errors") == 3
    assert bench.out == "1\n3\n"
    (record,) = bench.errors
    assert (record["line"], record["input"]) == (2, 2)
    assert "return a list of it" in record["error"]["message"]
    assert bench.said() == ["2 results, 1 failed"]
    bench.system.streams.clear()
    assert bench.run(THREE) == 1
    assert bench.out == "1\n"
    first, last = bench.said()
    assert first.startswith("line 2: the result is not JSON: ")
    assert last == "failed: 1 result, 1 failed"


def failing(error: Callable[[list[Item]], DispatchError]) -> Callable[[Iterable[Item]], Iterator[Item]]:
    """Make a stream that reads everything, gives nothing and fails."""

    def serve(items: Iterable[Item]) -> Iterator[Item]:
        kept = list(items)
        raise error(kept)
        yield

    return serve


@pytest.mark.parametrize(
    ("ordering", "out", "last"),
    [
        ("preserve", "1\n", "failed: 1 result, 1 failed, 1 unfinished"),
        ("as-completed", "1\n4\n", "failed: 2 results, 1 failed, 1 unfinished"),
    ],
)
def test_what_was_done_before_a_failure_is_written(bench: Bench, ordering: str, out: str, last: str) -> None:
    reason = WorkerError("builtins.ValueError", "odd", "Traceback:\n  where\n")

    def failed(items: list[Item]) -> DispatchError:
        done = [items[0], items[3]]
        return DispatchError("no", reason=reason, partial_results=done, unfinished=[2, 3], failed=[2])

    bench.system.serve = failing(failed)
    assert bench.run("1\n2\n3\n4\n", "--ordering", ordering, "--errors", "errors") == 1
    assert bench.out == out
    assert [(record["line"], record["input"]) for record in bench.errors] == [(2, 2)]
    assert bench.said() == ["line 2 failed: ValueError: odd", "Traceback:", "  where", last]


def timed_out() -> BatchTimeout:
    error = BatchTimeout(1.5)
    error.stack = "in f, m.py:3"
    return error


@pytest.mark.parametrize(
    ("reason", "failed", "unfinished", "lines", "last"),
    [
        (
            WorkerCrashed(3),
            [2, 1],
            [1, 2, 3],
            "a batch of 2 lines failed, 1 to 2: WorkerCrashed: ",
            "2 failed, 1 unfinished",
        ),
        (WorkerCrashed(3), [], [2, 3], "failed in a batch at line 2 or after: WorkerCrashed: ", "2 unfinished"),
        (PoolUnavailable("p", "it gave up"), [], [2, 3], "pool 'p' is unavailable: it gave up", "2 unfinished"),
        (LoadError("m:f", ImportError("no m")), [1], [1], "cannot load m:f", "1 failed"),
        (RuntimeError("of the caller"), [], [1], "of the caller", "0 failed"),
        (None, [], [], "the run failed", "0 failed"),
    ],
)
def test_a_failed_run_is_described_in_lines(
    bench: Bench, reason: Exception | None, failed: list[int], unfinished: list[int], lines: str, last: str
) -> None:
    bench.system.serve = failing(
        lambda items: DispatchError("the run failed", reason=reason, failed=failed, unfinished=unfinished)
    )
    assert bench.run(THREE) == 1
    said = bench.said()
    assert said[0].startswith(lines)
    assert said[-1] == f"failed: 0 results, {last}"


def test_where_a_worker_was_when_killed_is_shown(bench: Bench) -> None:
    bench.system.serve = failing(lambda items: DispatchError("no", reason=timed_out(), failed=[1], unfinished=[1]))
    assert bench.run(THREE) == 1
    said = bench.said()
    assert said[0].startswith("line 1 failed: BatchTimeout: ")
    assert any(line.startswith("It was killed ") and "in f, m.py:3" in line for line in said)


def test_an_option_that_is_refused_is_bad_usage(bench: Bench) -> None:
    def refuse(items: Iterable[Item]) -> Iterator[Item]:
        raise OptionError("PoolSpec(size=...) is too small", "size")

    bench.system.serve = refuse
    assert bench.run(THREE) == 2
    assert bench.said() == ["--workers is too small", "failed: 0 results, 0 failed"]


def test_a_system_that_does_not_start_is_one_line(bench: Bench) -> None:
    def fail(items: Iterable[Item]) -> Iterator[Item]:
        raise OSError(24, "Too many open files")

    bench.system.serve = fail
    assert bench.run(THREE) == 1
    assert bench.said() == ["[Errno 24] Too many open files", "failed: 0 results, 0 failed"]


# --- outputs that fail, signals and the ticker


NEEDS_FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")


@NEEDS_FULL
def test_a_full_disk_fails_the_run_and_is_counted(bench: Bench) -> None:
    assert bench.run(THREE, "-o", "/dev/full") == 1
    first, last = bench.said()
    assert first == "/dev/full: No space left on device"
    assert last == "failed: 0 results, 3 not written"


@contextmanager
def mapping(bench: Bench, text: str, output: int, display: HandDisplay) -> Iterator[Mapping]:
    """The run of the command on descriptors."""
    (bench.folder / "in").write_text(text)
    with open(bench.folder / "in", "rb") as source:
        files: Any = SimpleNamespace(input=source.fileno(), output=output, errors=None)
        yield Mapping(parse(["map", "m:f"]).map, files, display)  # type: ignore[arg-type]


def test_a_reader_that_has_gone_is_a_good_end(bench: Bench) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    display = HandDisplay()
    with open(writer, "wb"), mapping(bench, THREE, writer, display) as made:
        assert made.run() == 0
    (last,) = display.said
    assert last.startswith("output closed: 0 results, 3 not written in ")


@pytest.mark.parametrize(("enabled", "terminal", "cleared"), [(True, True, 1), (False, True, 0), (True, False, 0)])
def test_results_on_a_terminal_take_the_lines_place(bench: Bench, enabled: bool, terminal: bool, cleared: int) -> None:
    display = HandDisplay(enabled)
    reader, writer = os.openpty() if terminal else os.pipe()
    with open(reader, "rb"), open(writer, "wb"), mapping(bench, "1\n", writer, display) as made:
        assert made.run() == 0
        assert os.read(reader, 100).splitlines() == [b"2"]
    assert display.cleared == cleared


def test_the_first_signal_ends_the_input_and_keeps_results(bench: Bench) -> None:
    def serve(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            yield item
            signal.raise_signal(signal.SIGTERM)

    bench.system.serve = serve
    assert bench.run(THREE) == 143
    assert bench.out == "1\n"
    assert bench.said() == ["ended by SIGTERM: 1 result, 0 failed"]
    assert bench.system.calls == ["enter", "exit"]


def test_the_second_signal_stops_workers_and_keeps_results(bench: Bench) -> None:
    def serve(items: Iterable[Item]) -> Iterator[Item]:
        yield from list(items)[:2]
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    bench.system.serve = serve
    assert bench.run(THREE) == 130
    assert bench.out == "1\n2\n"
    assert bench.said() == ["ended by SIGINT: 2 results, 1 unfinished"]
    assert bench.system.calls == ["enter", 0.0, "exit"]


@pytest.fixture
def ticker(monkeypatch: pytest.MonkeyPatch) -> HandTicker:
    ticker = HandTicker()
    monkeypatch.setattr(map_command, "Ticker", ticker)
    return ticker


def test_a_tick_writes_what_waits_for_company(bench: Bench, ticker: HandTicker) -> None:
    seen: list[str] = []

    def serve(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            yield item
            seen.append(bench.out)
            ticker.tick(1)
            seen.append(bench.out)

    bench.system.serve = serve
    assert bench.run("1\n2\n") == 0
    assert seen == ["", "1\n", "1\n", "1\n2\n"]


@NEEDS_FULL
def test_an_output_that_fails_in_a_tick_ends_the_input(bench: Bench, ticker: HandTicker) -> None:
    read: list[Any] = []

    def serve(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            read.append(item.id)
            if item.id == 1:
                yield item
                ticker.tick(1)

    bench.system.serve = serve
    assert bench.run(THREE, "-o", "/dev/full") == 1
    assert read == [1]
    assert bench.said()[0] == "/dev/full: No space left on device"


def test_progress_is_drawn_by_what_came_out(bench: Bench, ticker: HandTicker, monkeypatch: pytest.MonkeyPatch) -> None:
    display = HandDisplay()
    monkeypatch.setattr(map_command, "Display", lambda: display)

    def serve(items: Iterable[Item]) -> Iterator[Item]:
        kept = [item for _, item in zip(range(2), items, strict=False)]
        bench.system.stream.retries, bench.system.stream.in_flight = 3, 1
        yield kept[0]
        for number in range(1, TICKS_A_REDRAW + 1):
            ticker.tick(number)
        yield skipped(kept[1], WorkerCrashed(1))
        signal.raise_signal(signal.SIGINT)
        ticker.tick(0)

    bench.system.serve = serve
    assert bench.run("1\n2\n3\n4\n", "--on-error", "skip") == 130
    first, second = display.shown
    assert (first.done, first.failed, first.fraction, first.stopping) == (1, 0, 0.25, False)
    assert (second.done, second.failed, second.fraction, second.stopping) == (2, 1, 0.5, True)
    assert {(shown.retries, shown.in_flight) for shown in display.shown} == {(3, 1)}
    assert display.said[-1].startswith("ended by SIGINT: 1 result, 1 failed, 3 retries in ")


def test_where_the_end_is_unknown_there_is_no_share(bench: Bench, ticker: HandTicker) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"1\n")
    os.close(writer)
    display = HandDisplay(enabled=False)
    with open(os.devnull, "wb") as nowhere, open(reader, "rb") as given:
        files: Any = SimpleNamespace(input=given.fileno(), output=nowhere.fileno(), errors=None)
        made = Mapping(parse(["map", "m:f"]).map, files, display)  # type: ignore[arg-type]
        bench.system.serve = lambda items: (ticker.tick(0) or item for item in items)
        assert made.run() == 0
    assert [(shown.done, shown.fraction, shown.left) for shown in display.shown] == [(0, None, None)]
