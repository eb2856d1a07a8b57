"""Random exits on random trees of supervisors: only the predicted part of the tree dies, and it comes back.

The single supervisor is held to all rules by test_supervisor_rules. This is about what its restarts mean to
those above, beside and below it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisors import ChildSpec, Crashed, ExitReason, Killed, LightActor, Normal, Shutdown, Supervisor
from supervisors.testing import ManualScheduler


@dataclass
class Leaf:
    restart: str
    name: str = ""


@dataclass
class Branch:
    strategy: str
    restart: str
    budget: int | None
    children: list[Any] = field(default_factory=list)
    name: str = ""


LEAVES = st.builds(Leaf, st.sampled_from(["permanent", "permanent", "transient", "temporary"]))


def branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Branch]:
    return st.builds(
        Branch,
        st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        st.sampled_from(["permanent", "transient"]),
        st.sampled_from([None, None, 0]),
        st.lists(children, min_size=1, max_size=4),
    )


TREES = branches(st.recursive(LEAVES, branches, max_leaves=12))
REASONS = [Crashed(RuntimeError("boom")), Killed(), Normal(), Shutdown()]


class World:
    """Which incarnation of each leaf lives."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.alive: dict[str, tuple[int, Actor]] = {}


class Actor(LightActor):
    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.world, self.name = world, name

    def on_start(self) -> None:
        assert self.name not in self.world.alive, "two of one name at a time"
        self.world.alive[self.name] = (next(self.world.numbers), self)

    def on_exit(self, reason: ExitReason) -> None:
        del self.world.alive[self.name]


def named(node: Any, name: str = "root") -> Any:
    node.name = name
    for number, child in enumerate(getattr(node, "children", ())):
        named(child, f"{name}.{number}")
    return node


def leaves(node: Any) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [leaf for child in node.children for leaf in leaves(child)]


def spec(node: Any, world: World) -> ChildSpec:
    if isinstance(node, Leaf):
        return ChildSpec(node.name, lambda: Actor.start(world, node.name), restart=node.restart)  # type: ignore[arg-type]
    return ChildSpec(node.name, lambda: begin(node, world), restart=node.restart, type="supervisor")  # type: ignore[arg-type]


def begin(node: Branch, world: World, **where: Any) -> Any:
    children = [spec(child, world) for child in node.children]
    return Supervisor.start(children, node.strategy, max_restarts=node.budget, **where)  # type: ignore[arg-type]


def predict(root: Branch, dead: str, reason: ExitReason) -> tuple[set[str], set[str]]:
    """Names of the leaves that start anew and of those that are gone for good, as the tree is at that moment."""
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
            # Over its budget it stops all its children and ends with Shutdown, which is its own supervisor's affair.
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


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("supervisors").setLevel(logging.CRITICAL + 1)
    yield
    logging.getLogger("supervisors").setLevel(logging.NOTSET)


@settings(deadline=None, max_examples=400)
@given(tree=TREES, kills=st.lists(st.tuples(st.integers(0, 100), st.sampled_from(REASONS)), max_size=6))
def test_only_the_predicted_part_of_a_random_tree_dies(tree: Branch, kills: list[tuple[int, ExitReason]]) -> None:
    root = named(tree)
    world, scheduler = World(), ManualScheduler()
    try:
        ref = begin(root, world, scheduler=scheduler)
        scheduler.run_until_idle()
        assert set(world.alive) == {leaf.name for leaf in leaves(root)}
        for pick, reason in kills:
            if not world.alive:
                return
            dead = sorted(world.alive)[pick % len(world.alive)]
            before = {name: number for name, (number, _) in world.alive.items()}
            anew, gone = predict(root, dead, reason)
            scheduler.post(world.alive[dead][1].exit, reason)
            scheduler.run_until_idle()
            after = {name: number for name, (number, _) in world.alive.items()}
            untouched = before.keys() - anew - gone
            assert {name for name in before if after.get(name) == before[name]} == untouched
            assert after.keys() == untouched | anew
            if not ref.is_alive():
                assert not world.alive
                return
    finally:
        scheduler.stop()
