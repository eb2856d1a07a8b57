"""Kinds of children: what a configuration may say of one, what it must not, and what becomes of it.

A kind is a value; who has one of their own gives it to `Kinds` beside the two that are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from supervisors.config.cursor import Cursor
from supervisors.exits import SpecError
from supervisors.supervision.child_spec import ChildSpec

__all__ = ["Kind", "Kinds", "Label"]

Label = tuple[str, str]
"""What a drawing says of a child: its class or kind, and its options."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of child.

    Args:
        name: the value of the key `kind`.
        description: one sentence for the schema.
        properties: JSON Schema of its own keys; those that all children have are added.
        build: makes the child's spec of the plain mapping, once nothing is wrong with the file.
        required: those of its keys that must be given.
        check: what the schema cannot say; refuses by the cursor.
        label: for a drawing.
    """

    name: str
    description: str
    properties: Mapping[str, dict[str, Any]]
    build: Callable[[Mapping[str, Any], Kinds], ChildSpec]
    required: tuple[str, ...] = ()
    check: Callable[[Cursor, Kinds], None] = field(default=lambda cursor, kinds: None)
    label: Callable[[Mapping[str, Any]], Label] = field(default=lambda child: (child["kind"], ""))


class Kinds:
    """The kinds that a file may use.

    Args:
        kinds: in the order in which they are told.

    Raises:
        SpecError: two have one name.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds: dict[str, Kind] = {}
        for kind in kinds:
            if kind.name in self._kinds:
                raise SpecError(f"two kinds of children have the name {kind.name!r}")
            self._kinds[kind.name] = kind

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def check_children(self, parent: Cursor, key: str, auto_shutdown: str | None = None) -> None:
        """Check the list of children under a key of their parent.

        Args:
            parent: of the list.
            key: that holds it.
            auto_shutdown: the parent's, so that a significant child can be told that it counts for nothing there.
        """
        lines: dict[str, int] = {}
        for child in parent.items(key):
            name = child.text("id")
            if name is not None:
                if name in lines:
                    child.refuse(f"the child on line {lines[name]} has this id already; give it another", "id")
                lines.setdefault(name, child.place("id").line)
            self._check_register(child, name)
            if child.get("significant") is True:
                if child.get("restart", "permanent") == "permanent":
                    message = "a permanent child cannot be significant; say restart: transient or temporary"
                    child.refuse(message, "significant")
                elif auto_shutdown == "never":
                    child.refuse(
                        "a significant child needs a supervisor that heeds it; give that one "
                        "auto_shutdown: any_significant or all_significant",
                        "significant",
                    )
            kind = self._kinds.get(child.text("kind") or "")
            if kind is not None:
                kind.check(child, self)

    @staticmethod
    def _check_register(child: Cursor, child_id: str | None) -> None:
        name = child.text("register")
        if name is None:
            return
        first = child.findings.registered.setdefault(name, (child.path, child_id, child.place("register").line))
        if first[0] != child.path:
            who = "this child" if child_id is None else f"the child {child_id!r}"
            child.refuse(
                f"the child {first[1]!r} registers this name already, on line {first[2]}; give {who} another one",
                "register",
            )

    def child(self, mapping: Mapping[str, Any]) -> ChildSpec:
        """The spec of a child, from its mapping in a file that was checked."""
        return self._kinds[mapping["kind"]].build(mapping, self)

    def children(self, mappings: Iterable[Mapping[str, Any]]) -> tuple[ChildSpec, ...]:
        """The same for a list of them."""
        return tuple(self.child(mapping) for mapping in mappings)

    def label(self, mapping: Mapping[str, Any]) -> Label:
        """What a drawing says of it."""
        return self._kinds[mapping["kind"]].label(mapping)
