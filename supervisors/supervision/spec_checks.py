"""What must hold among the specs of one supervisor's children. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from supervisors.errors import SpecError
from supervisors.supervision.child_spec import ChildSpec
from supervisors.wording import shown

__all__ = ["check_significant", "checked_specs", "not_a_spec"]


def checked_specs(children: Iterable[ChildSpec] | object, auto_shutdown: str = "never") -> list[ChildSpec]:
    """Return the specs of children.

    Args:
        children: what was given as such.
        auto_shutdown: of their supervisor.

    Raises:
        TypeError: they are no list of ChildSpecs.
        SpecError: two have one id or register one name; or a child is significant though auto_shutdown is "never".
    """
    if isinstance(children, ChildSpec) or not isinstance(children, Iterable):
        raise TypeError(f"children must be a list of ChildSpecs, [ChildSpec(...)], not {shown(children)}")
    specs: dict[Hashable, ChildSpec] = {}
    names: dict[Hashable, Hashable] = {}
    for spec in children:
        if not isinstance(spec, ChildSpec):
            raise TypeError(not_a_spec(spec))
        check_significant(spec, auto_shutdown)
        if spec.id in specs:
            raise SpecError(f"two children have the id {shown(spec.id)}")
        if spec.register is not None:
            if spec.register in names:
                raise SpecError(
                    f"children {shown(names[spec.register])} and {shown(spec.id)} both register the name "
                    f"{shown(spec.register)}; give one of them another"
                )
            names[spec.register] = spec.id
        specs[spec.id] = spec
    return list(specs.values())


def check_significant(spec: ChildSpec, auto_shutdown: str) -> None:
    """Check that a significant child is of a supervisor that stops for it.

    Raises:
        SpecError: it is not.
    """
    if spec.significant and auto_shutdown == "never":
        raise SpecError(f"child {shown(spec.id)} is significant, but auto_shutdown is 'never'")


def not_a_spec(given: object) -> str:
    """Return the error message for a value that should be a ChildSpec."""
    if isinstance(given, type):
        return f"a child must be a ChildSpec, not a class: ChildSpec(id=..., start={given.__name__}.start)"
    if isinstance(given, Mapping):
        return f"a child must be a ChildSpec, not a mapping: ChildSpec(id=..., start=...), not {shown(given)}"
    return f"a child must be a ChildSpec, not {shown(given)}"
