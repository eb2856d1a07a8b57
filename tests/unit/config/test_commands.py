"""The commands on configuration files, in this process: what they print where, and their exit codes."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.leaks import held

from supervisors.config.commands import add_commands, carry_out, run
from supervisors.config.cursor import Cursor
from supervisors.config.drawing import Outline
from supervisors.config.formats import Format
from supervisors.config.tree_config import TREE

OTHER = Format(
    "list of rooms",
    {"type": "object", "properties": {"rooms": {"type": "integer"}}, "additionalProperties": False},
    lambda root: None,
    lambda content: Outline("rooms", str(content["rooms"])),
)
FORMATS = [TREE, OTHER]

GOOD = (
    "name: app\nchildren:\n  - {kind: supervisor, id: a, children: []}\n  - {kind: supervisor, id: b, children: []}\n"
)
BAD = "name: app\nstrategy: one_for_al\nchildren: []\nmax_restart: 1\n"
BAD_LINES = [
    (
        "tree.yaml:2:11: strategy: must be one of one_for_one, one_for_all, rest_for_one, not 'one_for_al', "
        "did you mean one_for_all?"
    ),
    "tree.yaml:4:1: max_restart: unknown key, did you mean max_restarts?",
]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``written(text)``: the name of a file with that text in the current folder, which is not on `sys.path`."""
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def write(text: str, name: str = "tree.yaml") -> str:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
        return name

    return write


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], io.BytesIO]:
    """``streams(encoding)``: the bytes of a standard output with that encoding."""

    def replace(encoding: str) -> io.BytesIO:
        data = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding=encoding, write_through=True))
        return data

    return replace


@contextmanager
def closed_pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The descriptor of a standard output whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream, monkeypatch.context() as context:
        context.setattr(sys, "stdout", stream)
        yield writer


def test_check_of_a_good_file_counts_its_parts(written: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out("check", FORMATS, written(GOOD)) == 0
    assert capsys.readouterr() == ("tree.yaml: ok, a supervision tree with 2 parts\n", "")


def test_check_prints_all_that_is_wrong_as_its_output(
    written: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert carry_out("check", FORMATS, written(BAD)) == 2
    out, err = capsys.readouterr()
    assert (out.splitlines(), err) == (BAD_LINES, "")


def test_show_prints_what_is_wrong_as_an_error(written: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out("show", FORMATS, written(BAD)) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", BAD_LINES)


def test_a_file_that_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "no.yaml")
    assert carry_out("check", FORMATS, missing) == 2
    assert capsys.readouterr() == (f"{missing}: cannot be read: no such file or directory\n", "")


@pytest.mark.parametrize(
    ("encoding", "second"),
    [
        ("utf-8", "├─ a (Supervisor)"),
        ("UTF8", "├─ a (Supervisor)"),
        ("ascii", "|- a (Supervisor)"),
        ("latin-1", "|- a"),
    ],
)
def test_show_draws_with_what_the_terminal_can_show(
    written: Callable[..., str], streams: Callable[[str], io.BytesIO], encoding: str, second: str
) -> None:
    data = streams(encoding)
    assert carry_out("show", FORMATS, written(GOOD)) == 0
    lines = data.getvalue().decode(encoding).splitlines()
    assert lines[0] == "app (Supervisor)"
    assert lines[1].startswith(second)


def test_the_format_that_knows_most_keys_is_used(
    written: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert carry_out("check", FORMATS, written("rooms: 4\n")) == 0
    assert carry_out("show", FORMATS, "tree.yaml") == 0
    assert capsys.readouterr().out == "tree.yaml: ok, a list of rooms with 0 parts\nrooms (4)\n"


@pytest.mark.parametrize("formats", [[TREE, OTHER], [OTHER, TREE]])
def test_schema_prints_that_of_the_first_format(formats: Sequence[Format], capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out("schema", formats) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == formats[0].schema
    assert out.startswith('{\n  "')


def test_a_name_that_is_no_text_is_escaped(written: Callable[..., str], streams: Callable[[str], io.BytesIO]) -> None:
    data = streams("ascii")
    name = os.fsdecode(b"tr\xff\xc3\xa9.yaml")
    assert carry_out("check", FORMATS, written(GOOD, name)) == 0
    shown = data.getvalue().decode()
    assert shown.endswith(".yaml: ok, a supervision tree with 2 parts\n")
    assert shown.startswith("tr\\udcff\\")


def test_a_reader_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_pipe(monkeypatch) as writer:
        assert carry_out("schema", FORMATS) == 0
        # What is left in the buffer goes where nothing complains of it, at the exit as well.
        assert os.fstat(writer).st_rdev == os.stat(os.devnull).st_rdev
        sys.stdout.flush()


def test_a_reader_that_has_gone_costs_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = held()
    with closed_pipe(monkeypatch):
        carry_out("schema", FORMATS)
    assert held().beyond(before) == []


# --- the classes that a file names

LOUD = "children:\n  - {kind: actor, id: a, class: 'trial_loud:Loud'}\n"


def test_classes_are_imported_only_when_asked(
    written: Callable[..., str], modules: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    modules("trial_loud", "class Loud: pass\n")
    path = sys.path[:]
    assert carry_out("check", FORMATS, written(LOUD)) == 0
    assert "trial_loud" not in sys.modules
    assert carry_out("check", FORMATS, "tree.yaml", imports=True) == 2
    assert "trial_loud" in sys.modules
    assert sys.path == path
    first, second = capsys.readouterr().out.splitlines()
    assert first == "tree.yaml: ok, a supervision tree with 1 parts"
    assert second.startswith("tree.yaml:2:33: children[0].class: trial_loud:Loud is no actor")


@pytest.mark.usefixtures("modules")
def test_the_path_is_restored_after_an_import_that_raises(written: Callable[..., str]) -> None:
    written("import sys\nsys.path.insert(0, 'elsewhere')\nclass Loud: pass\nraise KeyboardInterrupt\n", "trial_loud.py")
    path = sys.path[:]
    with pytest.raises(KeyboardInterrupt):
        carry_out(
            "check", FORMATS, written("children: [{kind: actor, id: a, class: 'trial_loud:Loud'}]\n"), imports=True
        )
    assert sys.path == path


ACTOR = "from supervisors import LightActor\nclass Loud(LightActor): pass\n"


@pytest.mark.parametrize(
    ("folder", "search"),
    [("below", ()), (".", ()), ("given", ("given",))],
    ids=["the file's", "the current one", "--path"],
)
@pytest.mark.parametrize("imports", [False, True])
@pytest.mark.usefixtures("modules")
def test_folders_in_which_a_class_is_found(
    written: Callable[..., str], folder: str, search: tuple[str, ...], imports: bool
) -> None:
    file = written(LOUD, "below/tree.yaml")
    assert carry_out("check", FORMATS, file, search=search, imports=imports) == 2
    written(ACTOR, f"{folder}/trial_loud.py")
    assert carry_out("check", FORMATS, file, search=search, imports=imports) == 0


@pytest.mark.parametrize(
    ("in_given", "in_files", "code"), [(ACTOR, "", 0), ("", ACTOR, 2)], ids=["good one first", "bad one first"]
)
@pytest.mark.parametrize("imports", [False, True])
@pytest.mark.usefixtures("modules")
def test_given_folders_come_before_that_of_the_file(
    written: Callable[..., str], in_given: str, in_files: str, code: int, imports: bool
) -> None:
    written(in_given, "given/trial_loud.py")
    written(in_files, "below/trial_loud.py")
    file = written(LOUD, "below/tree.yaml")
    assert carry_out("check", FORMATS, file, search=["given"], imports=imports) == code


@pytest.mark.parametrize("imports", [False, True])
def test_given_folders_come_before_all_of_this_python(
    written: Callable[..., str], modules: Callable[[str, str], None], imports: bool
) -> None:
    modules("trial_loud", "")
    written(ACTOR, "given/trial_loud.py")
    assert carry_out("check", FORMATS, written(LOUD), search=["given"], imports=imports) == 0


# --- the parser


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="p")
    add_commands(parser.add_subparsers(dest="command", required=True))
    return parser.parse_args(argv)


def test_the_commands_take_their_arguments() -> None:
    assert vars(parsed("check", "f")) == {"command": "check", "file": "f", "path": [], "imports": False}
    given = parsed("check", "f", "--path", "a", "--import", "--path", "b")
    assert (given.path, given.imports) == (["a", "b"], True)
    assert vars(parsed("show", "f", "--path", "a")) == {"command": "show", "file": "f", "path": ["a"]}
    assert vars(parsed("schema")) == {"command": "schema"}


@pytest.mark.parametrize(
    "argv", [["check"], ["show"], ["show", "f", "--import"], ["check", "f", "--imp"], ["schema", "f"]]
)
def test_bad_usage_has_exit_code_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parsed(*argv)
    assert raised.value.code == 2
    assert "usage: p" in capsys.readouterr().err


@pytest.mark.usefixtures("modules")
def test_what_was_parsed_is_carried_out(written: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    written("print('imported')\n" + ACTOR, "given/trial_loud.py")
    written(LOUD)
    for argv, code, out in [
        (["check", "tree.yaml"], 2, "tree.yaml:2:33: children[0].class: there is no module trial_loud"),
        (["check", "tree.yaml", "--path", "given"], 0, "tree.yaml: ok"),
        (["check", "tree.yaml", "--path", "given", "--import"], 0, "imported\ntree.yaml: ok"),
        (["show", "tree.yaml", "--path", "given"], 0, "supervisor (Supervisor)\n"),
        (["schema"], 0, "{\n"),
    ]:
        assert run(parsed(*argv), FORMATS) == code
        assert capsys.readouterr().out.startswith(out)


def test_what_a_format_checks_itself_is_reported(
    written: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    def check(root: Cursor) -> None:
        root.refuse("is full", "rooms")

    full = Format(OTHER.name, OTHER.schema, check, OTHER.outline)
    assert carry_out("check", [full], written("rooms: 4\n")) == 2
    assert capsys.readouterr().out == "tree.yaml:1:8: rooms: is full\n"
