"""``slither-actors demo``: the same table whatever happens to the workers."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from support.commands import command


def demo(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command("demo", *argv), capture_output=True, text=True, timeout=100, check=True)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Some sources, a few of which do not parse."""
    for number in range(30):
        body = f'"""Module {number}."""\nimport os\n\ndef function_{number}():\n' + "    x = 1\n" * (number + 1)
        (tmp_path / f"module_{number}.py").write_text(body)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_module.py").write_text("def test():\n    pass\n")
    (tmp_path / "bad_syntax.py").write_text("def (:\n")
    (tmp_path / "bad_coding.py").write_text("# coding: uft-8\n")
    (tmp_path / "notes.txt").write_text("no source")
    return tmp_path


def test_a_folder_is_read_and_unparsable_files_are_named(sources: Path) -> None:
    done = demo(str(sources), "--workers", "2")
    table = done.stdout.splitlines()
    assert table[0] == f"Python files in {sources}"
    assert table[3].split() == ["files", "30", "1", "31"]
    assert "Files that do not parse: 2" in table
    assert "  bad_coding.py" in table
    assert "  bad_syntax.py" in table
    assert any("SyntaxError: invalid syntax (bad_syntax.py, line 1)" in line for line in table)
    assert max(map(len, table[1:])) <= 80
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout + done.stderr


def test_an_empty_folder_is_a_table_too(tmp_path: Path) -> None:
    assert "files" in demo(str(tmp_path)).stdout


@pytest.mark.chaos
def test_the_table_is_the_same_with_workers_killed_meanwhile() -> None:
    calm = demo()
    killed = demo("--kill")
    assert killed.stdout == calm.stdout
    assert calm.stdout.startswith("The standard library of ")
    kills = re.search(r"(\d+) workers? killed meanwhile", killed.stderr)
    assert kills is not None
    assert int(kills[1]) > 0
    assert len(killed.stderr.splitlines()) == 2
    # Not every system installs the test files of its Python.
    if any(Path(sysconfig.get_path("stdlib"), "test").rglob("bad_coding.py")):
        assert "bad_coding.py" in calm.stdout
