"""Options and positionals of the command line in any order."""

from __future__ import annotations

import itertools

import pytest

from slither_actors.cli.arguments import MapArguments, parse

GROUPS = (["a:b"], ["rows.jsonl"], ["-o", "out"], ["--each"], ["--batch-size=7", "-v"])
ORDERS = [order for order in itertools.permutations(range(len(GROUPS))) if order.index(0) < order.index(1)]
"""MODULE:FUNCTION is the first of the positionals."""


def given(*argv: str) -> MapArguments:
    return parse(["map", *argv]).map


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as raised:
        parse(argv)
    assert raised.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_says_the_same(order: tuple[int, ...]) -> None:
    arguments = given(*itertools.chain.from_iterable(GROUPS[at] for at in order))
    assert (arguments.module, arguments.function, arguments.input, arguments.output) == ("a", "b", "rows.jsonl", "out")
    assert (arguments.each, arguments.batch_size, arguments.verbose) == (True, 7, True)


@pytest.mark.parametrize(
    ("argv", "source", "output"),
    [
        (["a:b", "-o", "out", "rows"], "rows", "out"),
        (["a:b", "-oout", "rows"], "rows", "out"),
        (["a:b", "-vo", "out", "rows"], "rows", "out"),
        (["-vooutput", "a:b", "rows"], "rows", "output"),
        (["a:b", "--output=out", "rows"], "rows", "out"),
        (["a:b", "--each", "-"], None, None),
        (["a:b", "-", "--each", "-o", "-"], None, None),
        (["-o", "-", "a:b", "--each", "rows"], "rows", None),
        (["--", "a:b", "rows"], "rows", None),
        (["a:b", "--each", "--", "rows"], "rows", None),
        (["a:b", "--each", "--", "-rows"], "-rows", None),
        (["a:b", "--each", "--", "--each"], "--each", None),
        (["--each", "--", "a:b", "-1"], "-1", None),
        (["a:b", "--path", ".", "rows", "--path", "/"], "rows", None),
        (["a:b", "rows", "--"], "rows", None),
    ],
)
def test_dashes_and_values_stay_where_they_belong(argv: list[str], source: str | None, output: str | None) -> None:
    arguments = given(*argv)
    assert (arguments.module, arguments.input, arguments.output) == ("a", source, output)


def test_other_commands_take_any_order_too(tmp_path: object) -> None:
    assert parse(["demo", "--kill", str(tmp_path), "--workers", "2"]).demo.directory == str(tmp_path)
    for argv in (["a.yaml", "--path", "p", "--import"], ["--path", "p", "--import", "a.yaml"], ["--import", "a.yaml"]):
        assert parse(["check", *argv]).config.file == "a.yaml"


def test_two_inputs_are_refused_with_the_way_to_join_them(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "map", "a:b", "one", "--each", "two")
    assert "one INPUT only" in message
    assert "cat one two | slither-actors map a:b" in message


def test_an_option_without_its_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--output: expected one argument" in refused(capsys, "map", "a:b", "rows", "-o")
    assert "--batch-size: expected one argument" in refused(capsys, "map", "--batch-size", "--each", "a:b")
    assert "argument --timeout: must be" in refused(capsys, "map", "a:b", "--timeout", "-1", "rows")


def test_an_unknown_option_names_the_one_meant(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "map", "a:b", "--eahc", "rows.jsonl")
    assert "--eahc, did you mean '--each'?" in message
    assert "rows.jsonl" not in message
    assert "-x" in refused(capsys, "map", "a:b", "-x")


@pytest.mark.parametrize("argv", [["map", "a:b", "--eahc", "--help"], ["map", "a", "b", "c", "-h"]])
def test_help_is_given_whatever_else_is_said(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(argv)
    assert raised.value.code == 0
    assert "exit codes" in capsys.readouterr().out
