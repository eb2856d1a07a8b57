"""Circles among imports: modules that import each other, directly or through others."""

from __future__ import annotations

from .imports import imports_of, modules_of
from .layers import FACADES

PACKAGES = ("slither_actors", "supervisors")

# Modules that are in a circle still, which is to be broken. A test fails if one is listed that is in none.
KNOWN: set[str] = set()


def graph() -> dict[str, set[str]]:
    """Return for each module those it imports, for type checkers and within functions, too.

    The facades are left out: they offer names of modules that are below everything else they contain.
    """
    edges: dict[str, set[str]] = {module: set() for package in PACKAGES for module in modules_of(package)}
    for package in PACKAGES:
        imports = [found for found in imports_of(package) if found.imported in edges]
        # `from package import module` needs the module; of the package only that it exists.
        only_parents = {(found.importer, found.line, found.imported.rpartition(".")[0]) for found in imports}
        for found in imports:
            if (found.importer, found.line, found.imported) in only_parents or found.importer in FACADES:
                continue
            if found.imported != found.importer:
                edges[found.importer].add(found.imported)
    return edges


def circles(edges: dict[str, set[str]] | None = None) -> list[set[str]]:
    """Return each largest set of modules that all reach each other, the largest set first."""
    edges = graph() if edges is None else edges
    reached = {module: _reached(edges, module) for module in edges}
    found: list[set[str]] = []
    for module in edges:
        together = {other for other in reached[module] if module in reached[other]}
        if together and together not in found:
            found.append(together)
    return sorted(found, key=lambda circle: (-len(circle), min(circle)))


def _reached(edges: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    todo = [start]
    while todo:
        for below in edges[todo.pop()] - reached:
            reached.add(below)
            todo.append(below)
    return reached
