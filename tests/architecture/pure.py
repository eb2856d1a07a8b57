"""Modules whose docstring says that they are pure: no I/O, no threads, no clock of their own."""

from __future__ import annotations

import ast
import re

from .circles import PACKAGES
from .imports import Import, dotted, files_of, imports_of, tree_of

# Modules of the standard library that a decision does not need. (Of `os` it may use `os.path`.)
IMPURE = {"asyncio", "logging", "queue", "select", "selectors", "signal", "socket", "subprocess", "threading", "time"}


def pure_modules() -> list[str]:
    """Return the modules whose docstring has the word "Pure" at the beginning of a sentence."""
    return [
        dotted(file)
        for package in PACKAGES
        for file in files_of(package)
        if re.search(r"(?:^|[.:] |\n)Pure\b", ast.get_docstring(tree_of(file)) or "")
    ]


def impure_imports() -> list[Import]:
    """Return where a pure module imports what does I/O, waits, or reads a clock."""
    return [
        found
        for module in pure_modules()
        for found in imports_of(module)
        if found.imported in IMPURE and found.at_run_time
    ]
