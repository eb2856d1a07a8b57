"""Names of tests that do not fit in one line of a report."""

from __future__ import annotations

import ast

from .imports import ROOT, files_of, tree_of

CHARACTERS = 60


def long_names() -> dict[str, list[str]]:
    """Return the names of so many characters and more, by the file of the tests."""
    found: dict[str, list[str]] = {}
    for file in files_of("tests"):
        names = [
            node.name
            for node in ast.walk(tree_of(file))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.name.startswith("test_")
            and len(node.name) >= CHARACTERS
        ]
        if names:
            found[str(file.relative_to(ROOT))] = names
    return found
