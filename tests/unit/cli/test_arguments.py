"""The command line: what is taken, what is refused and how."""

from __future__ import annotations

import os
import sys

import pytest

from slither_actors.cli.arguments import OnError, parse


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as raised:
        parse(argv)
    assert raised.value.code == 2
    return capsys.readouterr().err


def test_the_least_that_map_needs_is_a_function() -> None:
    given = parse(["map", "package.module:Class.method"]).map
    assert (given.module, given.function) == ("package.module", "Class.method")
    assert (given.input, given.output, given.errors) == (None, None, None)
    assert (given.each, given.split, given.on_error) == (False, False, OnError("halt"))
    assert (given.batch_size, given.timeout, given.linger) == (None, 30.0, 0.05)
    assert (given.ordering, given.path, given.python) == ("preserve", (), None)
    assert given.workers >= 1


def test_a_dash_is_standard_input_and_output() -> None:
    given = parse(["map", "a:b", "-", "-o", "-"]).map
    assert (given.input, given.output) == (None, None)


@pytest.mark.parametrize("text", ["a", "a:", ":b", "a:b:c", "a b:c", "a:b()", "a..b:c", "path/mod.py:f", ""])
def test_a_target_that_is_not_a_module_and_function_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert "MODULE:FUNCTION" in refused(capsys, "map", text)


@pytest.mark.parametrize("option", ["--workers", "--batch-size", "--max-in-flight"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "nan"])
def test_counts_are_whole_numbers_from_one(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert f"argument {option}: " in refused(capsys, "map", "a:b", f"{option}={value}")


@pytest.mark.parametrize("option", ["--timeout", "--linger"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_times_are_finite_and_above_nothing(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert f"argument {option}: " in refused(capsys, "map", "a:b", f"{option}={value}")


def test_the_timeout_may_be_lifted() -> None:
    assert parse(["map", "a:b", "--timeout", "none"]).map.timeout is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("halt", OnError("halt")),
        ("skip", OnError("skip")),
        ("retry", OnError("retry", 3)),
        ("retry:1", OnError("retry", 1)),
        ("retry:10", OnError("retry", 10)),
    ],
)
def test_error_policies_are_named(text: str, expected: OnError) -> None:
    assert parse(["map", "a:b", "--on-error", text]).map.on_error == expected


@pytest.mark.parametrize("text", ["", "stop", "retry:", "retry:0", "retry:x", "skip:1", "halt:", "route"])
def test_other_error_policies_are_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert "argument --on-error: " in refused(capsys, "map", "a:b", "--on-error", text)


def test_retry_ends_in_skip_where_failures_have_a_place() -> None:
    assert parse(["map", "a:b", "--on-error", "retry"]).map.failures_end_the_run
    assert not parse(["map", "a:b", "--on-error", "retry", "--errors", "e"]).map.failures_end_the_run
    assert not parse(["map", "a:b", "--on-error", "skip"]).map.failures_end_the_run
    assert parse(["map", "a:b", "--errors", "e"]).map.failures_end_the_run


@pytest.mark.parametrize("text", ["as-completed", "as_completed"])
def test_both_spellings_of_as_completed_are_taken(text: str) -> None:
    assert parse(["map", "a:b", "--ordering", text]).map.ordering == "as_completed"


def test_as_many_batches_as_workers_may_be_in_flight() -> None:
    assert parse(["map", "a:b", "--workers", "2"]).map.max_in_flight == 2
    assert parse(["map", "a:b", "--workers", "32"]).map.max_in_flight == 32
    assert parse(["map", "a:b", "--workers", "32", "--max-in-flight", "3"]).map.max_in_flight == 3


def test_paths_are_kept_in_order_and_made_absolute(tmp_path: os.PathLike[str]) -> None:
    given = parse(["map", "a:b", "--path", os.fspath(tmp_path), "--path", "."]).map
    assert given.path == (os.fspath(tmp_path), os.getcwd())


def test_a_path_that_is_no_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder: 'nowhere'" in refused(capsys, "map", "a:b", "--path", "nowhere")


def test_an_interpreter_may_be_named_as_in_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["map", "a:b", "--python", sys.executable]).map.python == sys.executable
    assert "no such program: 'python0'" in refused(capsys, "map", "a:b", "--python", "python0")


def test_abbreviated_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--work" in refused(capsys, "map", "a:b", "--work", "2")


def test_missing_or_unknown_command_is_refused_with_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert "COMMAND" in refused(capsys)
    message = refused(capsys, "reduce")
    assert "map" in message
    assert "demo" in message


@pytest.mark.parametrize("argv", [["--help"], ["map", "--help"], ["demo", "--help"], ["--version"]])
def test_help_and_version_go_to_standard_output(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(argv)
    assert raised.value.code == 0
    assert "slither-actors" in capsys.readouterr().out


def test_demo_takes_a_folder_workers_and_kill(capsys: pytest.CaptureFixture[str], tmp_path: os.PathLike[str]) -> None:
    given = parse(["demo", os.fspath(tmp_path), "--kill", "--workers", "3"]).demo
    assert (given.directory, given.workers, given.kill) == (os.fspath(tmp_path), 3, True)
    assert parse(["demo"]).demo.directory is None
    assert "no such folder" in refused(capsys, "demo", "nowhere")
