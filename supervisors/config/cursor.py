"""The problems of a document beyond its syntax, and the cursor by which rules read it."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from supervisors.config.errors import MAX_PROBLEMS, ConfigError, Path, Place, Problem, path_text
from supervisors.config.import_paths import absent, absent_module
from supervisors.config.loader import Document, Node

__all__ = ["Cursor", "Findings"]

# Files and folders that are looked for on behalf of one document: a module takes 40 µs, and ten times that where the
# folders are on a network. A mistake beyond these shows when the thing is used.
_MOST_LOOKS = 1_000


class Findings:
    """The problems of one document.

    Args:
        document: the document.
        problems: those found by the loader.
        search: folders that come before `sys.path` when a class is looked for.
    """

    def __init__(self, document: Document, problems: list[Problem], search: tuple[str, ...] = ()) -> None:
        self.document = document
        self.problems = problems
        self.search = search
        # Names that children register: where the first child of each is, its id, and the line that registers it.
        self.registered: dict[str, tuple[Path, str | None, int]] = {}
        self._looked: dict[tuple[Any, ...], str | None] = {}

    @property
    def root(self) -> Cursor:
        """The whole document."""
        return Cursor(self, self.document.root, ())

    def add(self, place: Place | None, path: Path, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.document.name, place, path_text(path), message))

    def absent(self, dotted: str, first: tuple[str, ...] = ()) -> str | None:
        """Return why a module, or a name in one, cannot be imported; None if it probably can. See `import_paths`.

        Args:
            dotted: ``package.module`` or ``package.module:Name``.
            first: folders that come before all others.
        """
        folders = (*first, *self.search)
        look = absent if ":" in dotted else absent_module
        return self._once((dotted, folders), lambda: look(dotted, folders))

    def no_folder(self, path: str) -> str | None:
        """Return the message about a path that is not a folder; None if it is one."""
        return self._once(("folder", path), lambda: None if os.path.isdir(path) else f"no such folder: {path}")

    def no_program(self, path: str, name: str) -> str | None:
        """Return the message about a program that cannot be found; None if it can.

        Args:
            path: the program's path, or a name to look up on PATH.
            name: the program as the file gives it.
        """
        return self._once(("program", path), lambda: None if shutil.which(path) else f"no such program: {name}")

    def _once(self, what: tuple[Any, ...], look: Callable[[], str | None]) -> str | None:
        """Return the result of a look at the file system, cached by place.

        Many children have one class, and its module's source is read for it. Once there are more problems than an
        error lists, nothing more is looked for.
        """
        if not self._looked:
            importlib.invalidate_caches()  # a module may have been written just now
        if what not in self._looked:
            if len(self.problems) >= MAX_PROBLEMS or len(self._looked) >= _MOST_LOOKS:
                return None
            self._looked[what] = look()
        return self._looked[what]

    def raise_if_any(self) -> None:
        """Raise the problems, if there are any.

        Raises:
            ConfigError: with all of them.
        """
        if self.problems:
            raise ConfigError(self.problems)


class Cursor:
    """A mapping of the document, as rules see it. Values of a wrong type are absent: the schema reports those."""

    def __init__(self, findings: Findings, node: Node, path: Path) -> None:
        self.findings = findings
        self.path = path
        self._node = node
        self._values: dict[str, Node] = node.value if isinstance(node.value, dict) else {}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str, default: object = None) -> Any:
        """Return a plain value."""
        node = self._values.get(key)
        if node is None:
            # A refused mapping may hold keys that were not read.
            return None if self._node.refused else default
        return None if node.refused else node.plain()

    def keys(self) -> list[str]:
        """Return the keys of the mapping."""
        return list(self._values)

    @property
    def refused(self) -> bool:
        """Whether part of the mapping could not be read: an absent key may be in the file."""
        return self._node.refused

    def text(self, key: str) -> str | None:
        """Return a value if it is text, else None."""
        value = self.get(key)
        return value if isinstance(value, str) else None

    def place(self, key: str | None = None) -> Place:
        """Return where a value (without a key: the mapping itself) begins."""
        node = self._values.get(key) if key is not None else None
        return (self._node if node is None else node).place

    def section(self, key: str) -> Cursor | None:
        """Return the mapping under a key, if there is one."""
        node = self._values.get(key)
        if node is None or not isinstance(node.value, dict):
            return None
        return Cursor(self.findings, node, (*self.path, key))

    def sections(self, key: str) -> Iterator[tuple[str, Cursor]]:
        """Yield the mappings in the mapping under a key, by name."""
        section = self.section(key)
        for name in [] if section is None else section._values:
            below = section.section(name) if section is not None else None
            if below is not None:
                yield name, below

    def items(self, key: str) -> Iterator[Cursor]:
        """Yield the mappings in the list under a key."""
        node = self._values.get(key)
        for index, item in enumerate(node.value if node is not None and isinstance(node.value, list) else []):
            if isinstance(item.value, dict):
                yield Cursor(self.findings, item, (*self.path, key, index))

    def refuse(self, message: str, key: str | None = None, *more: str | int) -> None:
        """Report a problem of a value (without a key: of the mapping itself).

        Args:
            message: what is wrong, and what to do.
            key: the value's key.
            more: the path further down, in that value.
        """
        below: Path = () if key is None else (key, *more)
        node = self._node.at(below)
        if not node.refused:
            self.findings.add(node.place, (*self.path, *below), message)
