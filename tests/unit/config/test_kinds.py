"""Kinds of children by their documented path: what is checked of each, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import supervisors.kinds
from supervisors import ChildSpec, SpecError
from supervisors.config import Cursor, Format
from supervisors.config.drawing import Outline
from supervisors.config.formats import examine
from supervisors.kinds import Kind, Kinds, Label


def build(child: Mapping[str, Any], kinds: Kinds) -> ChildSpec:
    return ChildSpec(id=(child["kind"], child["id"]), start=lambda: None)  # type: ignore[arg-type]


def check_bell(child: Cursor, kinds: Kinds) -> None:
    child.refuse("does not ring", "id")
    kinds.check_children(child, "children", "never")


def label_bell(child: Mapping[str, Any]) -> Label:
    return "Bell", f"tone={child['tone']}"


CLOCK = Kind("clock", "Ticks.", {}, build)
BELL = Kind("bell", "Rings.", {"tone": {"type": "string"}}, build, ("tone",), check_bell, label_bell)


def problems(tmp_path: Path, children: str, auto_shutdown: str | None = None, *kinds: Kind) -> list[str]:
    """What the kinds report of a list of children, each with its line."""

    def check(root: Cursor) -> None:
        Kinds(kinds or [CLOCK]).check_children(root, "children", auto_shutdown)

    file = tmp_path / "tree.yaml"
    file.write_text(f"children:\n{children}")
    form = Format("tree", {"properties": {"children": {}}}, check, lambda content: Outline("tree", ""))
    found = examine(file, [form])[1].problems
    return [f"{problem.place.line if problem.place else ''}: {problem.path}: {problem.message}" for problem in found]


def test_all_that_is_documented_is_public() -> None:
    assert set(supervisors.kinds.__all__) == {"Kind", "Kinds", "Label"}


def test_kinds_keep_their_order() -> None:
    assert list(Kinds([BELL, CLOCK])) == [BELL, CLOCK]
    assert list(Kinds(iter([CLOCK, BELL]))) == [CLOCK, BELL]


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(SpecError, match="two kinds of children have the name 'clock'"):
        Kinds([CLOCK, BELL, Kind("clock", "Another.", {}, build)])


def test_a_kind_has_defaults_that_check_nothing(tmp_path: Path) -> None:
    assert CLOCK.required == ()
    assert Kinds([CLOCK]).label({"kind": "clock", "id": "a"}) == ("clock", "")
    assert problems(tmp_path, "  - {kind: clock, id: a}\n") == []


def test_each_child_is_built_and_labelled_by_its_kind() -> None:
    kinds = Kinds([CLOCK, BELL])
    first, second = {"kind": "bell", "id": "a", "tone": "c"}, {"kind": "clock", "id": "b"}
    assert kinds.child(first).id == ("bell", "a")
    assert [spec.id for spec in kinds.children(iter([first, second]))] == [("bell", "a"), ("clock", "b")]
    assert isinstance(kinds.children([]), tuple)
    assert kinds.label(first) == ("Bell", "tone=c")


def test_a_kind_is_built_with_the_kinds_it_is_one_of() -> None:
    given: list[Kinds] = []

    def build_noted(child: Mapping[str, Any], kinds: Kinds) -> ChildSpec:
        given.append(kinds)
        return build(child, kinds)

    kinds = Kinds([Kind("noted", "Noted.", {}, build_noted)])
    kinds.child({"kind": "noted", "id": 1})
    assert given == [kinds]


def test_the_check_of_a_kind_reaches_its_children(tmp_path: Path) -> None:
    child = "  - {kind: bell, id: a, children: [{kind: clock, id: b, significant: true, restart: transient}]}\n"
    first, second = problems(tmp_path, child, "any_significant", CLOCK, BELL)
    assert first == "2: children[0].id: does not ring"
    assert second.startswith("2: children[0].children[0].significant: a significant child has no effect")


@pytest.mark.parametrize("kind", ["nothing", "3", "[clock]"])
def test_a_kind_that_is_unknown_is_left_to_the_schema(tmp_path: Path, kind: str) -> None:
    assert problems(tmp_path, f"  - {{kind: {kind}, id: a}}\n  - {{id: b}}\n  - text\n", None, BELL) == []


def test_an_id_is_given_once_among_brothers(tmp_path: Path) -> None:
    children = "".join(f"  - {{kind: clock, id: {name}}}\n" for name in ("a", "b", "a", "a"))
    message = "the child on line 2 has this id already; give it another"
    assert problems(tmp_path, children) == [f"4: children[2].id: {message}", f"5: children[3].id: {message}"]


def test_a_name_is_registered_once_in_the_whole_file(tmp_path: Path) -> None:
    children = """\
  - {kind: clock, id: a, register: x}
  - {kind: clock, id: b, register: y}
  - {kind: clock, id: c, register: x}
  - {kind: clock, register: y}
"""
    assert problems(tmp_path, children) == [
        "4: children[2].register: the child 'a' registers this name already, on line 2; give the child 'c' another one",
        "5: children[3].register: the child 'b' registers this name already, on line 3; give this child another one",
    ]


@pytest.mark.parametrize(
    ("restart", "auto_shutdown", "message"),
    [
        (None, "any_significant", "a permanent child cannot be significant; say restart: transient or temporary"),
        ("permanent", None, "a permanent child cannot be significant; say restart: transient or temporary"),
        (
            "transient",
            "never",
            "a significant child has no effect under this supervisor; give that one auto_shutdown: ",
        ),
        ("temporary", "all_significant", None),
        ("transient", None, None),
    ],
)
def test_which_children_may_be_significant(
    tmp_path: Path, restart: str | None, auto_shutdown: str | None, message: str | None
) -> None:
    restarts = "" if restart is None else f", restart: {restart}"
    found = problems(tmp_path, f"  - {{kind: clock, id: a, significant: true{restarts}}}\n", auto_shutdown)
    if message is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(f"2: children[0].significant: {message}")


def test_a_child_that_is_not_significant_may_be_permanent(tmp_path: Path) -> None:
    assert problems(tmp_path, "  - {kind: clock, id: a, significant: false}\n", "never") == []
