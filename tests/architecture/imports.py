"""What a package's modules import, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """One module importing another.

    Attributes:
        importer: dotted name of the module that says it.
        imported: dotted name of what it asks for: of ``from a.b import c`` both ``a.b`` and ``a.b.c``, for `c` may be
            a module.
        at_run_time: not only under ``if TYPE_CHECKING``.
        at_import: at the module's top, not within a function.
        line: where.
    """

    importer: str
    imported: str
    at_run_time: bool
    at_import: bool
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"

    def within(self, *packages: str) -> bool:
        """Whether what is imported is one of these packages or below one."""
        return any(self.imported == package or self.imported.startswith(f"{package}.") for package in packages)


@cache
def imports_of(package: str) -> list[Import]:
    """Every import in a package of this project, those of its subpackages too.

    Args:
        package: dotted name of a package or module.
    """
    return [found for file in files_of(package) for found in _imports_in(file)]


@cache
def modules_of(package: str) -> list[str]:
    """Return the dotted names of a package's modules."""
    return [dotted(file) for file in files_of(package)]


@cache
def files_of(package: str) -> list[Path]:
    """Return the files of a package, those of its subpackages too, or the one of a module."""
    path = ROOT.joinpath(*package.split("."))
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


@cache
def tree_of(file: Path) -> ast.Module:
    """Return the syntax tree of a file, which is not to be changed."""
    return ast.parse(file.read_bytes(), str(file))


def dotted(file: Path) -> str:
    """Return the name of the module in a file."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports_in(file: Path) -> Iterator[Import]:
    importer = dotted(file)
    package = importer if file.name == "__init__.py" else importer.rpartition(".")[0]
    todo: list[tuple[ast.AST, bool, bool]] = [(tree_of(file), True, True)]
    while todo:
        node, at_run_time, at_import = todo.pop()
        for name in _named(node, package):
            yield Import(importer, name, at_run_time, at_import, getattr(node, "lineno", 0))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            at_import = False
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for field, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            run_time = at_run_time and not (typing_only and field == "body")
            todo.extend((child, run_time, at_import) for child in children if isinstance(child, ast.AST))


def _named(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
