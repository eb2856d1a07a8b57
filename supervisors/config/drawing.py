"""A tree as its file says it, drawn as `supervisors.supervision.snapshot` draws one that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisors.config.errors import shown

__all__ = ["Outline", "options"]


@dataclass(frozen=True, slots=True)
class Outline:
    """One part of the tree.

    Args:
        id: its name among its siblings.
        kind: the name of its class, or of its kind.
        told: its options, as text.
        children: in start order.
    """

    id: str
    kind: str
    told: str = ""
    children: tuple[Outline, ...] = ()

    def __str__(self) -> str:
        return self.draw()

    def draw(self, *, ascii_only: bool = False) -> str:
        """The tree as text, one line a part.

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
    """Those of the keys that are given, as ``key=value``, in this order."""
    return " ".join(f"{key}={_told(given[key])}" for key in keys if key in given)


def _told(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_told, value))}]"
    return value if isinstance(value, str) else shown(value)


def _lines(node: Outline, indent: str, strokes: tuple[str, str, str]) -> list[str]:
    inner, last, through = strokes
    lines = [" ".join(part for part in (f"{node.id} ({node.kind})", node.told) if part)]
    for index, child in enumerate(node.children):
        at_end = index == len(node.children) - 1
        first, *rest = _lines(child, indent, strokes)
        lines.append((last if at_end else inner) + first)
        lines.extend(("   " if at_end else through) + line for line in rest)
    return lines
