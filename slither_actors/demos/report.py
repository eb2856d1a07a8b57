"""What the demonstration found, added up. The same whatever order the files come in."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

KINDS = ("modules", "classes", "functions")
"""What may have a docstring."""

LONGEST = 5
"""How many of the longest functions are listed."""


@dataclass(slots=True)
class Totals:
    """Sums over some files."""

    files: int = 0
    lines: int = 0
    classes: int = 0
    functions: int = 0
    coroutines: int = 0
    public: Counter[str] = field(default_factory=Counter)
    documented: Counter[str] = field(default_factory=Counter)

    def add(self, found: dict[str, Any]) -> None:
        """Add what `measure` said of one file."""
        self.files += 1
        self.lines += found["lines"]
        self.classes += found["classes"]
        self.functions += found["functions"]
        self.coroutines += found["coroutines"]
        self.public.update(found["public"])
        self.documented.update(found["documented"])

    def cover(self, kind: str) -> float | None:
        """Return the share of public `kind` that have a docstring, 0 to 1; None where there are none."""
        return self.documented[kind] / self.public[kind] if self.public[kind] else None


@dataclass(frozen=True, slots=True, order=True)
class LongFunction:
    """A function and where it is. Sorts the longest first, then by place."""

    negative_lines: int
    file: str
    line: int
    name: str

    @property
    def lines(self) -> int:
        """How long it is."""
        return -self.negative_lines


class Report:
    """Everything that the table shows."""

    def __init__(self) -> None:
        self.code = Totals()
        self.tests = Totals()
        self.imported: Counter[str] = Counter()
        self.unparsed: list[tuple[str, str]] = []
        self._longest: list[LongFunction] = []

    def add(self, file: str, found: dict[str, Any]) -> None:
        """Add what `measure` said of `file` (its path below the folder that was read)."""
        totals = self.tests if is_test(file) else self.code
        totals.add(found)
        self.imported.update(found["imports"])
        if found["longest"] is not None:
            lines, name, line = found["longest"]
            self._longest.append(LongFunction(-lines, file, line, name))
            self._longest = heapq.nsmallest(LONGEST, self._longest)

    def add_unparsed(self, file: str, reason: str) -> None:
        """Add a file that could not be measured."""
        self.unparsed.append((file, reason))

    @property
    def longest(self) -> list[LongFunction]:
        """The longest functions (of each file its longest), the longest first."""
        return sorted(self._longest)


def is_test(file: str) -> bool:
    """Whether a file belongs to tests, by the folders that it is in."""
    return any(part in {"test", "tests", "idle_test"} for part in PurePath(file).parts)
