"""The README's examples do what it says: each is run as a reader would run it, in a folder with the files it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from architecture.imports import ROOT
from support.examples import Page, run

README = Page(ROOT / "README.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    README.lay_out(tmp_path)
    return tmp_path


def test_there_are_examples_of_everything() -> None:
    assert len(README.files) == 3
    assert len(README.scripts) == 4
    assert len(README.sessions) == 1


@pytest.mark.parametrize(("script", "printed"), README.scripts)
def test_a_python_example_prints_what_stands_below_it(folder: Path, script: str, printed: str) -> None:
    assert README.run(script, folder) == printed


@pytest.mark.parametrize("session", README.sessions)
def test_a_shell_example_prints_what_stands_below_it(folder: Path, session: str) -> None:
    prompt, _, printed = session.partition("\n")
    assert run(["bash", "-c", prompt.removeprefix("$ ")], folder) == printed


def test_the_changelog_has_this_version() -> None:
    from slither_actors import __version__

    assert f"## {__version__}" in (ROOT / "docs" / "changelog.md").read_text()
