"""The demonstration in this process: its table, what it says beside it, its progress and its ends."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.fake_system import FakeStream, HandDisplay, HandTicker
from support.leaks import held

from slither_actors import Item, PoolUnavailable
from slither_actors.cli import demo_command
from slither_actors.cli.arguments import DemoArguments
from slither_actors.cli.demo_command import run
from slither_actors.cli.display import TICKS_A_REDRAW
from slither_actors.demos.report import Report
from slither_actors.demos.survey import Outcome

MEASURED = {
    "lines": 3,
    "classes": 0,
    "functions": 1,
    "coroutines": 0,
    "public": {"functions": 1},
    "documented": {},
    "longest": None,
    "imports": [],
}


class FakeSurvey:
    """Takes the place of the survey: every file has been measured, unless the test says what happens."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.happens: Callable[[FakeStream, Report], object] = lambda stream, report: None
        self.retries = 0
        self.killed = 0

    def __call__(self, directory: str, files: list[Item], *, watch: Callable[[Any, Report], None], **rest: Any) -> Any:
        self.given = {"directory": directory, "files": [item.id for item in files], **rest}
        report, stream = Report(), FakeStream(iter(()), None)  # type: ignore[arg-type]
        watch(stream, report)
        self.happens(stream, report)
        for item in files:
            report.add(os.path.relpath(item.id, directory), MEASURED)
        return Outcome(report, self.retries, self.killed)


@pytest.fixture
def survey(monkeypatch: pytest.MonkeyPatch) -> FakeSurvey:
    fake = FakeSurvey()
    monkeypatch.setattr(demo_command, "survey", fake)
    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.py").touch()
    (tmp_path / "b.py").touch()
    return tmp_path


def arguments(directory: object = None, **given: Any) -> DemoArguments:
    fields = {"workers": 2, "kill": False, "verbose": False, **given}
    return DemoArguments(None if directory is None else str(directory), **fields)


@contextmanager
def standard_output(monkeypatch: pytest.MonkeyPatch, stream: Any) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.setattr(sys, "stdout", stream)
        yield


class Terminal(io.TextIOWrapper):
    """A standard output that a person reads."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_the_table_goes_to_output_and_the_rest_beside_it(
    survey: FakeSurvey, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(folder)) == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"Python files in {folder}\n")
    assert "functions" in out
    assert out.isascii()
    first, last = err.splitlines()
    assert first == f"slither-actors: 2 source files in {folder}, 2 workers"
    assert last.startswith("slither-actors: 2 files in ")
    assert last.endswith(" s, 0 batches run again")
    assert survey.given == {
        "directory": str(folder),
        "files": [str(folder / "a.py"), str(folder / "b.py")],
        "workers": 2,
        "kill": False,
    }


def test_what_the_workers_went_through_is_said(
    survey: FakeSurvey, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    survey.retries, survey.killed = 1, 3
    assert run(arguments(folder, kill=True, workers=4)) == 0
    assert capfd.readouterr().err.endswith(" s, 1 batch run again, 3 workers killed meanwhile\n")
    assert (survey.given["kill"], survey.given["workers"]) == (True, 4)


def test_a_folder_is_named_by_its_whole_path(
    survey: FakeSurvey, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run(arguments(".")) == 0
    assert survey.given["directory"] == str(folder)
    assert capfd.readouterr().out.startswith(f"Python files in {folder}\n")


def test_without_a_folder_it_is_the_standard_library(
    survey: FakeSurvey, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_command, "standard_library", lambda: str(folder))
    assert run(arguments()) == 0
    assert survey.given["directory"] == str(folder)
    version = ".".join(map(str, sys.version_info[:2]))
    assert capfd.readouterr().out.startswith(f"The standard library of CPython {version}.")


@pytest.mark.usefixtures("survey")
@pytest.mark.parametrize(
    ("kind", "encoding", "plain"),
    [
        (io.TextIOWrapper, "utf-8", True),
        (Terminal, "utf-8", False),
        (Terminal, "UTF8", False),
        (Terminal, "ascii", True),
        (Terminal, "latin-1", True),
    ],
)
def test_the_table_is_plain_unless_a_terminal_shows_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[io.TextIOWrapper], encoding: str, plain: bool
) -> None:
    data = io.BytesIO()
    stream = kind(data, encoding=encoding)
    with standard_output(monkeypatch, stream):
        assert run(arguments(folder)) == 0
    shown = data.getvalue().decode(encoding)
    assert f"Python files in {folder}" in shown
    assert shown.isascii() is plain


def test_names_that_are_no_text_are_escaped(survey: FakeSurvey, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survey.happens = lambda stream, report: report.add_unparsed(os.fsdecode(b"bad\xff.py"), "SyntaxError: no")
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding="utf-8")
    with standard_output(monkeypatch, stream):
        assert run(arguments(folder)) == 0
    assert b"  bad\\udcff.py" in data.getvalue()


def test_a_run_that_fails_is_one_line_and_exit_code_one(
    survey: FakeSurvey, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(stream: FakeStream, report: Report) -> None:
        raise PoolUnavailable("default", "it gave up")

    survey.happens = fail
    assert run(arguments(folder)) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[1:] == ["slither-actors: pool 'default' is unavailable: it gave up"]


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_ends_it_at_once(
    survey: FakeSurvey, folder: Path, capfd: pytest.CaptureFixture[str], number: int, code: int, name: str
) -> None:
    before = signal.getsignal(number)
    survey.happens = lambda stream, report: signal.raise_signal(number)
    assert run(arguments(folder)) == code
    out, err = capfd.readouterr()
    assert (out, err.splitlines()[1:]) == ("", [f"slither-actors: ended by {name}"])
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("survey")
def test_a_reader_that_has_gone_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = held()
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream, standard_output(monkeypatch, stream):
        assert run(arguments(folder)) == 0
        # What is left in the buffer goes where nothing complains of it.
        assert os.fstat(writer).st_rdev == os.stat(os.devnull).st_rdev
        stream.flush()
    assert held().beyond(before) == []


# --- progress


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> tuple[HandDisplay, HandTicker]:
    display, ticker = HandDisplay(), HandTicker()
    monkeypatch.setattr(demo_command, "Display", lambda: display)
    monkeypatch.setattr(demo_command, "Ticker", ticker)
    return display, ticker


@pytest.mark.usefixtures("capsys")
def test_how_far_it_is_is_shown_now_and_then(
    survey: FakeSurvey, folder: Path, by_hand: tuple[HandDisplay, HandTicker]
) -> None:
    display, ticker = by_hand

    def go_on(stream: FakeStream, report: Report) -> None:
        stream.retries, stream.in_flight = 5, 8
        report.add("tests/c.py", MEASURED)
        for number in range(1, TICKS_A_REDRAW + 1):
            ticker.tick(number)
        report.add_unparsed("d.py", "SyntaxError")
        ticker.tick(2 * TICKS_A_REDRAW)

    survey.happens = go_on
    assert run(arguments(folder)) == 0
    assert [(shown.done, shown.failed, shown.fraction) for shown in display.shown] == [(1, 0, 0.5), (2, 1, 1.0)]
    assert {(shown.retries, shown.in_flight) for shown in display.shown} == {(5, 8)}
    assert display.cleared == 1


@pytest.mark.usefixtures("capsys")
def test_before_the_run_and_without_files_there_is_no_share(
    survey: FakeSurvey, tmp_path: Path, by_hand: tuple[HandDisplay, HandTicker], monkeypatch: pytest.MonkeyPatch
) -> None:
    display, ticker = by_hand
    survey.happens = lambda stream, report: ticker.tick(0)

    def before_the_run(*given: Any, **rest: Any) -> Any:
        ticker.tick(0)
        assert display.shown == []
        return survey(*given, **rest)

    monkeypatch.setattr(demo_command, "survey", before_the_run)
    assert run(arguments(tmp_path)) == 0
    (shown,) = display.shown
    assert (shown.done, shown.fraction, shown.left) == (0, None, None)
    assert display.said[0] == f"0 source files in {tmp_path}, 2 workers"
