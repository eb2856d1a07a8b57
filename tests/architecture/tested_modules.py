"""Modules that no test imports."""

from __future__ import annotations

import ast
import importlib

from .circles import PACKAGES
from .imports import files_of, modules_of, tree_of

# Programs: tests start them as processes, and import only what they call. Facades of a folder have nothing to test.
PROGRAMS = {
    "supervisors.__main__",
    "slither_actors.__main__",
    "slither_actors.cli.__main__",
    "slither_actors.worker.__main__",
}

# Modules that tests reach through another one: a program, a facade, or the class that they are a part of. Each with the
# file that holds what it does. A test fails if one is listed that a test imports.
REACHED_THROUGH: dict[str, str] = {}


def untested() -> set[str]:
    """Return the modules with code that no file below `tests` imports, by their name or for a name of theirs."""
    imported: set[str] = set()
    ours = {module for package in PACKAGES for module in modules_of(package)}
    for file in files_of("tests"):
        if "architecture" in file.parts:  # names modules without a test of what they do
            continue
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                if node.module in ours:
                    imported |= {_where_defined(node.module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                imported.add(node.value)  # importlib.import_module, or `python -m`
    with_code = {
        module
        for package in PACKAGES
        for module, file in zip(modules_of(package), files_of(package), strict=True)
        if len(tree_of(file).body) > 1
    }
    return with_code - imported - PROGRAMS


def _where_defined(module: str, name: str) -> str:
    """Return the module that defines what another one offers."""
    value = getattr(importlib.import_module(module), name, None)
    return str(getattr(value, "__module__", module))
