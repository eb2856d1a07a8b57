"""How ``map`` ends and what it says: exit codes, remedies in its own words, data that programs hold."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

MORE = """
import decimal, os, threading, uuid
import numpy


def dies(value):
    os._exit(3)


def kinds(value):
    return {
        "int": lambda: numpy.int64(1),
        "float": lambda: numpy.float32(0.5),
        "array": lambda: numpy.arange(3),
        "decimal": lambda: decimal.Decimal("1.10"),
        "uuid": lambda: uuid.UUID(int=1),
        "nan": lambda: numpy.float64("nan"),
        "set": lambda: {1},
        "bytes": lambda: b"x",
    }[value]()


def gets(row):
    return row["x"]


def all_of(rows):
    return [row["x"] for row in rows]


async def awaits(value):
    return value


def back(value):
    return {value: [value]} if isinstance(value, str) else value


def inverse(value):
    return 1 / value


def inverses(values):
    return [1 / value for value in values]


def at_zero(value):
    return value if value else dies(value)


def hangs(value):
    threading.Event().wait()


def raises(value):
    raise ValueError(f"no: {value}")
"""


@pytest.fixture(autouse=True)
def more(here: Path) -> None:
    (here / "more.py").write_text(MORE)


def numbers(count: int) -> str:
    return "".join(f"{number}\n" for number in range(count))


# --- exit codes


def test_all_failed_is_three_and_said(cli: Cli) -> None:
    done = cli("map", "more:raises", "--each", "--on-error", "skip", given=numbers(5))
    assert (done.code, done.out) == (3, "")
    assert done.summary.startswith("slither-actors: all inputs failed: 0 results, 5 failed in ")
    assert "line 1: ValueError: no: 0 (--errors FILE keeps every reason)" in done.summary
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("policy", [["--on-error", "skip"], ["--on-error", "retry:1", "--errors", "bad"]])
def test_some_failed_is_three(cli: Cli, policy: list[str]) -> None:
    done = cli("map", "operator:neg", "--each", *policy, given='1\n"a"\n3\n')
    assert (done.code, done.values) == (3, [-1, -3])
    assert done.summary.startswith("slither-actors: 2 results, 1 failed in ")
    assert ("--errors FILE" in done.summary) == ("bad" not in policy)


def test_a_malformed_line_left_out_is_three(cli: Cli) -> None:
    done = cli("map", "operator:neg", "--each", "--on-error", "skip", given="1\n{\n")
    assert (done.code, done.values) == (3, [-1])
    done = cli("map", "operator:neg", "--each", "--on-error", "skip", given="{\n")
    assert (done.code, done.out) == (3, "")
    assert "all inputs failed" in done.summary


def test_none_failed_is_nothing_under_every_policy(cli: Cli) -> None:
    for policy in (["--on-error", "skip"], ["--errors", "bad"], []):
        assert cli("map", "operator:neg", "--each", *policy, given="1\n").code == 0


def test_a_run_that_ends_is_one_whatever_had_failed_before(cli: Cli) -> None:
    done = cli("map", "nowhere:f", "--each", "--on-error", "skip", given="{\n1\n")
    assert done.code == 1
    assert done.summary.startswith("slither-actors: failed: ")


def test_help_has_the_exit_codes(cli: Cli) -> None:
    assert "3 some or all inputs failed" in cli("map", "--help").out


# --- what ended the run


def records(here: Path) -> list[Any]:
    return [json.loads(line) for line in (here / "bad").read_text().splitlines()]


@pytest.mark.parametrize(
    ("function", "said", "kind"),
    [
        ("inverse", "line 2 failed: ZeroDivisionError: division by zero", "ZeroDivisionError"),
        ("at_zero", "line 2 failed: WorkerCrashed: the worker exited with code 3", "WorkerCrashed"),
    ],
)
def test_the_input_that_ended_the_run_is_named_counted_and_kept(
    cli: Cli, here: Path, function: str, said: str, kind: str
) -> None:
    done = cli("map", f"more:{function}", "--each", "--errors", "bad", given="1\n0\n4\n5\n")
    assert (done.code, done.values) == (1, [1])
    assert f"slither-actors: {said}" in done.err
    assert done.summary.startswith("slither-actors: failed: 1 result, 1 failed, 2 unfinished in ")
    (record,) = records(here)
    assert (record["line"], record["input"]) == (2, 0)
    assert record["error"]["type"].removeprefix("builtins.") == kind


def test_of_several_failures_the_known_reason_is_kept(cli: Cli, here: Path) -> None:
    done = cli("map", "more:raises", "--each", "--errors", "bad", given="7\n8\n")
    assert "slither-actors: line 1 failed: ValueError: no: 7" in done.err
    assert done.summary.startswith("slither-actors: failed: 0 results, 1 failed, 1 unfinished in ")
    assert [(record["line"], record["error"]["message"]) for record in records(here)] == [(1, "no: 7")]


def test_of_a_batch_that_ended_the_run_every_line_is_kept(cli: Cli, here: Path) -> None:
    done = cli("map", "more:inverses", "--errors", "bad", "--batch-size", "2", given="1\n2\n\n4\n0\n")
    assert (done.code, done.values) == (1, [1, 0.5])
    assert "slither-actors: a batch of 2 lines failed, 4 to 5: ZeroDivisionError" in done.err
    assert done.summary.startswith("slither-actors: failed: 2 results, 2 failed in ")
    assert [(record["line"], record["input"]) for record in records(here)] == [(4, 4), (5, 0)]


def test_function_that_cannot_be_loaded_is_no_failure_of_input(cli: Cli, here: Path) -> None:
    done = cli("map", "nowhere:f", "--errors", "bad", given="1\n2\n")
    assert done.summary.startswith("slither-actors: failed: 0 results, 2 unfinished in ")
    assert records(here) == []


@pytest.mark.parametrize("policy", [[], ["--on-error", "skip"]])
def test_where_a_worker_hung_is_told(cli: Cli, here: Path, policy: list[str]) -> None:
    done = cli("map", "more:hangs", "--each", "--timeout", "0.5", "--errors", "bad", *policy, given="1\n")
    (record,) = records(here)
    assert (record["line"], record["error"]["type"]) == (1, "BatchTimeout")
    assert "in hangs" in record["error"]["stack"]
    if not policy:
        assert "slither-actors: line 1 failed: BatchTimeout: " in done.err
        assert "It was killed in the worker's main thread" in done.err
        assert "in hangs" in done.err


# --- in any way


def test_the_package_itself_is_the_command(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "slither_actors", "map", "operator:neg", "--each"],
        cwd=here,
        input=b"1\n",
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == b"-1\n"


def test_an_input_behind_options_is_read(cli: Cli, here: Path) -> None:
    (here / "rows.jsonl").write_text("1\n")
    for argv in (["--each", "rows.jsonl"], ["-o", "-", "rows.jsonl", "--each"], ["--each", "--", "rows.jsonl"]):
        assert cli("map", "operator:neg", *argv).values == [-1]
    assert cli("map", "--each", "operator:neg", "-", given="2\n").values == [-2]


# --- remedies


def test_options_have_the_names_of_the_command_line(cli: Cli) -> None:
    missing = cli("map", "nowhere:f", given="1\n")
    assert "(a module is found if its folder is in the pool's path: --path DIR)" in missing.err
    assert "PoolSpec" not in missing.err
    long = cli("map", "operator:neg", "--timeout", "1e9", given="1\n")
    assert long.code == 2
    assert "--timeout must be at most 1e+08 seconds" in long.err
    assert "--timeout none" in long.err
    many = cli("map", "operator:neg", "--batch-size", str(2**40), given="1\n")
    assert "--batch-size must be at most" in many.err


def test_a_pool_that_gives_up_says_why_once(cli: Cli) -> None:
    done = cli(
        "map",
        "more:dies",
        "--each",
        "--on-error",
        "skip",
        "--batch-size",
        "1",
        "--workers",
        "1",
        "--max-restarts",
        "2",
        given=numbers(100),
    )
    assert done.code == 1
    said = done.err.splitlines()[0]
    assert said.count("the worker exited with code 3") == 1
    assert "RestartBudgetExceeded" not in said
    assert "'default'" in said
    assert "--max-restarts none lifts that" in said


def test_a_slow_import_names_its_option(cli: Cli, here: Path) -> None:
    (here / "slow_import.py").write_text("import threading\nthreading.Event().wait()\n")
    done = cli("map", "slow_import:f", "--start-timeout", "0.5", "--workers", "1", given="1\n")
    assert done.code == 1
    assert "--start-timeout SECONDS" in done.err
    assert "slow_import.py" in done.err  # where it hung


def test_a_function_that_takes_one_names_each(cli: Cli) -> None:
    done = cli("map", "more:gets", given='{"x": 1}\n{"x": 2}\n')
    assert "it was called with a list of 2: each=True (on the command line: --each) calls it with one" in done.err
    assert cli("map", "more:gets", "--each", given='{"x": 1}\n').values == [1]
    done = cli("map", "more:all_of", "--each", given="1\n")
    assert "it was called with one payload, of type int" in done.err


def test_an_async_function_is_awaited(cli: Cli) -> None:
    for each in ([], ["--each"]):
        assert cli("map", "more:awaits", *each, given="1\n").values == [1]


def test_compressed_input_is_named(cli: Cli, here: Path) -> None:
    (here / "rows.jsonl.gz").write_bytes(gzip.compress(b"1\n2\n"))
    done = cli("map", "operator:neg", "--each", "rows.jsonl.gz")
    assert done.code == 1
    assert "line 1: the input is compressed by gzip, not JSON Lines: zcat FILE | slither-actors map" in done.err


# --- data


def test_numbers_of_numpy_and_some_others_are_written(cli: Cli) -> None:
    given = "".join(f'"{kind}"\n' for kind in ("int", "float", "array", "decimal", "uuid"))
    done = cli("map", "more:kinds", "--each", given=given)
    assert done.code == 0
    assert done.values == [1, 0.5, [0, 1, 2], "1.10", "00000000-0000-0000-0000-000000000001"]


def test_what_json_cannot_say_fails_alone(cli: Cli, here: Path) -> None:
    given = '"int"\n"set"\n"nan"\n"bytes"\n"int"\n'
    done = cli("map", "more:kinds", "--each", "--on-error", "skip", "--errors", "bad", given=given)
    assert (done.code, done.values) == (3, [1, 1])
    kept = records(here)
    assert [record["line"] for record in kept] == [2, 3, 4]
    assert {record["error"]["type"] for record in kept} == {"NotJson"}
    assert cli("map", "more:kinds", "--each", given='"int"\n"set"\n').code == 1


def test_cut_text_comes_back_as_it_was(cli: Cli) -> None:
    given = "".join(f'"cut \\ud83d {number}"\n' if number == 7 else f'"good {number}"\n' for number in range(64))
    done = cli("map", "more:back", "--each", "--on-error", "skip", given=given)
    assert (done.code, len(done.values)) == (0, 64)
    assert done.values[7] == {"cut \ud83d 7": ["cut \ud83d 7"]}
    assert "\\ud83d" in done.out.splitlines()[7]


def test_cut_text_in_an_error_is_told(cli: Cli, here: Path) -> None:
    done = cli("map", "more:raises", "--each", "--on-error", "skip", "--errors", "bad", given='"cut \\ud83d"\n')
    assert done.code == 3
    record = json.loads((here / "bad").read_text())
    assert record["input"] == "cut \ud83d"
    assert record["error"]["message"] == "no: cut \\ud83d"
