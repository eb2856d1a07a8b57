"""What a file can make its reader do, counted: how often it looks for files and for names that were perhaps meant."""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzz.hostile_yaml import DOCUMENTS
from support.processor import processor_time

from slither_actors.system import config
from slither_actors.system.config import SYSTEM
from supervisors.config import cursor as findings_module
from supervisors.config.cursor import Findings
from supervisors.config.errors import MAX_PROBLEMS, ConfigError
from supervisors.config.loader import MAX_BYTES, parse_document
from supervisors.config.validator import validate


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Counter[Any]:
    """Calls of a function from now on, by its first argument."""
    calls: Counter[Any] = Counter()
    original: Callable[..., Any] = getattr(owner, name)

    def count(first: Any, *more: Any, **options: Any) -> Any:
        calls[first] += 1
        return original(first, *more, **options)

    monkeypatch.setattr(owner, name, count)
    return calls


def checked(text: str) -> Findings:
    document = parse_document(text)
    findings = Findings(document, [])
    validate(findings, SYSTEM.schema)
    SYSTEM.check(findings.root)
    return findings


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if "wrong" in name or "unknown" in name])
def test_nearest_names_are_searched_for_listed_problems_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, difflib, "get_close_matches")
    assert checked(DOCUMENTS[name]).problems
    assert calls.total() <= 2 * MAX_PROBLEMS


@pytest.mark.parametrize(
    ("name", "owner", "function"),
    [
        ("folders that are none", os.path, "isdir"),
        ("modules that are none", findings_module, "absent_module"),
        ("adapters that are none", findings_module, "absent"),
        ("actors that are none", findings_module, "absent"),
    ],
)
def test_nothing_is_looked_for_after_a_full_list_of_problems(
    name: str, owner: Any, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, owner, function)
    assert len(checked(DOCUMENTS[name]).problems) >= MAX_PROBLEMS
    assert 1 <= calls.total() <= MAX_PROBLEMS


def test_no_more_than_a_thousand_places_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, os.path, "isdir")
    assert not checked(DOCUMENTS["folders"]).problems
    assert 900 < calls.total() <= 1000


def test_one_place_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = counted(monkeypatch, os.path, "isdir")
    modules = counted(monkeypatch, findings_module, "absent_module")
    pool = "{path: [., ., .], preload: [json, json]}"
    assert not checked(f"pools: {{a: {pool}, b: {pool}}}").problems
    assert folders.total() == modules.total() == 1


def test_a_folder_and_a_module_of_one_name_are_two_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (problem,) = checked(f"pools: {{a: {{path: [{tmp_path}], preload: [json, no_such_module]}}}}").problems
    assert "no_such_module" in problem.message


def test_a_program_past_the_search_limit_still_reaches_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_module, "_MOST_LOOKS", 0)
    file = tmp_path / "slither.yaml"
    file.write_text("pools: {a: {python: ./none}}")
    assert config.load(file).pools["a"].python == str(tmp_path / "none")


def full_size_file() -> str:
    """A file of 256 KiB with nothing wrong in it, and nearly as many keys and values as one may have."""
    keys = "kind: actor, class: 'json.decoder:JSONDecoder', restart: transient"
    text = "tree:\n" + "".join(f"  - {{{keys}, id: actor_{n:05d}, register: name_{n:05d}}}\n" for n in range(900))
    line = f"# {'x' * 100}\n"
    return text + line * ((MAX_BYTES - len(text)) // len(line))


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="without libyaml it takes several times as long")
def test_a_file_of_full_size_is_checked_within_half_a_second() -> None:
    text = full_size_file()
    assert MAX_BYTES - len(text) < 103
    assert checked(text).problems == []
    assert processor_time(lambda: checked(text), enough=0.5) <= 0.5


def test_a_name_is_compared_with_five_hundred_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda name, known, n, cutoff: compared.append(len(known)) or [])
    assert checked(DOCUMENTS["a pool that is none among many"]).problems
    assert compared == [500]


def test_of_a_long_key_only_the_beginning_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    written = counted(monkeypatch, json, "dumps")
    with pytest.raises(ConfigError):
        parse_document(DOCUMENTS["refused items below a long key"])
    assert max(map(len, written)) <= 61


def test_the_path_above_is_made_once_for_those_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written = counted(monkeypatch, json, "dumps")
    with pytest.raises(ConfigError):
        parse_document(DOCUMENTS["refused items below long keys"])
    assert written.total() <= 100


def test_a_key_as_long_as_the_file_is_cut() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_document(f"? {'a b' * 1000}\n: [no, {{{'c' * 1000}: no}}]\n", "f")
    spaced, plain = '"' + ("a b" * 19)[:56] + "...", "c" * 57 + "..."
    assert [problem.path for problem in raised.value.problems] == [f"{spaced}[0]", f"{spaced}[1].{plain}"]
