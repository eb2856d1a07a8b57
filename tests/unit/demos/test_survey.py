"""The host's half of the demonstration: which files are read, with which options, and what is reported of each."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from support.fake_system import FakeSystem, fake_system

from slither_actors import Item, PoolSpec, WorkerCrashed, WorkerError
from slither_actors.demos import survey as module
from slither_actors.demos.measure import measure_files
from slither_actors.demos.report import Report
from slither_actors.demos.survey import BATCH_BYTES, POLICY, find_sources, standard_library, survey
from slither_actors.executors import SnakeBridge
from slither_actors.strategies import WeightedBatch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two modules, one of them a test, and a third that does not parse."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_b.py").write_text("import a\n")
    (tmp_path / "a.py").write_text("def f():\n    return 1\n")
    (tmp_path / "bad.py").write_text("def (:\n")
    return tmp_path


def measured(items: Iterable[Item]) -> Iterator[Item]:
    """Play the workers: what does not parse is skipped."""
    for item in items:
        try:
            yield Item(item.id, measure_files([item.payload])[0], item.meta)
        except SyntaxError as error:
            failure = WorkerError("builtins.SyntaxError", str(error))
            yield Item(item.id, item.payload, {**item.meta, "skipped": True, "error": failure})


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    return fake_system(monkeypatch, "slither_actors.demos.survey", measured)


# --- what is found


def test_the_standard_library_is_that_of_this_python() -> None:
    assert standard_library() == sysconfig.get_path("stdlib")
    assert os.path.isfile(os.path.join(standard_library(), "os.py"))


def test_sources_have_path_size_and_a_fixed_order(folder: Path) -> None:
    found = find_sources(str(folder))
    paths = [str(folder / name) for name in ("a.py", "bad.py", "tests/test_b.py")]
    assert [item.id for item in found] == [item.payload for item in found] == paths
    assert [item.meta for item in found] == [{"bytes": os.path.getsize(path)} for path in paths]


def test_only_files_of_python_in_folders_of_their_own(tmp_path: Path) -> None:
    for name in ("b/z.py", "b/c/y.py", "__pycache__/x.py", "site-packages/x.py", "b/dist-packages/x.py", "a/w.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "stub.pyi").touch()
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nothing")
    (tmp_path / "link.py").symlink_to(tmp_path / "a" / "w.py")
    found = [os.path.relpath(item.id, tmp_path) for item in find_sources(str(tmp_path))]
    assert found == ["link.py", "a/w.py", "b/z.py", "b/c/y.py"]


def test_files_and_folders_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = [f"{letter}.py" for letter in "hbtdakzmqcxw"]
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / f"in_{name[0]}").mkdir()
        (tmp_path / f"in_{name[0]}" / name).touch()
    found = [os.path.relpath(item.id, tmp_path) for item in find_sources(str(tmp_path))]
    assert found == [*sorted(names), *(f"in_{name[0]}/{name}" for name in sorted(names))]


def test_a_folder_without_sources_or_that_is_missing_is_empty(tmp_path: Path) -> None:
    assert find_sources(str(tmp_path)) == find_sources(str(tmp_path / "no")) == []


# --- what is done with it


@pytest.mark.usefixtures("system")
def test_each_file_is_added_by_its_path_below_the_folder(folder: Path) -> None:
    outcome = survey(str(folder), find_sources(str(folder)), workers=2)
    report = outcome.report
    assert (report.code.files, report.code.functions, report.tests.files) == (1, 1, 1)
    assert report.imported == {"a": 1}
    assert report.unparsed == [("bad.py", "SyntaxError: invalid syntax (bad.py, line 1)")]
    assert (outcome.retries, outcome.killed) == (0, 0)


def test_batches_are_weighed_by_bytes_and_taken_as_they_come(system: FakeSystem, folder: Path) -> None:
    survey(str(folder), find_sources(str(folder)), workers=3)
    options = system.options
    assert options.pop("weight_fn")(Item(1, "path", {"bytes": 12})) == 12
    assert options == {
        "executor": SnakeBridge,
        "function": measure_files,
        "strategy": WeightedBatch,
        "max_weight": BATCH_BYTES,
        "ordering": "as_completed",
        "on_error": POLICY,
    }
    assert (POLICY.split, POLICY.then) == (True, "skip")
    assert system.pools == {"default": PoolSpec(size=3)}
    assert system.calls == ["enter", "exit"]
    assert system.stream.closed


def test_it_is_watched_once_before_the_first_result(system: FakeSystem, folder: Path) -> None:
    watched: list[tuple[Any, Report, int]] = []

    def watch(stream: Any, report: Report) -> None:
        stream.retries = 7
        watched.append((stream, report, report.code.files))

    outcome = survey(str(folder), find_sources(str(folder)), workers=1, watch=watch)
    assert watched == [(system.stream, outcome.report, 0)]
    assert outcome.retries == 7


def test_with_a_killer_the_restart_budget_is_lifted(
    system: FakeSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[str] = []

    class FakeKiller:
        killed = 5

        def __init__(self, of: FakeSystem) -> None:
            assert of is system

        def __enter__(self) -> Self:
            inside.append("enter")
            return self

        def __exit__(self, *_: object) -> None:
            inside.append("stream closed" if system.stream.closed else "exit")

    monkeypatch.setattr(module, "Killer", FakeKiller)
    outcome = survey(
        str(folder),
        find_sources(str(folder)),
        workers=1,
        kill=True,
        watch=lambda stream, report: inside.append("watch"),
    )
    assert (outcome.killed, inside) == (5, ["enter", "watch", "exit"])
    assert system.pools == {"default": PoolSpec(size=1, max_restarts=None)}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerError("builtins.ValueError", "of PATH\nmore"), "ValueError: of a.py"),
        (WorkerError("json.decoder.JSONDecodeError", "no"), "json.decoder.JSONDecodeError: no"),
        (WorkerCrashed(3), "WorkerCrashed: the worker"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
)
def test_a_failure_is_one_line_without_the_folder(
    system: FakeSystem, folder: Path, error: Exception, reason: str
) -> None:
    path = str(folder / "a.py")
    if isinstance(error, WorkerError):
        error.message = error.message.replace("PATH", path)
    system.serve = lambda items: iter([Item(path, path, {"skipped": True, "error": error})])
    ((file, found),) = survey(str(folder), find_sources(str(folder)), workers=1).report.unparsed
    assert file == "a.py"
    assert found.startswith(reason)
    assert "\n" not in found
    assert str(folder) not in found
