"""``python -m tests.support.words``: words that docstrings, comments and pages do not use; part of ``make lint``.

Each has a plain technical replacement that a reader can search for.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The word, as a regular expression, and what to write in its place.
WORDS = {
    r"nobody|no one": "no thread, no caller, nothing; or the passive",
    r"somebody|someone": "a caller, a thread, another run",
    r"whoever|whomever": "the caller that, each thread that",
    r"anew": "again; restart, rebuild",
    r"for ever|forever": "without end, indefinitely",
    r"in vain": "without success; fails",
    r"affairs?": "task, concern",
    r"had better": "should",
    r"mends?|mended": "fix, repair",
    r"lest": "so that ... not",
    r"is told|are told|was told|were told|be told": "is notified, receives",
    r"by and by": "later, in turn",
    r"ere|whilst|thereof|therein|henceforth": "before, while, of it, in it",
    r"of late|lately": "recently",
}
_PATTERN = re.compile("|".join(rf"\b(?:{word})\b" for word in WORDS), re.IGNORECASE)


def found_in(text: str) -> list[str]:
    """Return the listed words of a text, in their order."""
    return [match[0] for match in _PATTERN.finditer(text)]


def prose_of(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines and texts of a page, or of a module's docstrings and comments."""
    text = file.read_text()
    if file.suffix == ".md":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        # Also a string after an attribute, which documents it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for offset, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + offset, line


def files() -> list[Path]:
    """Return the modules of both packages, the tests and all pages."""
    folders = ("slither_actors", "supervisors", "tests")
    modules = {file for folder in folders for file in (ROOT / folder).rglob("*.py")} - {Path(__file__)}
    return sorted([*modules, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def main() -> int:
    """Print where a listed word is, and what to write instead; return 1 if there is one."""
    found = [
        f"{file.relative_to(ROOT)}:{line}: {word!r}: {_instead_of(word)}"
        for file in files()
        for line, text in sorted(prose_of(file))
        for word in found_in(text)
    ]
    print(*found, f"{len(found)} words of the list are left", sep="\n")
    return int(bool(found))


def _instead_of(word: str) -> str:
    return next(better for listed, better in WORDS.items() if re.fullmatch(listed, word, re.IGNORECASE))


if __name__ == "__main__":
    sys.exit(main())
