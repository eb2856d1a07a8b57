"""``python -m tests.support.docstrings``: docstring rules that files are still exempt from; part of ``make lint``.

`pyproject.toml` enables ruff's pydocstyle rules and exempts the files that fail them today. This fails if an exemption
is not needed any more; ``--update`` removes such exemptions (and never adds one).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINE = re.compile(r'^"((?:slither_actors|supervisors)/.+\.py)" = \[(.*)\]\n', re.MULTILINE)


def failing() -> dict[str, set[str]]:
    """Return the files that fail docstring rules, exemptions aside, with the rules' codes."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    ignored = [code for code in lint["ignore"] if re.fullmatch(r"D\d+", code)]
    options = ["--isolated", "--select=D,D401", f"--ignore={','.join(ignored)}", "--output-format=json"]
    options.append("--config=lint.pydocstyle.convention='google'")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *options, "slither_actors", "supervisors"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, set[str]] = {}
    for failure in json.loads(done.stdout):
        found.setdefault(str(Path(failure["filename"]).relative_to(ROOT)), set()).add(failure["code"])
    return found


def exempt(text: str) -> dict[str, set[str]]:
    """Return the exemptions that a `pyproject.toml` has."""
    return {found[1]: set(re.findall(r"D\d+", found[2])) for found in _LINE.finditer(text)}


def without(text: str, needed: dict[str, set[str]]) -> str:
    """Return a `pyproject.toml` without the exemptions that are not needed."""

    def line(found: re.Match[str]) -> str:
        codes = sorted(set(re.findall(r"D\d+", found[2])) & needed.get(found[1], set()))
        return f'"{found[1]}" = {json.dumps(codes)}\n' if codes else ""

    return _LINE.sub(line, text)


def main(arguments: list[str]) -> int:
    """Return 1 if an exemption is not needed."""
    file = ROOT / "pyproject.toml"
    text = file.read_text()
    shorter = without(text, failing())
    if "--update" in arguments:
        file.write_text(shorter)
    elif shorter != text:
        print("pyproject.toml exempts files from docstring rules that they pass:")
        print("python -m tests.support.docstrings --update removes that")
        return 1
    print(f"{len(exempt(shorter))} files are exempt from docstring rules")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
