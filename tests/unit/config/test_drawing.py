"""A tree drawn from its file."""

from __future__ import annotations

from supervisors.config.drawing import Outline, options

TREE = Outline(
    "root",
    "Supervisor",
    "strategy=rest_for_one",
    (Outline("first", "Worker", children=(Outline("below", "Worker"),)), Outline("last", "Worker", "x=1")),
)


def test_a_tree_has_a_line_for_each_part() -> None:
    assert str(TREE).splitlines() == [
        "root (Supervisor) strategy=rest_for_one",
        "├─ first (Worker)",
        "│  └─ below (Worker)",
        "└─ last (Worker) x=1",
    ]
    assert TREE.count == 3


def test_a_terminal_without_lines_gets_ascii() -> None:
    drawn = TREE.draw(ascii_only=True)
    assert drawn.isascii()
    assert drawn.splitlines()[1:] == ["|- first (Worker)", "|  `- below (Worker)", "`- last (Worker) x=1"]


def test_options_are_drawn_in_the_order_of_the_keys() -> None:
    given = {"path": ["a", 1], "size": 2, "name": "n", "unasked": 1, "each": True, "none": None}
    keys = ("size", "missing", "path", "name", "each", "none")
    assert options(given, keys) == "size=2 path=[a, 1] name=n each=true none=null"
