"""Trees of real processes under nested supervisors: a killed child takes down what the rules say, and nothing else."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gates import SECONDS, alive, wait_gone
from support.owners import World
from support.tree_model import Branch, begin, leaves, predict, random_tree
from support.worker import FUNCTIONS

from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.supervision import pool_child
from supervisors import ChildSpec, Crashed, DynamicSupervisor, StartChild, Supervisor, count_children, tree

KILLED = Crashed(RuntimeError("signal 9"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made
    assert made.pids == {}
    assert made.starts == made.ends


def settle(world: World, condition: Callable[[dict[str, int]], object]) -> dict[str, int]:
    """Wait until the living are as they should be."""
    deadline = time.monotonic() + SECONDS
    while not condition(now := world.alive()):
        assert time.monotonic() < deadline, now
        time.sleep(0.002)
    return now


# --- random ones


def kill_at_random(world: World, root: Branch, rand: random.Random, kills: int) -> int:
    """Kill one after the other, and compare each time with what the rules say. How many were killed."""
    ref = world.start(lambda **where: begin(root, world.owner, **where))
    everybody = {leaf.name for leaf in leaves(root)}
    before = settle(world, lambda now: now.keys() == everybody)
    for count in range(kills):
        if not before:
            return count
        victim = rand.choice(sorted(before))
        anew, gone = predict(root, victim, KILLED)
        starts, ends = Counter(world.starts), Counter(world.ends)
        world.kill(victim)
        untouched = before.keys() - anew - gone
        after = settle(
            world,
            lambda now: now.keys() == untouched | anew and all(now[name] != before.get(name) for name in anew),  # noqa: B023
        )
        assert {name: before[name] for name in untouched} == {name: after[name] for name in untouched}
        # Each that came back was started once; each that had to go ended once, and is really dead.
        assert world.starts - starts == Counter(anew)
        assert world.ends - ends == Counter(before.keys() - untouched)
        wait_gone(*(pid for name, pid in before.items() if name not in untouched))
        assert all(alive(pid) for pid in after.values())
        if not ref.is_alive():
            assert not after
            return count + 1
        before = after
    return kills


@pytest.mark.fault(25)
@pytest.mark.parametrize("seed", range(12))
def test_random_kills_take_down_the_predicted_part_only(world: World, seed: int) -> None:
    rand = random.Random(seed)
    assert kill_at_random(world, random_tree(rand), rand, 5) >= 1


@pytest.mark.chaos
@pytest.mark.fault(25)
@pytest.mark.timeout(600)
def test_many_random_kills_on_many_random_trees(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"\nseed {seed}")
    rand = random.Random(seed)
    killed = 0
    for number in range(150):
        folder = tmp_path / str(number)
        folder.mkdir()
        with World(folder) as world:
            killed += kill_at_random(world, random_tree(rand, 16), rand, 10)
    print(f"{killed} killed")
    assert killed >= 150


# --- real pools


def pool(link: PoolHandle, world: World) -> ChildSpec:
    """A pool of two workers that gives up at the first death."""
    return pool_child(link, PoolSpec(size=2, path=[FUNCTIONS], max_restarts=0), lambda: world.spawner)


@pytest.mark.fault(25)
def test_real_pools_under_nested_supervisors(world: World, eventually: Callable[..., None]) -> None:
    links = {name: PoolHandle(name) for name in "abcd"}

    def branch(strategy: Any, *names: str) -> Callable[[], Any]:
        return lambda: Supervisor.start([pool(links[name], world) for name in names], strategy, max_restarts=9)

    world.start(
        lambda **where: Supervisor.start(
            [
                ChildSpec("rest", branch("rest_for_one", "a", "b", "c"), type="supervisor"),
                ChildSpec("one", branch("one_for_one", "d"), type="supervisor"),
            ],
            **where,
        )
    )

    def workers() -> dict[str, list[int]]:
        snapshots = world.look(lambda: {name: link.snapshot() for name, link in links.items()})
        return {
            name: [executor.pid for executor in now.executors]
            for name, now in snapshots.items()
            if now.pool is not None and now.pool.ready == 2
        }

    eventually(lambda: len(workers()) == 4, SECONDS)
    for victim, anew in [("b", "bc"), ("d", "d"), ("a", "abc"), ("c", "c")]:
        before = workers()
        os.kill(before[victim][0], signal.SIGKILL)
        eventually(
            lambda: len(now := workers()) == 4 and all(not set(now[name]) & set(before[name]) for name in anew),  # noqa: B023
            SECONDS,
        )
        after = workers()
        assert {name for name in "abcd" if set(after[name]) & set(before[name])} == set("abcd") - set(anew)
        assert all(after[name] == before[name] for name in set("abcd") - set(anew))
    deaths = {name: world.look(link.counters.snapshot).deaths for name, link in links.items()}
    assert deaths == dict.fromkeys("abcd", 1)
    started = {name: world.look(link.counters.snapshot).started for name, link in links.items()}
    assert started == {"a": 4, "b": 6, "c": 8, "d": 4}


# --- at the same time


def three(world: World, strategy: Any, **where: Any) -> Any:
    return Supervisor.start([ChildSpec(name, lambda name=name: world.owner(name)) for name in "abc"], strategy, **where)  # type: ignore[misc]


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    ("strategy", "victims", "at_least_once"),
    [
        ("one_for_one", "ab", "ab"),
        ("one_for_one", "abc", "abc"),
        ("one_for_all", "ac", "abc"),
        ("rest_for_one", "bc", "bc"),
        ("rest_for_one", "ac", "abc"),
    ],
)
def test_two_that_die_at_once(world: World, strategy: str, victims: str, at_least_once: str) -> None:
    ref = world.start(lambda **where: three(world, strategy, max_restarts=None, **where))
    before = world.alive()
    world.kill(*victims)
    after = settle(world, lambda now: len(now) == 3 and all(now[name] != before[name] for name in at_least_once))
    assert {name for name in "abc" if after[name] == before[name]} == set("abc") - set(at_least_once)
    # A child that was dead already when the strategy came to stop it is not started twice for that.
    assert all(world.starts[name] <= 3 for name in "abc")
    assert ref.is_alive()
    assert [node.state for node in tree(ref).children] == ["running"] * 3


@pytest.mark.fault(26)
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_one_that_dies_during_its_siblings_restart(world: World, strategy: str) -> None:
    ref = world.start(lambda **where: three(world, strategy, max_restarts=5, **where))
    before = world.alive()
    world.slow.add("b")
    world.kill("a")
    # All three are stopped, a has started again, b is at it, and c waits for its turn.
    half = settle(world, lambda now: now.keys() == {"a", "b"} and now["b"] != before["b"])
    world.kill("a")
    settle(world, lambda now: "a" not in now)
    world.let_start("b")
    after = settle(world, lambda now: len(now) == 3 and now["a"] not in (before["a"], half["a"]))
    assert not set(after.values()) & {*before.values(), *half.values()}
    assert world.starts["a"] == 3
    assert ref.is_alive()
    assert [node.state for node in tree(ref).children] == ["running"] * 3


@pytest.mark.fault(26)
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_one_that_dies_while_it_is_being_restarted_itself(world: World, strategy: str) -> None:
    ref = world.start(lambda **where: three(world, strategy, max_restarts=5, **where))
    before = world.alive()
    world.slow.add("b")
    world.kill("a")
    half = settle(world, lambda now: now.keys() == {"a", "b"} and now["b"] != before["b"])
    world.slow.discard("b")  # the next one starts as usual
    world.kill("b")
    after = settle(world, lambda now: len(now) == 3 and now["b"] != half["b"])
    assert (after["a"] == half["a"]) == (strategy == "rest_for_one")
    assert ref.is_alive()


@pytest.mark.fault(26)
def test_over_the_budget_nobody_of_the_tree_is_left(world: World) -> None:
    ref = world.start(lambda **where: three(world, "one_for_one", max_restarts=1, max_seconds=60.0, **where))
    first = world.alive()
    world.kill("a", "b", "c")
    settle(world, lambda now: not ref.is_alive())
    assert world.alive() == {}
    wait_gone(*first.values())


@pytest.mark.fault(26)
def test_hundreds_of_dynamic_children_processes_die_at_once(world: World) -> None:
    ref = world.start(lambda **where: DynamicSupervisor.start(max_restarts=None, **where))
    names = [f"child {number}" for number in range(200)]
    for name in names:
        ref.tell(StartChild(ChildSpec(name, lambda name=name: world.owner(name))))  # type: ignore[misc]
    before = settle(world, lambda now: len(now) == 200)
    assert count_children(ref).active == 200
    world.kill(*names)
    after = settle(world, lambda now: len(now) == 200 and not set(now.values()) & set(before.values()))
    assert world.starts == Counter(dict.fromkeys(names, 2))
    assert len(set(after.values())) == 200
