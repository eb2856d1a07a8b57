"""Counting what is in a Python source file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slither_actors.demos.measure import measure, measure_files

SOURCE = '''"""A module."""
import os.path, sys
from collections.abc import Iterator
from . import sibling

class Public:
    """Documented."""
    class _Hidden:
        def method(self):
            return 1

    async def wait(self):
        """Documented too."""
        if True:
            def inner(): "said"

try:
    import json
except ImportError:
    def fallback():
        pass
match 1:
    case 1:
        def matched(): ...
'''


def measured(tmp_path: Path, source: str | bytes) -> dict[str, Any]:
    path = tmp_path / "source.py"
    path.write_bytes(source.encode() if isinstance(source, str) else source)
    return measure(str(path))


def test_definitions_docstrings_and_imports_are_found(tmp_path: Path) -> None:
    assert measured(tmp_path, SOURCE) == {
        "lines": 24,
        "classes": 2,
        "functions": 5,
        "coroutines": 1,
        "public": {"modules": 1, "classes": 1, "functions": 5},
        "documented": {"modules": 1, "classes": 1, "functions": 2},
        "longest": (4, "Public.wait", 12),
        "imports": ["collections", "json", "os", "sys"],
    }


def test_an_empty_file_is_a_module_without_a_docstring(tmp_path: Path) -> None:
    found = measured(tmp_path, "")
    assert (found["lines"], found["longest"], found["imports"]) == (0, None, [])
    assert (found["public"]["modules"], found["documented"]["modules"]) == (1, 0)


def test_a_last_line_without_a_line_feed_is_a_line(tmp_path: Path) -> None:
    assert measured(tmp_path, "a = 1\nb = 2")["lines"] == 2


def test_of_functions_equally_long_the_first_is_the_longest(tmp_path: Path) -> None:
    assert measured(tmp_path, "def a(): ...\ndef b(): ...\n")["longest"] == (1, "a", 1)


def test_invalid_escapes_are_no_warnings(tmp_path: Path) -> None:
    measured(tmp_path, "pattern = '\\d'\n")


@pytest.mark.parametrize("source", [b"def", b"\xff", b"# coding: nonsense\n", b"a\0b", b"(" * 1000])
def test_a_file_that_does_not_parse_raises(tmp_path: Path, source: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError, MemoryError, RecursionError)):
        measured(tmp_path, source)


def test_one_bad_file_fails_its_batch(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("x = 1\n")
    bad.write_text("x =\n")
    assert len(measure_files([str(good), str(good)])) == 2
    with pytest.raises(SyntaxError):
        measure_files([str(good), str(bad)])
