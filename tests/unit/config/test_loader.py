"""The loader: what is read, what is refused, and where it says that is."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from supervisors.config import loader
from supervisors.config.errors import MAX_PROBLEMS, ConfigError
from supervisors.config.loader import MAX_BYTES, MAX_DEPTH, MAX_VALUES, parse_document, scan_document


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything here holds with both of PyYAML's parsers."""
    if request.param == "libyaml" and not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(loader, "_LOADER", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)
    return iter([None])


def lines_of(data: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse_document(data, "f")
    return raised.value.lines()


def test_a_document_becomes_plain_values_with_their_places() -> None:
    root = parse_document("a: 1\nb:\n  - x\n  - {c: 'no', 8080: ~}\n").root
    assert root.plain() == {"a": 1, "b": ["x", {"c": "no", "8080": None}]}
    assert (root.keys["b"].line, root.keys["b"].column) == (2, 1)
    place = root.at(("b", 1, "c")).place
    assert (place.line, place.column) == (4, 9)


def test_a_byte_order_mark_is_dropped_and_moves_no_column() -> None:
    assert parse_document(b"\xef\xbb\xbfa: 1").root.plain() == {"a": 1}
    assert lines_of(b"\xef\xbb\xbfa: no")[0].startswith("f:1:4: a: no ")


def test_what_is_quoted_or_a_block_is_text() -> None:
    assert parse_document("[ 'no', \"1\", '' ]").root.plain() == ["no", "1", ""]
    assert parse_document("a: |\n  12\n").root.plain() == {"a": "12\n"}


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a: &x 1", "f:1:4: a: ", "anchor"),
        ("a: *x", "f:1:4: a: ", "alias"),
        ("a:\n  <<: {b: 1}", "f:2:3: a: ", "merges"),
        ("a: !!python/object:os.system {}", "f:1:4: a: ", "tag"),
        ("a: !local x", "f:1:4: a: ", "tag"),
        ("a: ! x", "f:1:4: a: ", "tag"),
        ("a: 1\nb: 2\na: 3", "f:3:1: a: ", "line 1"),
        ("a: [{b: 1, b: 2}]", "f:1:12: a[0].b: ", "line 1"),
        ("? [x]\n: 1", "f:1:3: ", "key must be text"),
        ("a: 1\n---\nb: 2", "f:2:1: ", "second document"),
        ("a: yes", "f:1:4: a: ", "write true"),
        ("a: [1, 0x10]", "f:1:8: a[1]: ", "decimal"),
        ("'a b': {\"c.d\": on}", 'f:1:16: "a b"."c.d": ', "write true"),
        ("# nothing\n", "f:1:1: ", "empty"),
        ("", "f:1:1: ", "empty"),
        ("a: b: c", "f:1:5: ", "one too many"),
        ("a:\n\t- b", "f:2:1: ", "tab"),
        ("a: 'x", "f:1:6: ", "not closed"),
        ("a: [1 2}", "f:1:8: ", "closing bracket"),
        ("a: @x", "f:1:4: ", "quotes"),
        ("a: \x07", "f:1:4: ", "U+0007"),
        ("a\nb: \x00", "f:2:4: ", "U+0000"),
        ("a: x\u2028y", "f:1:5: ", "U+2028"),
        ("a: \ud800", "f:1:4: ", "U+D800"),
        (b"a: 1\nb: caf\xe9", "f:2:7: ", "0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), "f:1:1: ", "UTF-16"),
    ],
)
def test_a_refusal_has_place_path_and_remedy(text: str | bytes, where: str, words: str) -> None:
    (line,) = lines_of(text)
    assert line.startswith(where)
    assert words in line


def test_all_problems_are_listed_in_the_order_of_the_file() -> None:
    lines = lines_of("a: &x no\nb: *x\n<<: {}\na: 012\nc: !t 1\nd: [\n")
    places = ["f:1:4", "f:1:4", "f:2:4", "f:3:1", "f:4:1", "f:4:4", "f:5:4"]
    assert [line.split(": ")[0] for line in lines[:-1]] == places
    assert "not YAML" in lines[-1]


def test_depth_size_and_number_are_bounded() -> None:
    assert parse_document("[" * MAX_DEPTH + "]" * MAX_DEPTH).root
    assert lines_of("[" * (MAX_DEPTH + 1)) == [f"f:1:{MAX_DEPTH + 1}: nested more than {MAX_DEPTH} levels deep"]
    assert "levels deep" in lines_of("? " * 200)[-1]
    assert "keys and values" in lines_of("- a\n" * MAX_VALUES)[0]
    assert "larger than" in lines_of(b"#" * (MAX_BYTES + 1))[0]
    assert "begin with %" in lines_of("%TAG !a! b\n" * 102 + "--- a")[0]


def test_reading_ends_after_a_thousand_mistakes() -> None:
    for text in ("- no\n", "a: 1\n", "- !t a\n", "- &a b\n", "- *a\n", "? []\n:\n"):
        with pytest.raises(ConfigError) as raised:
            parse_document(text * 3000)
        assert len(raised.value.problems) + raised.value.left_out == 1001


@pytest.mark.parametrize("text", ["[", "- ", "? ", "a: ", "&a ", "!a ", "#\n", "a\n", "'", ":", "[a,"])
def test_a_bounded_number_of_values_is_done_in_seconds(text: str) -> None:
    began = time.monotonic()
    try:
        parse_document(text * (MAX_BYTES // len(text)))
    except ConfigError:
        pass
    assert time.monotonic() - began < 30


def test_an_error_is_bounded_and_counts_what_it_leaves_out() -> None:
    lines = lines_of("- no\n" * 1000)
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[-1] == "f: and 900 more"


def test_a_problem_is_one_line_whatever_the_file_holds() -> None:
    (line,) = lines_of('"a\\nb\\e": no')
    assert "\n" not in line
    assert "\x1b" not in line


def test_the_error_survives_pickling() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_document("- no\n" * 200)
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert again.problems == raised.value.problems


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, words in {"": "directory", "fifo": "regular file", "none": "no such file", "a\0b": "null"}.items():
        document, problems = scan_document(os.path.join(tmp_path, name))
        assert document is None
        assert words in str(problems)
    assert "regular file" in str(scan_document("/dev/zero")[1])


def test_a_file_is_called_what_the_caller_calls_it(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: no")
    (problem,) = scan_document(path, "here.yaml")[1]
    assert str(problem).startswith("here.yaml:1:4: ")
    path.write_bytes(b"a: 1")
    document, _ = scan_document(path)
    assert document is not None
    assert document.folder == str(tmp_path)
