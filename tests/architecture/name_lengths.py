"""Names of tests that do not fit in one line of a report."""

from __future__ import annotations

import ast

from .imports import ROOT, files_of

CHARACTERS = 60


def long_names() -> dict[str, list[str]]:
    """Return the long names of each file of tests."""
    found: dict[str, list[str]] = {}
    for file in files_of("tests"):
        names = [
            node.name
            for node in ast.walk(ast.parse(file.read_bytes()))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.name.startswith("test_")
            and len(node.name) >= CHARACTERS
        ]
        if names:
            found[str(file.relative_to(ROOT))] = names
    return found
