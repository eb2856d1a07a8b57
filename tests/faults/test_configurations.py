"""YAML files with one mistake each, and files meant to hurt: told with the place, and nothing of them is started."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.leaks import held

from slither_actors import System
from slither_actors.system.config import load
from supervisors import ConfigError
from supervisors.config.tree_config import load as load_tree

pytestmark = pytest.mark.fault(27)

# What is right, in front of the mistake in the file: a pool, and a child that would leave a trace of its start.
RIGHT = """\
system: {name: hostile}
pools:
  default: {size: 2}
tree:
  - {kind: actor, id: witness, class: "witness:Witness"}
"""
LINES = RIGHT.count("\n")
WITNESS = """\
import pathlib
pathlib.Path(__file__).with_name("imported").touch()
import pykka
class Witness(pykka.ThreadingActor):
    def on_start(self):
        pathlib.Path(__file__).with_name("started").touch()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file is, and the module of the child that must not start."""
    (tmp_path / "witness.py").write_text(WITNESS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def refused(folder: Path) -> Callable[[Path], ConfigError]:
    """``refused(path)``: the error with which a System refuses a file; nothing is started meanwhile."""

    def refuse(path: Path) -> ConfigError:
        before = held()
        with pytest.raises(ConfigError) as caught:
            System.from_yaml(path).start()
        assert held() == before
        assert not (folder / "started").exists()
        return caught.value

    return refuse


def test_the_right_part_alone_starts_its_child(folder: Path) -> None:
    path = folder / "right.yaml"
    path.write_text(RIGHT)
    with System.from_yaml(path):
        assert (folder / "started").exists()


# The mistake, then line (from the right part's end), column, path and words of the message.
MISTAKES = {
    "a duplicate key": ("dispatch: {timeout: 1}\ndispatch: {timeout: 2}\n", 2, 1, "dispatch", "on line 6 already"),
    "an unknown key": ("dispach: {timeout: 1}\n", 1, 1, "dispach", "did you mean dispatch?"),
    "an unknown key inside": ("dispatch: {time_out: 1}\n", 1, 12, "dispatch.time_out", "did you mean timeout?"),
    "text for a number": ('dispatch: {timeout: "1"}\n', 1, 21, "dispatch.timeout", "'1'"),
    "a list for a mapping": ("dispatch: []\n", 1, 11, "dispatch", "must be a mapping"),
    "a tag": ("dispatch: !!python/object/apply:os.abort []\n", 1, 11, "dispatch", "tag"),
    "a local tag": ("dispatch: {timeout: !seconds 1}\n", 1, 21, "dispatch.timeout", "tag"),
    "an anchor": ("dispatch: &d {timeout: 1}\n", 1, 11, "dispatch", "anchor"),
    "an alias": ("dispatch: *d\n", 1, 11, "dispatch", "alias"),
    "a merge": ("dispatch:\n  <<: {timeout: 1}\n", 2, 3, "dispatch", "merge"),
    "a second document": ("---\nsystem: {}\n", 1, 1, "", "second document"),
    "NUL": ("dispatch: \x00\n", 1, 11, "", "U+0000"),
    "a word that readers disagree about": ("dispatch: {timeout: no}\n", 1, 21, "dispatch.timeout", "true"),
    "not closed": ("dispatch: {timeout: 1\n", 2, 1, "", "clos"),
    "beyond its range": ("dispatch: {batch_size: 0}\n", 1, 24, "dispatch.batch_size", "at least 1"),
    "negative": ("dispatch: {timeout: -1}\n", 1, 21, "dispatch.timeout", "-1"),
    "NaN": ("dispatch: {timeout: .nan}\n", 1, 21, "dispatch.timeout", "nan"),
    "infinite": ("dispatch: {timeout: .inf}\n", 1, 21, "dispatch.timeout", "inf"),
    "a huge number": ("dispatch: {batch_size: " + "9" * 5000 + "}\n", 1, 24, "dispatch.batch_size", ""),
    "deep": ("dispatch: " + "[" * 10_000 + "\n", 1, None, "", "nesting"),
}


@pytest.mark.parametrize(("text", "line", "column", "path", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_has_file_line_column_and_path(
    folder: Path,
    refused: Callable[[Path], ConfigError],
    text: str,
    line: int,
    column: int | None,
    path: str,
    words: str,
) -> None:
    file = folder / "hostile.yaml"
    file.write_bytes((RIGHT + text).encode())
    told = refused(file)
    (problem,) = told.problems
    assert problem.place is not None
    assert (problem.file, problem.place.line) == (str(file), LINES + line)
    assert column in (None, problem.place.column)
    assert problem.path.startswith(path)
    assert words in str(problem)
    assert len(str(told)) < 1000
    assert not (folder / "imported").exists() or "python" not in text


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    file = folder / "marked.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
    assert load(file).name == "hostile"


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ((RIGHT + "dispatch: {pool: caf\xe9}\n").encode("latin-1"), (LINES + 1, 21), "UTF-8"),
        (RIGHT.encode("utf-16"), (1, 1), "UTF-16"),
        (b"", (1, 1), "empty"),
        (RIGHT.encode() + b"# " + b"x" * (4 << 20), None, "bytes"),
    ],
    ids=["not UTF-8", "UTF-16", "empty", "huge"],
)
def test_what_is_no_text_or_too_much_of_it_is_told(
    folder: Path, refused: Callable[[Path], ConfigError], data: bytes, place: tuple[int, int] | None, words: str
) -> None:
    file = folder / "hostile.yaml"
    file.write_bytes(data)
    (problem,) = refused(file).problems
    assert problem.file == str(file)
    if place is not None:
        assert problem.place is not None
        assert (problem.place.line, problem.place.column) == place
    assert words in str(problem)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", ["folder", "fifo", "nothing"])
def test_what_is_no_file_is_refused_without_a_wait(
    folder: Path, refused: Callable[[Path], ConfigError], what: str
) -> None:
    path = folder / "there"
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    (problem,) = refused(path).problems
    assert problem.file == str(path)


def test_a_tree_of_supervisors_alone_is_refused_as_well(folder: Path) -> None:
    file = folder / "tree.yaml"
    file.write_text(
        'strategy: one_for_one\nchildren:\n  - {kind: actor, id: witness, class: "witness:Witness"}\n'
        '  - {kind: actor, id: witness, class: "witness:Witness", max_restart: 1}\n'
    )
    before = held()
    with pytest.raises(ConfigError) as caught:
        load_tree(file)
    assert all(problem.place and problem.place.line == 4 for problem in caught.value.problems)
    assert held() == before
    assert not (folder / "started").exists()
