"""``slither-actors map``: lines in, lines out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def numbers(count: int) -> str:
    return "".join(f"{number}\n" for number in range(count))


def test_three_numbers_are_negated_one_at_a_time(cli: Cli) -> None:
    done = cli("map", "operator:neg", "--each", given="1\n2\n3\n")
    assert (done.code, done.out) == (0, "-1\n-2\n-3\n")
    assert done.summary.startswith("slither-actors: 3 results, 0 failed in ")


def test_the_installed_program_does_the_same(here: Path) -> None:
    program = Path(sys.executable).with_name("slither-actors")
    if not program.exists():
        pytest.skip("the project is not installed beside this interpreter")
    done = subprocess.run(
        [program, "map", "operator:neg", "--each"], input=b"1\n", capture_output=True, check=True, cwd=here, timeout=60
    )
    assert done.stdout == b"-1\n"


def test_without_each_function_takes_a_list_and_order_is_kept(cli: Cli) -> None:
    done = cli("map", "work:double", "--batch-size", "7", "--workers", "2", given=numbers(1000))
    assert done.code == 0
    assert done.values == [2 * number for number in range(1000)]


def test_as_completed_gives_every_result_once(cli: Cli) -> None:
    done = cli("map", "work:double", "--ordering", "as-completed", "--batch-size", "3", given=numbers(500))
    assert done.code == 0
    assert sorted(done.values) == [2 * number for number in range(500)]


def test_files_may_be_named(cli: Cli, here: Path) -> None:
    (here / "in.jsonl").write_text('{"a":1}\n\n{"a":2}')
    done = cli("map", "json:dumps", "in.jsonl", "-o", "out.jsonl", "--each")
    assert (done.code, done.out) == (0, "")
    assert (here / "out.jsonl").read_text() == '"{\\"a\\": 1}"\n"{\\"a\\": 2}"\n'


def test_no_input_is_no_output(cli: Cli) -> None:
    done = cli("map", "operator:neg", "--each")
    assert (done.code, done.out) == (0, "")
    assert done.summary.startswith("slither-actors: 0 results, 0 failed")


def test_what_a_worker_prints_does_not_get_between_the_results(cli: Cli) -> None:
    assert cli("map", "work:chatty", given=numbers(3)).out == numbers(3)


def test_a_folder_given_as_path_comes_first(cli: Cli, here: Path) -> None:
    (here / "models").mkdir()
    (here / "models" / "model.py").write_text("def score(values):\n    return [value + 0.5 for value in values]\n")
    done = cli("map", "model:score", "--path", "models", given="1\n2\n")
    assert (done.code, done.values) == (0, [1.5, 2.5])
    assert cli("map", "work:first_in_path", "--path", "models", given="1\n").values == [str(here / "models")]


def test_the_workers_interpreter_may_be_chosen(cli: Cli, here: Path) -> None:
    wrapper = here / "my-python"
    wrapper.write_text(f'#!/bin/sh\nCHOSEN=yes exec "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    done = cli("map", "os:getenv", "--each", "--python", str(wrapper), given='"CHOSEN"\n')
    assert (done.code, done.values) == (0, ["yes"])


# --- failures ---------------------------------------------------------------------------------------------------------


def test_halt_delivers_what_came_before_and_fails(cli: Cli) -> None:
    done = cli("map", "work:no_negatives", "--batch-size", "2", given="1\n2\n3\n4\n-5\n6\n")
    assert (done.code, done.out) == (1, "1\n2\n3\n4\n")
    assert "ValueError: negative: -5" in done.err
    assert "a batch of 2 lines failed, 5 to 6: ValueError" in done.err
    assert done.summary.startswith("slither-actors: failed: 4 results, 2 failed in ")
    assert "map_command.py" not in done.err  # the worker's traceback is printed, not ours


def test_skip_leaves_out_the_batch_and_says_why(cli: Cli, here: Path) -> None:
    done = cli(
        "map",
        "work:no_negatives",
        "--batch-size",
        "2",
        "--on-error",
        "skip",
        "--errors",
        "bad.jsonl",
        given="1\n2\n3\n-4\n5\n6\n",
    )
    assert (done.code, done.out) == (3, "1\n2\n5\n6\n")
    assert done.summary.startswith("slither-actors: 4 results, 2 failed")
    records = [json.loads(line) for line in (here / "bad.jsonl").read_text().splitlines()]
    assert [(record["line"], record["input"]) for record in records] == [(3, 3), (4, -4)]
    assert records[0]["error"]["type"].removeprefix("builtins.") == "ValueError"
    assert records[0]["error"]["message"] == "negative: -4"
    assert "work.py" in records[0]["error"]["traceback"]


@pytest.mark.parametrize("policy", [["--on-error", "skip"], ["--on-error", "retry:2"]])
def test_split_leaves_out_the_bad_input_alone(cli: Cli, here: Path, policy: list[str]) -> None:
    done = cli("map", "work:no_negatives", *policy, "--split", "--errors", "bad.jsonl", given="1\n2\n3\n-4\n5\n6\n")
    assert (done.code, done.out) == (3, "1\n2\n3\n5\n6\n")
    assert json.loads((here / "bad.jsonl").read_text())["input"] == -4


def test_an_input_that_kills_its_worker_is_left_out_alone(cli: Cli, here: Path) -> None:
    done = cli("map", "work:deadly", "--on-error", "retry:2", "--split", "--errors", "bad.jsonl", given="1\n2\n-1\n4\n")
    assert (done.code, done.out) == (3, "1\n2\n4\n")
    record = json.loads((here / "bad.jsonl").read_text())
    assert (record["line"], record["error"]["type"]) == (3, "WorkerCrashed")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("count", [3, 40_000])
def test_results_that_were_not_written_are_not_counted(cli: Cli, count: int) -> None:
    done = cli("map", "operator:neg", "--each", "-o", "/dev/full", given=numbers(count))
    assert done.code == 1
    assert "/dev/full: No space left on device" in done.err
    assert re.match(r"slither-actors: failed: 0 results, [0-9,]+ not written in ", done.summary)


def test_retries_used_up_fail_run_unless_errors_have_a_place(cli: Cli) -> None:
    done = cli("map", "work:no_negatives", "--on-error", "retry:2", given="-1\n")
    assert (done.code, done.out) == (1, "")
    assert "1 retry" in done.summary


def test_a_batch_over_its_time_is_ended(cli: Cli, here: Path) -> None:
    done = cli("map", "work:forever", "--timeout", "0.3", "--on-error", "skip", "--errors", "bad.jsonl", given="1\n")
    assert (done.code, done.out) == (3, "")
    assert json.loads((here / "bad.jsonl").read_text())["error"]["type"] == "BatchTimeout"


def test_a_malformed_line_fails_the_run_after_what_came_before(cli: Cli) -> None:
    done = cli("map", "operator:neg", "--each", given="1\n2\n{\n4\n")
    assert (done.code, done.out) == (1, "-1\n-2\n")
    assert "line 3: Expecting property name" in done.err
    assert done.summary.startswith("slither-actors: failed: 2 results, 1 failed")


def test_a_malformed_line_is_skipped_counted_and_told(cli: Cli, here: Path) -> None:
    done = cli("map", "operator:neg", "--each", "--on-error", "skip", "--errors", "bad.jsonl", given="1\nx\n3\n")
    assert (done.code, done.out) == (3, "-1\n-3\n")
    assert done.summary.startswith("slither-actors: 2 results, 1 failed")
    assert json.loads((here / "bad.jsonl").read_text()) == {
        "line": 2,
        "input": "x",
        "error": {"type": "MalformedLine", "message": "Expecting value at column 1"},
    }


def test_a_result_that_is_not_json_is_a_failure_of_its_input(cli: Cli, here: Path) -> None:
    given = "1\n2\n3\n"
    done = cli("map", "work:unwritable", "--each", given=given)
    assert (done.code, done.out) == (1, "1\n")
    assert "line 2: the result is not JSON: Object of type set is not JSON serializable" in done.err
    done = cli("map", "work:unwritable", "--each", "--on-error", "skip", "--errors", "bad.jsonl", given=given)
    assert (done.code, done.out) == (3, "1\n3\n")
    record = json.loads((here / "bad.jsonl").read_text())
    assert (record["line"], record["input"], record["error"]["type"]) == (2, 2, "NotJson")
    assert cli("map", "work:not_a_number", "--each", given="1\n").code == 1


@pytest.mark.parametrize("target", ["nowhere:function", "work:missing", "work:double.missing"])
def test_a_function_that_cannot_be_imported_fails_at_once(cli: Cli, target: str) -> None:
    done = cli("map", target, "--on-error", "skip", given="1\n")
    assert (done.code, done.out) == (1, "")
    assert "nowhere" in done.err or "missing" in done.err


def test_what_is_logged_is_shown_to_those_who_ask(cli: Cli) -> None:
    argv = ("map", "work:deadly", "--on-error", "skip")
    assert len(cli(*argv, given="-1\n").err.splitlines()) == 1  # the summary
    assert "WorkerCrashed" in cli(*argv, "--verbose", given="-1\n").err


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["map"],
        ["map", "no_colon"],
        ["map", "a:b", "--batch-size", "0"],
        ["map", "a:b", "--max-in-flight", "0"],
        ["map", "a:b", "--timeout", "-1"],
        ["map", "a:b", "--on-error", "explode"],
        ["map", "a:b", "missing.jsonl"],
        ["map", "a:b", "."],
        ["map", "a:b", "-o", "no/such/folder/out.jsonl"],
        ["map", "a:b", "--no-such-option"],
    ],
)
def test_bad_usage_is_exit_code_two_and_a_sentence(cli: Cli, argv: list[str]) -> None:
    done = cli(*argv)
    assert (done.code, done.out) == (2, "")
    assert "slither-actors" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("argv", [["in", "-o", "in"], ["in", "-o", "link"], ["-o", "out", "--errors", "out"]])
def test_a_file_given_twice_is_refused_before_it_is_emptied(cli: Cli, here: Path, argv: list[str]) -> None:
    (here / "in").write_text("1\n")
    os.link(here / "in", here / "link")
    done = cli("map", "operator:neg", *argv, "--each")
    assert done.code == 2
    assert "given twice" in done.err
    assert (here / "in").read_text() == "1\n"


def test_the_null_device_may_be_both_output_and_errors(cli: Cli) -> None:
    done = cli("map", "operator:neg", "--each", "-o", "/dev/null", "--errors", "/dev/null", given="1\n")
    assert done.code == 0


def test_the_version_is_told(cli: Cli) -> None:
    assert cli("--version").out == "slither-actors 0.1.0\n"
