"""A tree as its file says it, drawn as `supervisors.supervision.snapshot` draws one that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisors.config.errors import in_yaml

__all__ = ["Outline", "options"]


@dataclass(frozen=True, slots=True)
class Outline:
    """One part of the tree.

    Args:
        id: its name among its siblings.
        kind: the name of its class, or of its kind.
        details: its options, as text.
        children: in start order.
    """

    id: str
    kind: str
    details: str = ""
    children: tuple[Outline, ...] = ()

    def __str__(self) -> str:
        return self.draw()

    def draw(self, *, ascii_only: bool = False) -> str:
        """Return the tree as text, one line a part.

        Args:
            ascii_only: for terminals that cannot show lines.
        """
        strokes = ("|- ", "`- ", "|  ") if ascii_only else ("├─ ", "└─ ", "│  ")
        return "\n".join(_lines(self, "", strokes))

    @property
    def count(self) -> int:
        """Parts below this one."""
        return sum(1 + child.count for child in self.children)


def options(given: Mapping[str, Any], keys: Iterable[str]) -> str:
    """Return those of the keys that are given, as ``key=value``, in this order."""
    return " ".join(f"{key}={_plain_text(given[key])}" for key in keys if key in given)


def _plain_text(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_plain_text, value))}]"
    return value if isinstance(value, str) else in_yaml(value)


def _lines(node: Outline, indent: str, strokes: tuple[str, str, str]) -> list[str]:
    inner, last, through = strokes
    lines = [" ".join(part for part in (f"{node.id} ({node.kind})", node.details) if part)]
    for index, child in enumerate(node.children):
        at_end = index == len(node.children) - 1
        first, *rest = _lines(child, indent, strokes)
        lines.append((last if at_end else inner) + first)
        lines.extend(("   " if at_end else through) + line for line in rest)
    return lines
