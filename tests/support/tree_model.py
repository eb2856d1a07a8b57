"""Trees of supervisors as plain data, and what an exit in one of them comes to."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from supervisors import ChildSpec, Crashed, ExitReason, Killed, Normal, Shutdown, Supervisor


@dataclass
class Leaf:
    """An actor."""

    restart: str
    name: str = ""


@dataclass
class Branch:
    """A supervisor."""

    strategy: str
    restart: str
    budget: int | None
    children: list[Any] = field(default_factory=list)
    name: str = ""


def named(node: Any, name: str = "root") -> Any:
    """The tree, each node named by its place."""
    node.name = name
    for number, child in enumerate(getattr(node, "children", ())):
        named(child, f"{name}.{number}")
    return node


def leaves(node: Any) -> list[Leaf]:
    """All under a node, in start order."""
    return [node] if isinstance(node, Leaf) else [leaf for child in node.children for leaf in leaves(child)]


def spec(node: Any, start: Callable[[str], Any]) -> ChildSpec:
    """Of a node; `start` is given the name of a leaf and starts its actor."""
    if isinstance(node, Leaf):
        return ChildSpec(node.name, lambda: start(node.name), restart=node.restart)  # type: ignore[arg-type]
    return ChildSpec(node.name, lambda: begin(node, start), restart=node.restart, type="supervisor")  # type: ignore[arg-type]


def begin(node: Branch, start: Callable[[str], Any], **where: Any) -> Any:
    """Start the supervisor of a branch, with all that is under it."""
    children = [spec(child, start) for child in node.children]
    return Supervisor.start(children, node.strategy, max_restarts=node.budget, **where)  # type: ignore[arg-type]


def predict(root: Branch, dead: str, reason: ExitReason) -> tuple[set[str], set[str]]:
    """Names of the leaves that restart and of those that are gone for good, as the tree is at that moment."""
    anew: set[str] = set()
    gone: set[str] = set()
    abnormal = isinstance(reason, (Crashed, Killed))

    def start(node: Any) -> None:
        # What is started is the whole of its specs: also transient leaves that had ended before.
        anew.update(leaf.name for leaf in leaves(node))

    def walk(node: Branch) -> ExitReason | None:
        """Why this supervisor ends of it, None if it does not."""
        child = next(child for child in node.children if dead == child.name or dead.startswith(child.name + "."))
        ended = reason if isinstance(child, Leaf) else walk(child)
        if ended is None:
            return None
        bad = isinstance(ended, (Crashed, Killed))
        if child.restart == "temporary":
            node.children.remove(child)
        if not (child.restart == "permanent" or (child.restart == "transient" and bad)):
            gone.update(leaf.name for leaf in leaves(child))
            return None
        if node.budget == 0:
            # Over its budget it stops all its children and ends with Shutdown, which its own supervisor handles.
            gone.update(leaf.name for leaf in leaves(node))
            return Shutdown()
        at = node.children.index(child)
        group = {"one_for_one": [child], "one_for_all": node.children, "rest_for_one": node.children[at:]}[
            node.strategy
        ]
        for other in list(group):
            if other is not child and other.restart == "temporary":
                gone.update(leaf.name for leaf in leaves(other))
                node.children.remove(other)
            else:
                start(other)
        return None

    assert abnormal or isinstance(reason, (Normal, Shutdown))
    ended = walk(root)
    if ended is not None:
        return set(), {leaf.name for leaf in leaves(root)}
    return anew, gone - anew


def random_tree(rand: random.Random, leaves_at_most: int = 8) -> Branch:
    """A tree of one to three levels."""
    room = [leaves_at_most]

    def branch(depth: int) -> Branch:
        strategy = rand.choice(["one_for_one", "one_for_all", "rest_for_one"])
        made = Branch(strategy, rand.choice(["permanent", "transient"]), rand.choice([None, None, 0]))
        for _ in range(rand.randint(1, 3)):
            if depth < 2 and rand.random() < 0.5:
                made.children.append(branch(depth + 1))
            elif room[0] > 0 or not made.children:
                room[0] -= 1
                made.children.append(Leaf(rand.choice(["permanent", "permanent", "transient", "temporary"])))
        return made

    return named(branch(0))  # type: ignore[no-any-return]
