"""How many parameters are annotated with `Any`, or not at all."""

from __future__ import annotations

import ast

from .imports import files_of, tree_of

# The largest share for a package, in percent: to be lowered with the share.
MOST = {"slither_actors": 3.6, "supervisors": 2.5}


def any_share(package: str) -> tuple[int, int]:
    """Return how many parameters have the bare `Any`, and how many there are; `self` and `cls` are not counted."""
    bare = all_of_them = 0
    for file in files_of(package):
        for node in ast.walk(tree_of(file)):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            for parameter in [*named, *filter(None, (given.vararg, given.kwarg))]:
                if parameter.arg in {"self", "cls"}:
                    continue
                all_of_them += 1
                annotation = parameter.annotation
                bare += annotation is None or ast.unparse(annotation) in {"Any", "typing.Any"}
    return bare, all_of_them


def percent(package: str) -> float:
    """Return the share in percent."""
    bare, all_of_them = any_share(package)
    return 100 * bare / all_of_them
