"""Names of the code in the pages: whether what a page names in code font is there."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import sys
from functools import cache
from pathlib import Path

from architecture.imports import ROOT, files_of

PACKAGES = ("slither_actors", "supervisors")

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w./-]+\.py")
_DOTTED = re.compile(r"(?:slither_actors|supervisors)(?:\.\w+)+")
_CAMEL = re.compile(r"([A-Z][a-z]\w*)((?:\.\w+)*)")
_PLAIN = re.compile(r"([a-z_][a-z0-9_]{2,})(?:\(.*\)|=.*)?")


def spans_of(page: Path) -> list[str]:
    """Return what a page has in code font, outside of its examples."""
    return _SPAN.findall(_FENCED.sub("", page.read_text()))


def missing(page: Path, allowed: set[str]) -> list[str]:
    """Return the names of a page that lead nowhere."""
    return [span for span in dict.fromkeys(spans_of(page)) if span not in allowed and not is_there(span)]


def is_there(span: str) -> bool:
    """Return whether a name is there; what does not look like one of ours counts as such."""
    if _PATH.fullmatch(span):
        return any(str(file).endswith(f"/{span}") for file in _files())
    if re.fullmatch(r"(?:tests|docs)/[\w./-]+", span):
        return (ROOT / span).exists()
    if re.fullmatch(r"slither\.[a-z_.]+", span) and not span.endswith((".yaml", ".json")):
        return span in _events()
    if found := _DOTTED.match(span):
        return _resolves(found[0])
    if found := _CAMEL.match(span):
        return _class_is_there(found[1], [name for name in found[2].split(".") if name])
    if found := _PLAIN.fullmatch(span):
        return found[1] in _words() or hasattr(builtins, found[1]) or found[1] in sys.stdlib_module_names
    return True


def _events() -> set[str]:
    from slither_actors import telemetry

    return {value for value in vars(telemetry).values() if isinstance(value, str)}


def class_names() -> set[str]:
    """Return the names of all classes and type aliases of the two packages."""
    return set(_members())


@cache
def _files() -> list[Path]:
    return [file for folder in (*PACKAGES, "tests", "docs") for file in files_of(folder)]


def _resolves(dotted: str) -> bool:
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def _class_is_there(name: str, attributes: list[str]) -> bool:
    if hasattr(builtins, name):
        return True
    members = _members()
    if name not in members:
        return False
    return not attributes or attributes[0] in members[name]


@cache
def _members() -> dict[str, set[str]]:
    """Return each class with its attributes, those of its bases too; of other names at a module's top none."""
    own: dict[str, set[str]] = {}
    bases: dict[str, list[str]] = {}
    for package in PACKAGES:
        for file in files_of(package):
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.ClassDef):
                    own.setdefault(node.name, set()).update(_defined(node))
                    bases.setdefault(node.name, []).extend(ast.unparse(base).split("[")[0] for base in node.bases)
                elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    for target in targets:
                        if isinstance(target, ast.Name):
                            own.setdefault(target.id, set())

    def inherited(name: str) -> set[str]:
        return own.get(name, set()).union(*(inherited(base) for base in bases.get(name, ()) if base != name))

    return {name: inherited(name) for name in own}


def _defined(node: ast.ClassDef) -> set[str]:
    found = set()
    for below in ast.walk(node):
        if isinstance(below, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(below.name)
        elif isinstance(below, ast.Attribute) and isinstance(below.ctx, ast.Store):
            found.add(below.attr)
        elif isinstance(below, ast.AnnAssign) and isinstance(below.target, ast.Name):
            found.add(below.target.id)
        elif isinstance(below, ast.Assign):
            found |= {target.id for target in below.targets if isinstance(target, ast.Name)}
    return found


@cache
def _words() -> set[str]:
    """Return every identifier of the two packages' code, and every word in a string that is not a docstring."""
    words: set[str] = set()
    for package in PACKAGES:
        for file in files_of(package):
            tree = ast.parse(file.read_bytes())
            documentation = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
                and node.body
                and isinstance(node.body[0], ast.Expr)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                    words.update(re.findall(r"\w+", node.value))
                for name in ("id", "attr", "name", "arg", "module"):
                    if isinstance(value := getattr(node, name, None), str):
                        words.update(value.split("."))
    return words
