"""The README's examples do what it says: each is run as a reader would run it, in a folder with the files it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.imports import ROOT

README = (ROOT / "README.md").read_text()
# ```language, the block, and where it follows directly, the ```text that it prints.
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# file: (\S+)\n")

BLOCKS = [(found[1], found[2], found[3]) for found in BLOCK.finditer(README)]
FILES = {named[1]: text for kind, text, _ in BLOCKS if kind == "python" and (named := FILE.match(text))}
SCRIPTS = [(text, printed) for kind, text, printed in BLOCKS if kind == "python" and not FILE.match(text)]
SESSIONS = [text for kind, text, _ in BLOCKS if kind == "console"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(argv: list[str], folder: Path) -> str:
    beside = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PATH": beside}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples_of_everything() -> None:
    assert len(FILES) == 3
    assert len(SCRIPTS) == 3
    assert len(SESSIONS) == 1


@pytest.mark.parametrize(("script", "printed"), SCRIPTS)
def test_a_python_example_prints_what_stands_below_it(folder: Path, script: str, printed: str) -> None:
    (folder / "example.py").write_text(script)
    assert run([sys.executable, "-W", "error", "example.py"], folder) == printed


@pytest.mark.parametrize("session", SESSIONS)
def test_a_shell_example_prints_what_stands_below_it(folder: Path, session: str) -> None:
    prompt, _, printed = session.partition("\n")
    assert run(["bash", "-c", prompt.removeprefix("$ ")], folder) == printed


def test_the_changelog_has_this_version() -> None:
    from slither_actors import __version__

    assert f"## {__version__}" in (ROOT / "docs" / "changelog.md").read_text()


def test_links_within_the_project_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
