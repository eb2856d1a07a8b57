"""Random exits on random trees of supervisors: only the predicted part of the tree dies, and it comes back.

The single supervisor is held to all rules by test_supervisor_rules. This is about what its restarts mean to
those above, beside and below it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tree_model import Branch, Leaf, begin, leaves, named, predict

from supervisors import Crashed, ExitReason, Killed, LightActor, Normal, Shutdown
from supervisors.testing import ManualScheduler

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


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("supervisors").setLevel(logging.CRITICAL + 1)
    yield
    logging.getLogger("supervisors").setLevel(logging.NOTSET)


@pytest.mark.fault(25)
@settings(deadline=None, max_examples=400)
@given(tree=TREES, kills=st.lists(st.tuples(st.integers(0, 100), st.sampled_from(REASONS)), max_size=6))
def test_only_the_predicted_part_of_a_random_tree_dies(tree: Branch, kills: list[tuple[int, ExitReason]]) -> None:
    root = named(tree)
    world, scheduler = World(), ManualScheduler()
    try:
        ref = begin(root, lambda name: Actor.start(world, name), scheduler=scheduler)
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
