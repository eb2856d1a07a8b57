"""The workers' half of the demonstration: what there is to count in a Python source file. Standard library only."""

from __future__ import annotations

import ast
import warnings
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (*_FUNCTIONS, ast.ClassDef)

# The lists of statements that a statement may hold. Definitions hide in no other place, and the expressions, nine
# tenths of a tree, need not be walked.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def measure_files(paths: list[str]) -> list[dict[str, Any]]:
    """Measure a batch of files.

    Args:
        paths: of Python source files.

    Returns:
        One mapping for each, see `measure`.

    Raises:
        Exception: one of them cannot be read or parsed; the caller finds out which by asking again for fewer.
    """
    return [measure(path) for path in paths]


def measure(path: str) -> dict[str, Any]:
    """Measure one file.

    Returns:
        ``lines``, ``classes``, ``functions``, ``coroutines``; ``public`` and ``documented``, each a mapping of
        "modules", "classes" and "functions" to how many have a public name, and of these a docstring; ``longest``:
        the lines, qualified name and first line of the longest function, or None; ``imports``: the top-level names
        of the modules that it imports.
    """
    with open(path, "rb") as file:
        source = file.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes, in files that are there to have them
        tree = ast.parse(source, path)
    counts = {"classes": 0, "functions": 0, "coroutines": 0}
    public = {"modules": 1, "classes": 0, "functions": 0}
    documented = {"modules": int(_has_docstring(tree)), "classes": 0, "functions": 0}
    longest: tuple[int, str, int] | None = None
    imports: set[str] = set()
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, scope = todo.pop()
        if isinstance(node, _DOCUMENTED):
            kind = "classes" if isinstance(node, ast.ClassDef) else "functions"
            counts[kind] += 1
            counts["coroutines"] += isinstance(node, ast.AsyncFunctionDef)
            if not node.name.startswith("_"):
                public[kind] += 1
                documented[kind] += _has_docstring(node)
            name = f"{scope}{node.name}"
            if isinstance(node, _FUNCTIONS):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if longest is None or (lines, -node.lineno) > (longest[0], -longest[2]):
                    longest = (lines, name, node.lineno)
            scope = f"{name}."
        elif isinstance(node, ast.Import):
            imports.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.add(node.module.partition(".")[0])
        for block in _BLOCKS:
            todo.extend((child, scope) for child in getattr(node, block, ()))
    return {
        "lines": source.count(b"\n") + (not source.endswith(b"\n") and source != b""),
        **counts,
        "public": public,
        "documented": documented,
        "longest": longest,
        "imports": sorted(imports),
    }


def _has_docstring(node: ast.AST) -> bool:
    body: list[ast.stmt] = getattr(node, "body", [])
    first = body[0] if body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
