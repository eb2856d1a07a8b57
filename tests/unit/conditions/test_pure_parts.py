"""What the runner of conditions decides: the choice, the environment, the interpreter, the verdict."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conditions.arguments import parse
from conditions.interpreters import find
from conditions.known import CONDITIONS, HOOK, WARNINGS, environment_of
from conditions.outcomes import Outcome, exit_code, lines, outcome_of

# -- arguments


def test_without_a_name_all_conditions_run_with_the_whole_suite() -> None:
    chosen = parse([])
    assert [condition.name for condition in chosen.conditions] == list(CONDITIONS)
    assert (chosen.times, chosen.pytest) == (1, [])


def test_names_keep_their_order_and_the_rest_is_for_pytest() -> None:
    chosen = parse(["one-cpu", "cpu-hog", "one-cpu", "--times", "10", "--", "tests/faults", "--", "-x", "--times"])
    assert [condition.name for condition in chosen.conditions] == ["one-cpu", "cpu-hog"]
    assert (chosen.times, chosen.pytest) == (10, ["tests/faults", "--", "-x", "--times"])


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["one_cpu"], "no condition 'one_cpu'; there are switch-interval, dev-mode"),
        (["one-cpu", "tests/faults"], "no condition 'tests/faults'.*come after --"),
        (["--times", "0"], "--times: not a number of 1 or more: '0'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_usage_says_what_is_known(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == 2
    assert re.search(told, capsys.readouterr().err)


def test_the_list_says_what_each_condition_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--list"])
    assert ended.value.code == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CONDITIONS)


# -- the environment


def test_usual_environment_is_kept_and_hook_comes_first_on_path() -> None:
    usual = {"PYTHONPATH": "/somewhere", "HOME": "/root"}
    found = environment_of(CONDITIONS["switch-interval"], usual)
    assert found["PYTHONPATH"] == f"{HOOK}{os.pathsep}/somewhere"
    assert found["HOME"] == "/root"
    assert set(found) - set(usual) == {"SLITHER_ACTORS_TEST_SWITCH_INTERVAL"}
    assert usual == {"PYTHONPATH": "/somewhere", "HOME": "/root"}


def test_without_a_path_there_is_no_empty_entry() -> None:
    assert environment_of(CONDITIONS["switch-interval"], {})["PYTHONPATH"] == str(HOOK)


def test_dev_mode_has_a_folder_for_warnings() -> None:
    found = environment_of(CONDITIONS["dev-mode"], {}, Path("/a/folder"))
    assert (found["PYTHONDEVMODE"], found["PYTHONWARNINGS"], found[WARNINGS]) == ("1", "error", "/a/folder")


@pytest.mark.parametrize("name", ["one-cpu", "cpu-hog", "python3.12", "python3.13"])
def test_the_other_conditions_leave_the_environment_alone(name: str) -> None:
    assert environment_of(CONDITIONS[name], {"A": "b"}) == {"A": "b"}


# -- interpreters


def program(folder: Path, name: str) -> str:
    path = folder / name
    path.touch(mode=0o755)
    return str(path)


def test_the_variable_goes_before_the_path(tmp_path: Path) -> None:
    program(tmp_path, "python3.12")
    environ = {"PYTHON312": "/opt/python", "PATH": str(tmp_path)}
    assert find("3.12", environ, lambda _: "CPython 3.12.1") == "/opt/python"


def test_without_the_variable_it_is_looked_for_on_the_path(tmp_path: Path) -> None:
    here = program(tmp_path, "python3.12")
    assert find("3.12", {"PATH": str(tmp_path)}, lambda _: "CPython 3.12.1") == here
    assert find("3.13", {"PATH": str(tmp_path)}, lambda _: "CPython 3.13.0") is None


@pytest.mark.parametrize("found", [None, "", "CPython 3.1.2", "CPython 3.120.0", "PyPy 3.12.1"])
def test_what_is_on_path_and_is_not_that_version_is_passed_over(tmp_path: Path, found: str | None) -> None:
    program(tmp_path, "python3.12")
    assert find("3.12", {"PATH": str(tmp_path)}, lambda _: found) is None


@pytest.mark.parametrize(("found", "told"), [(None, "is no Python"), ("CPython 3.11.7", "is CPython 3.11.7, not")])
def test_a_variable_that_names_something_else_is_an_error(found: str | None, told: str) -> None:
    with pytest.raises(LookupError, match=f"PYTHON312=/opt/python {told}"):
        find("3.12", {"PYTHON312": "/opt/python", "PATH": ""}, lambda _: found)


def test_a_program_that_fails_is_no_python(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert find("3.12", {"PATH": str(tmp_path)}) is None


# -- outcomes


def test_all_runs_passed() -> None:
    assert outcome_of("x", [0, 0], 3.0) == Outcome("x", "passed", 3.0)


@pytest.mark.parametrize(
    ("codes", "note"),
    [
        ([1], "tests failed"),
        ([5], "no tests"),
        ([-9], "exit code -9"),
        ([0, 1, 0, -11, 1], "3 of 5 runs: exit code -11, tests failed"),
    ],
)
def test_one_run_that_failed_fails_the_condition(codes: list[int], note: str) -> None:
    assert outcome_of("x", codes, 3.0) == Outcome("x", "failed", 3.0, note)


def test_a_warning_after_the_last_test_fails_the_condition() -> None:
    assert outcome_of("x", [0], 3.0, ["..."]) == Outcome("x", "failed", 3.0, "1 warnings after the last test")


def test_each_outcome_is_a_line() -> None:
    outcomes = [Outcome("one-cpu", "passed", 181.4), Outcome("python3.12", "skipped", note="no CPython 3.12 here")]
    assert lines(outcomes) == ["one-cpu     passed      181 s", "python3.12  skipped       0 s  no CPython 3.12 here"]


def test_only_a_failure_is_an_exit_code() -> None:
    passed, skipped, failed = Outcome("a", "passed"), Outcome("b", "skipped"), Outcome("c", "failed")
    assert exit_code([]) == 0
    assert exit_code([passed, skipped]) == 0
    assert exit_code([passed, failed, skipped]) == 1
