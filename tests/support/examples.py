"""The examples of a page of Markdown, and running them as a reader would, in a folder with the files that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

# ```language, the block, and where it follows directly, the ```text that it prints.
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# file: (\S+)\n")
_LINK = re.compile(r"\]\((?!https?:)([^)]+)\)")


class Page:
    """A page: its files (blocks that begin with ``# file: NAME``), scripts with what they print, shell sessions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text()
        blocks = [(found[1], found[2], found[3]) for found in _BLOCK.finditer(self.text)]
        python = [(text, printed) for kind, text, printed in blocks if kind == "python"]
        self.files = {named[1]: text for text, _ in python if (named := _FILE.match(text))}
        self.scripts = [(text, printed) for text, printed in python if not _FILE.match(text)]
        self.sessions = [text for kind, text, _ in blocks if kind == "console"]
        self.links = _LINK.findall(self.text)

    def lay_out(self, folder: Path) -> None:
        """Write the files that the page shows."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def write_modules(self, folder: Path) -> None:
        """Write each Python block as a module of its own, for a type checker: its lines are those of the page.

        Pages have files of the same name. So the name of the page is in front of each, and in the imports of it.
        """
        page = re.sub(r"\W", "_", self.path.stem).lower()
        for found in _BLOCK.finditer(self.text):
            if found[1] != "python":
                continue
            text = found[2]
            for name in self.files:
                own = Path(name).stem
                text = re.sub(rf"^import {own}$", f"import {page}_{own} as {own}", text, flags=re.MULTILINE)
                text = re.sub(rf"^from {own} import", f"from {page}_{own} import", text, flags=re.MULTILINE)
            above = self.text.count("\n", 0, found.start(2))
            named = _FILE.match(text)
            module = Path(named[1]).stem if named else f"line_{above + 1}"
            (folder / f"{page}_{module}.py").write_text("\n" * above + text)

    def run(self, script: str, folder: Path) -> str:
        """What a script prints."""
        (folder / "example.py").write_text(script)
        return run([sys.executable, "-W", "error", "example.py"], folder)


def run(argv: list[str], folder: Path) -> str:
    """What a program prints that ends in good order."""
    beside = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PATH": beside}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def anchors(text: str) -> set[str]:
    """What a link may name behind its ``#``: the headings as hosts of Markdown write them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
