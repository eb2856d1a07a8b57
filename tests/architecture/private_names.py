"""Private names that are used where they do not belong: in the other package, or in another folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from .imports import ROOT, dotted, files_of, modules_of, tree_of

# Uses by `slither_actors` of private names of `supervisors` that are still there, to be removed: (module, name). A test
# fails if one is listed that is not needed, here as below.
KNOWN: set[tuple[str, str]] = set()

# Uses of private names of another folder of the same package.
KNOWN_ACROSS_FOLDERS: set[tuple[str, str]] = {
    ("slither_actors.runs.input.batcher", "_failed_in"),  # of Strategy, whose public names are for users
    # A light actor, its inbox and its scheduler are one hot path: a method call a message would be measurable.
    ("supervisors.actors.light_actor", "_actors"),
    ("supervisors.actors.light_actor", "_check_thread"),
    ("supervisors.actors.light_actor", "_closed"),
    ("supervisors.actors.light_actor", "_poller"),
    ("supervisors.actors.light_ref", "_asleep"),
    ("supervisors.actors.light_ref", "_functions"),
    ("supervisors.actors.light_ref", "_ready"),
    ("supervisors.actors.light_ref", "_wake"),
    # ManualScheduler is the scheduler's own test double.
    ("supervisors.testing", "_timers"),
    ("supervisors.testing", "_turn"),
}


@dataclass(frozen=True, order=True)
class Use:
    """One use of a name that its package keeps to itself."""

    module: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} uses {self.name}"


@dataclass
class ClassNames:
    """The bases of a class, and the private names that it defines."""

    bases: list[str]
    private: set[str] = field(default_factory=set)


def private_uses(user: str = "slither_actors", used: str = "supervisors") -> list[Use]:
    """Return where a package imports or reads a private name of another.

    That is an import of a name with an underscore or of one not in the module's `__all__`; an attribute with an
    underscore that only the other package defines; and a method that replaces a private one of a base class there.
    """
    trees = [(dotted(file), tree_of(file)) for file in files_of(user)]
    own = {name for _, tree in trees for each in private_attributes(tree).values() for name in each.private}
    own |= {name for _, tree in trees for name in _module_names(tree) if _private(name)}
    classes = {name: each for file in files_of(used) for name, each in private_attributes(tree_of(file)).items()}
    theirs = {name for each in classes.values() for name in each.private}
    found: set[Use] = set()
    for module, tree in trees:
        found.update(import_uses(module, tree, used))
        found.update(attribute_uses(module, tree, theirs - own))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.update(inherited_uses(module, node, classes))
    return sorted(found)


def uses_across_folders(package: str) -> list[Use]:
    """Return where a module reads an attribute with an underscore that only other folders of its package define.

    Inherited ones count, too: what a subclass elsewhere may use is not private.
    """
    trees = {dotted(file): tree_of(file) for file in files_of(package)}
    defined: dict[str, set[str]] = {}  # in a folder
    for module, tree in trees.items():
        names = {name for name in _module_names(tree) if _private(name)}
        names.update(*(each.private for each in private_attributes(tree).values()))
        defined.setdefault(_folder(module), set()).update(names)
    every = set().union(*defined.values())
    return sorted(
        {
            use
            for module, tree in trees.items()
            for use in attribute_uses(module, tree, every - defined[_folder(module)])
        }
    )


def attribute_uses(module: str, tree: ast.AST, private: set[str]) -> Iterator[Use]:
    """Yield where one of these attributes is read or written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in private:
            yield Use(module, node.lineno, node.attr)


def import_uses(module: str, tree: ast.AST, used: str) -> Iterator[Use]:
    """Yield the imports of names that another package does not list as public."""
    modules = set(modules_of(used))
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level or node.module not in modules:
            continue
        public = _public_names(node.module)
        for alias in node.names:
            if f"{node.module}.{alias.name}" not in modules and (_private(alias.name) or alias.name not in public):
                yield Use(module, node.lineno, f"{node.module}.{alias.name}")


def inherited_uses(module: str, node: ast.ClassDef, classes: dict[str, ClassNames]) -> Iterator[Use]:
    """Yield where a class replaces or uses what a base class in the other package keeps private."""
    theirs: set[str] = set()
    todo = [_last_name(base) for base in node.bases]
    while todo:
        if base := classes.get(todo.pop()):
            theirs |= base.private
            todo.extend(base.bases)
    own = _assigned(node)
    for below in ast.walk(node):
        defined = isinstance(below, (ast.FunctionDef, ast.AsyncFunctionDef)) and below.name
        if defined and defined in theirs:
            yield Use(module, below.lineno, f"{node.name}.{defined}")
        elif isinstance(below, ast.Attribute) and _on_self(below) and below.attr in theirs - own:
            yield Use(module, below.lineno, f"self.{below.attr}")


@cache
def _public_names(module: str) -> frozenset[str]:
    """Return what `__all__` lists; without one, what the module defines."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = tree_of(path)
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(node, (ast.Assign, ast.AnnAssign)):
            listed = ast.literal_eval(node.value) if node.value else ()
            return frozenset(listed)
    return frozenset(_module_names(tree))


def _module_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def private_attributes(tree: ast.AST) -> dict[str, ClassNames]:
    """Return the private names of each class in a module."""
    return {
        node.name: ClassNames([_last_name(base) for base in node.bases], _assigned(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


def _assigned(node: ast.ClassDef) -> set[str]:
    """Return the private attributes and methods that a class defines."""
    found = set()
    for below in ast.walk(node):
        if isinstance(below, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(below.name)
        elif isinstance(below, ast.Attribute) and _on_self(below) and isinstance(below.ctx, ast.Store):
            found.add(below.attr)
        elif isinstance(below, ast.AnnAssign) and isinstance(below.target, ast.Name):
            found.add(below.target.id)
        elif isinstance(below, ast.Constant) and isinstance(below.value, str) and below.value.isidentifier():
            found.add(below.value)  # in __slots__
    return {name for name in found if _private(name)}


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _on_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}


def _folder(module: str) -> str:
    return module.rpartition(".")[0] or module


def _private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")
