"""Errors of the library in the words of the command line."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from support.worker import WorkerProcess

from slither_actors import (
    DispatchError,
    LoadError,
    OptionError,
    PoolSpec,
    PoolUnavailable,
    Retry,
    SlitherError,
    StartTimeout,
    WorkerError,
)
from slither_actors.cli.arguments import parse
from slither_actors.cli.translate import FLAGS, translated, translated_line
from slither_actors.option_parsing import parse_options
from slither_actors.run_options import RunOptions
from slither_actors.validation import checks
from slither_actors.validation.option import default_of

RUN = {"module": "m", "function": "f"}


def of(function: object, *arguments: object, **options: object) -> str:
    with pytest.raises(OptionError) as caught:
        function(*arguments, **options)  # type: ignore[operator]
    return translated(caught.value)


def test_an_option_is_named_as_it_is_given() -> None:
    assert of(checks.whole, "batch_size", 0, 1) == "--batch-size must be at least 1, not 0"
    without_end = of(checks.seconds, "timeout", float("inf"))
    assert without_end == "--timeout must be finite, not inf; say --timeout none for no limit"
    assert of(checks.seconds, "timeout", 1e9).endswith("; --timeout none")
    assert of(checks.seconds, "linger", 1e9).startswith("--linger must be at most")
    assert "--max-in-flight must be at most" in of(parse_options, {**RUN, "max_in_flight": 10**9})
    assert "--path DIR" in of(parse_options, {**RUN, "module": "m.py"})


def test_what_the_command_line_does_not_have_is_not_offered() -> None:
    linger = of(parse_options, {**RUN, "linger": 1e300})
    assert linger == "--linger must be at most 1e+08 seconds, not 1e+300"
    assert of(Retry, 10**8) == "--on-error retry:N must be at most 65535, not 100000000"
    assert "into the pool's path, --path DIR, if it" in of(parse_options, {**RUN, "module": "__main__"})


def test_what_a_worker_says_of_its_interpreter_is_translated(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
    wrapper.chmod(0o755)
    with WorkerProcess(python=str(wrapper)) as worker:
        worker.ended()
    assert "PoolSpec(python=...)" in worker.stderr
    said = translated_line(worker.stderr)
    assert "PoolSpec" not in said
    assert "A wrapper that --python PROGRAM names must hand over" in said
    assert translated_line("print PoolSpec(python=...)") == "print PoolSpec(python=...)"


def test_a_failed_load_names_the_option_for_folders() -> None:
    error = LoadError("m:f", WorkerError("ModuleNotFoundError", "No module named 'm'"))
    assert "(a module is found if its folder is in the pool's path: --path DIR)" in translated(error)
    run = DispatchError(f"the run failed: LoadError: {error}", reason=error)
    assert "PoolSpec" not in translated(run)
    slow = LoadError("m:f", StartTimeout(2))
    assert translated(slow).endswith("may need a larger --start-timeout SECONDS")


def test_options_without_a_flag_stay_as_they_are() -> None:
    assert translated(PoolUnavailable("p", "PoolSpec(max_rss=...) and PoolSpec(max_restarts=...)")).endswith(
        "PoolSpec(max_rss=...) and --max-restarts"
    )


def test_a_part_of_a_word_is_no_option() -> None:
    class Late(SlitherError):
        option = "timeout"

    error = Late("a smaller batch_size, my_batch_size, a longer timeout or batch_timeout, timeouts")
    assert translated(error) == "a smaller --batch-size, my_batch_size, a longer --timeout or batch_timeout, timeouts"


def test_what_a_users_function_says_is_left_alone() -> None:
    text = "timeout=None, batch_size, path"
    assert translated(WorkerError("ValueError", text)) == f"ValueError: {text}"


def test_every_flag_is_one_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["map", "--help"])
    text = capsys.readouterr().out
    known = {field.name for cls in (PoolSpec, RunOptions) for field in dataclasses.fields(cls)}
    for name, flag in FLAGS.items():
        assert flag.split()[0] in text
        assert name.partition("=")[0] in known | {"batch_size", "each", "max_attempts"}


def test_defaults_of_the_command_are_those_of_the_library() -> None:
    given = parse(["map", "m:f"]).map
    assert given.timeout == default_of(RunOptions, "timeout")
    assert given.ordering == default_of(RunOptions, "ordering")
    assert (given.start_timeout, given.max_restarts) == (PoolSpec().start_timeout, default_of(PoolSpec, "max_restarts"))
