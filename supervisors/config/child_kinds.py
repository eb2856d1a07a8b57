"""Kinds of children: the keys that a configuration gives for one, the checks of them, and the spec made of them.

A kind is a value. An application adds kinds to the two of this package: ``Kinds([*KINDS, mine])``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from supervisors.config.cursor import Cursor
from supervisors.errors import SpecError
from supervisors.supervision.child_spec import ChildSpec

__all__ = ["Kind", "Kinds", "Label"]

Label = tuple[str, str]
"""The text of a child in a drawing: its class or kind, and its options."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of child.

    Args:
        name: the value of the key `kind`.
        description: one sentence for the schema.
        properties: JSON Schema of the keys that only this kind has; those of all children are added.
        build: makes the child's spec of its plain mapping, after the file has passed all checks.
        required: those of these keys that must be given.
        check: reports by the cursor what a schema cannot express.
        label: gives the text in a drawing.
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
        kinds: in the order in which messages list them.

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
            parent: the mapping that holds the list.
            key: the list's key.
            auto_shutdown: the parent's; with "never" a significant child is refused, as it would have no effect.
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
                        "a significant child has no effect under this supervisor; give that one "
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
        """Return the spec of a child, made of its mapping in a checked file."""
        return self._kinds[mapping["kind"]].build(mapping, self)

    def children(self, mappings: Iterable[Mapping[str, Any]]) -> tuple[ChildSpec, ...]:
        """Return the specs of several children."""
        return tuple(self.child(mapping) for mapping in mappings)

    def label(self, mapping: Mapping[str, Any]) -> Label:
        """Return the text of a child in a drawing."""
        return self._kinds[mapping["kind"]].label(mapping)
