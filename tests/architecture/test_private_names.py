"""The search for private names finds each kind of use, and only those."""

from __future__ import annotations

import ast

import pytest

from architecture.private_names import attribute_uses, import_uses, inherited_uses, private_attributes

THEIRS = "class Base:\n    def _step(self): self._flag = 1\n    def open(self): pass\n"


def _uses(source: str) -> list[str]:
    tree = ast.parse(source)
    classes = private_attributes(ast.parse(THEIRS))
    found = [*attribute_uses("m", tree, {"_step", "_flag"}), *import_uses("m", tree, "supervisors")]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found.extend(inherited_uses("m", node, classes))
    return [use.name for use in found]


@pytest.mark.parametrize(
    "source",
    [
        "from supervisors.runtime.scheduler import _anything",
        "from supervisors.runtime.interrupts import CodeType",
        "thing._flag = 2",
        "class A(Base):\n    def _step(self): pass",
    ],
)
def test_a_private_name_is_found(source: str) -> None:
    assert len(_uses(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from supervisors.runtime.interrupts import Event",
        "from supervisors import Supervisor",
        "thing.flag = 2",
        "class A(Base):\n    def open(self): self._own = 1",
    ],
)
def test_a_public_name_is_not(source: str) -> None:
    assert _uses(source) == []
