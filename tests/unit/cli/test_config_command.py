"""``check``, ``show`` and ``schema`` of the program: what is parsed, and what is carried out on a System's file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from slither_actors.cli.config_command import ConfigArguments, add_commands, parsed, run

SYSTEM = "pools: {cpu: {size: 2}}\ntree:\n  - {kind: actor, id: a, class: 'cli_trial:Clerk'}\n"
CLERK = "print('imported')\nclass Clerk: pass\n"


def arguments(*argv: str) -> ConfigArguments:
    parser = argparse.ArgumentParser(prog="p")
    add_commands(parser.add_subparsers(dest="command", required=True))
    return parsed(parser.parse_args(argv))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file of a System whose class is in the folder `classes`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "cli_trial", raising=False)
    (tmp_path / "slither.yaml").write_text(SYSTEM)
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "cli_trial.py").write_text(CLERK)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["check", "f"], ConfigArguments("check", "f", (), False)),
        (["check", "f", "--import", "--path", "a", "--path", "b"], ConfigArguments("check", "f", ("a", "b"), True)),
        (["show", "f"], ConfigArguments("show", "f", (), False)),
        (["show", "--path", "a", "f"], ConfigArguments("show", "f", ("a",), False)),
        (["schema"], ConfigArguments("schema", None, (), False)),
    ],
)
def test_what_is_given_becomes_a_record(argv: list[str], expected: ConfigArguments) -> None:
    assert arguments(*argv) == expected


@pytest.mark.parametrize(
    "argv", [["check"], ["show"], ["schema", "f"], ["show", "f", "--import"], ["check", "f", "--imp"]]
)
def test_bad_usage_ends_with_exit_code_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        arguments(*argv)
    assert raised.value.code == 2
    assert "usage: p" in capsys.readouterr().err


def test_the_help_of_check_says_that_nothing_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments("check", "--help")
    out = capsys.readouterr().out
    assert "file:line:column: path: what, and the remedy.\nNothing is started" in out


@pytest.mark.usefixtures("folder")
def test_check_finds_classes_where_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments("check", "slither.yaml")) == 2
    assert "slither.yaml:3:33: tree[0].class: there is no module cli_trial" in capsys.readouterr().out
    assert run(arguments("check", "slither.yaml", "--path", "classes")) == 0
    assert capsys.readouterr() == ("slither.yaml: ok, a System with 4 parts\n", "")


@pytest.mark.usefixtures("folder")
def test_check_imports_a_class_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments("check", "slither.yaml", "--path", "classes", "--import")) == 2
    out = capsys.readouterr().out
    assert out.startswith("imported\nslither.yaml:3:33: tree[0].class: cli_trial:Clerk is no actor")
    sys.modules.pop("cli_trial")


@pytest.mark.usefixtures("folder")
def test_show_draws_pools_and_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments("show", "slither.yaml", "--path", "classes")) == 0
    out, err = capsys.readouterr()
    assert "cpu (Pool) size=2" in out
    assert "a (Clerk)" in out
    assert err == ""


def test_show_says_what_is_wrong_on_standard_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "slither.yaml").write_text("pools: {cpu: {sise: 2}}\n")
    assert run(arguments("show", "slither.yaml")) == 2
    assert capsys.readouterr() == ("", "slither.yaml:1:15: pools.cpu.sise: unknown key, did you mean size?\n")


def test_a_bare_tree_is_taken_as_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tree.yaml").write_text("name: app\nchildren:\n  - {kind: supervisor, id: s, children: []}\n")
    assert run(arguments("check", "tree.yaml")) == 0
    assert capsys.readouterr().out == "tree.yaml: ok, a supervision tree with 1 parts\n"


def test_the_schema_is_that_of_a_system(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments("schema")) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"pools", "tree"} <= schema["properties"].keys()
