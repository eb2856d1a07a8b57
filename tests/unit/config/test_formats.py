"""Formats of files by their documented path: which one a file has, its problems, and those that are installed."""

from __future__ import annotations

import importlib.metadata
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import supervisors.formats
from supervisors.config import ConfigError, Cursor
from supervisors.config.drawing import Outline
from supervisors.formats import GROUP, Format, examine, installed, read


def a_format(name: str, *keys: str) -> Format:
    """A format of whole numbers under some keys, which refuses a key `full` of more than 9."""

    def check(root: Cursor) -> None:
        if (root.get("full") or 0) > 9:
            root.refuse("must be at most 9", "full")

    schema = {"type": "object", "properties": {key: {"type": "integer"} for key in keys}, "additionalProperties": False}
    return Format(name, schema, check, lambda content: Outline(name, str(dict(content))))


ROOMS = a_format("rooms", "rooms", "full", "name")
STAIRS = a_format("stairs", "stairs", "steps", "name")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "house.yaml"


def test_all_that_is_documented_is_public() -> None:
    assert set(supervisors.formats.__all__) == {"GROUP", "Format", "examine", "installed", "read"}
    assert GROUP == "supervisors.formats"


def test_the_keys_of_a_format_are_those_of_its_schema() -> None:
    assert ROOMS.keys == {"rooms", "full", "name"}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("rooms: 1\n", "rooms"),
        ("stairs: 1\n", "stairs"),
        ("rooms: 1\nstairs: 2\nsteps: 3\n", "stairs"),
        ("name: 1\n", "rooms"),
        ("nothing: 1\n", "rooms"),
        ("- rooms\n", "rooms"),
        ("", "rooms"),
    ],
)
def test_the_format_that_knows_most_keys_is_taken(file: Path, text: str, chosen: str) -> None:
    file.write_text(text)
    assert examine(file, iter([ROOMS, STAIRS]))[0].name == chosen


def test_of_equals_the_first_format_is_taken(file: Path) -> None:
    file.write_text("name: 1\n")
    assert examine(file, [STAIRS, ROOMS])[0] is STAIRS


def test_a_good_file_has_no_problems_and_its_content(file: Path) -> None:
    file.write_text("rooms: 4\nfull: 9\n")
    form, findings = examine(file, [ROOMS, STAIRS])
    assert findings.problems == []
    assert form.outline(findings.document.root.plain()).draw() == "rooms ({'rooms': 4, 'full': 9})"


def test_problems_of_schema_and_rules_come_together(file: Path) -> None:
    file.write_text("rooms: many\nfull: 10\n")
    _, findings = examine(file, [ROOMS])
    with pytest.raises(ConfigError) as raised:
        findings.raise_if_any()
    assert [line.replace(str(file), "F") for line in raised.value.lines()] == [
        "F:1:8: rooms: must be a whole number, not the text 'many'",
        "F:2:7: full: must be at most 9",
    ]


def test_a_file_that_is_missing_is_a_problem_of_the_first(file: Path) -> None:
    form, findings = examine(file, [STAIRS, ROOMS])
    assert form is STAIRS
    assert [problem.message for problem in findings.problems] == ["cannot be read: no such file or directory"]
    assert findings.document.name == str(file)


def test_read_returns_what_is_in_order(file: Path) -> None:
    file.write_text("rooms: 4\n")
    assert read(file, ROOMS).document.root.plain() == {"rooms": 4}


def test_read_raises_all_problems_of_a_file(file: Path) -> None:
    file.write_text("rooms: many\nfull: 10\nroof: 1\n")
    with pytest.raises(ConfigError) as raised:
        read(str(file), ROOMS)
    assert len(raised.value.lines()) == 3


def test_folders_to_search_come_with_the_findings(file: Path) -> None:
    file.write_text("rooms: 4\n")
    assert examine(file, [ROOMS], iter(["a", "b"]))[1].search == ("a", "b")


def test_formats_that_do_not_load_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Format:
        raise ImportError("its package is not there")

    def entries(**selection: str) -> list[Any]:
        assert selection == {"group": GROUP}
        loads: Mapping[str, Any] = {"a": lambda: ROOMS, "b": missing, "c": lambda: "no format", "d": lambda: STAIRS}
        return [types.SimpleNamespace(name=name, load=load) for name, load in loads.items()]

    monkeypatch.setattr("supervisors.config.formats.entry_points", entries)
    assert installed() == [ROOMS, STAIRS]


def test_a_format_that_is_broken_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Format:
        raise ZeroDivisionError

    monkeypatch.setattr("supervisors.config.formats.entry_points", lambda group: [types.SimpleNamespace(load=broken)])
    with pytest.raises(ZeroDivisionError):
        installed()


def test_the_format_of_a_system_is_installed() -> None:
    assert importlib.metadata.entry_points(group=GROUP)
    assert "System" in [form.name for form in installed()]
