"""``package.module:Name``: import it, or find out whether it exists without running any code of the module."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from supervisors.wording import did_you_mean

__all__ = ["DOTTED", "absent", "absent_module", "resolve"]

DOTTED = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
"""Such a path, as a pattern for JSON Schema."""


def resolve(path: str) -> Any:
    """Import the module and get the name. Runs the module's code, so never on a scheduler's thread.

    Raises:
        ImportError: there is no such module, or its code raised an exception, which is the cause.
        AttributeError: it has no such name.
    """
    module, _, name = path.partition(":")
    try:
        value: Any = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a script without a guard
        raise ImportError(f"{type(error).__name__}: {error}") from error
    for part in name.split("."):
        value = getattr(value, part)
    return value


def absent(path: str, search: Sequence[str] = ()) -> str | None:
    """Return why ``package.module:Name`` cannot be imported, as far as files show; None if it probably can.

    Args:
        path: the module and the name in it.
        search: folders that come before `sys.path`.
    """
    module, _, name = path.partition(":")
    first = name.partition(".")[0]
    if not search and module in sys.modules:
        known = dir(sys.modules[module])
        return None if first in known else _no_name(module, first, known)
    spec = why = None
    try:
        spec, why = _find(module, search)
    except Exception:
        return None  # a custom finder that does not work this way: the import itself will show
    if spec is None:
        return why
    bound = _bound(spec)
    return None if bound is None or first in bound else _no_name(module, first, sorted(bound))


def absent_module(module: str, search: Sequence[str] = ()) -> str | None:
    """Return why a module cannot be imported, as far as files show; None if it probably can."""
    if not search and module in sys.modules:
        return None
    try:
        return _find(module, search)[1]
    except Exception:
        return None


def _no_name(module: str, name: str, known: Sequence[str]) -> str:
    public = [each for each in known if not each.startswith("_")]
    return f"module {module} has no {name}{did_you_mean(name, public, quote=str)}"


def _find(module: str, search: Sequence[str]) -> tuple[ModuleSpec | None, str | None]:
    """Return the spec, or why there is none, without importing the packages above it."""
    found: ModuleSpec | None = None
    above: Any = None
    name = ""
    for part in module.split("."):
        parent, name = name, f"{name}.{part}" if name else part
        found = PathFinder.find_spec(name, list(search)) if search and not parent else None
        finders: Iterator[Any] = iter(sys.meta_path)
        while found is None and (finder := next(finders, None)) is not None:
            find = getattr(finder, "find_spec", None)
            found = find(name, above) if find is not None else None
        if found is None:
            where = f"in package {parent}" if parent else "on sys.path"
            return None, f"there is no module {name} {where}; check the spelling, or the folder you start from"
        above = found.submodule_search_locations
        if above is None and name != module:
            return None, f"{name} is a module, not a package, so there is no {module}"
    return found, None


# globals()["Name"] = ... and other ways of binding a name that cannot be seen.
_BINDERS = ("exec", "globals", "locals", "setattr", "vars")


def _bound(spec: ModuleSpec) -> set[str] | None:
    """Return the names that a module's source binds at its top level; None if only running it would show."""
    get_source = getattr(spec.loader, "get_source", None)
    try:
        source = get_source(spec.name) if get_source is not None else None
        if source is None:
            return None
        tree = ast.parse(source)
    except (ImportError, SyntaxError, ValueError, RecursionError):
        return None
    names: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BINDERS:
            return None
        todo.extend(ast.iter_child_nodes(node))
    if "*" in names or "__getattr__" in names:
        return None
    return names | {"__name__", "__doc__", "__file__"}
