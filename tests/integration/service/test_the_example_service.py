"""The example of docs/examples/service: it starts from its file, survives what is done to it, and leaves nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from architecture.imports import ROOT

from slither_actors import Context, System
from supervisors import TreeNode
from supervisors.actors.lifecycle import lifecycle_of

EXAMPLE = ROOT / "docs" / "examples" / "service"


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    with System.from_yaml(EXAMPLE / "slither.yaml") as system:
        yield system
    sys.modules.pop("service_actors", None)


def find(node: TreeNode, *path: object) -> TreeNode:
    for child_id in path:
        node = next(child for child in node.children if child.id == child_id)
    return node


def is_anew(system: System, before: Any, *path: object) -> bool:
    """Whether another runs in the place of that one. In between there may be none."""
    try:
        now = system.actor(*path)
    except LookupError:
        return False
    return now is not before and now.is_alive()


def test_two_runs_on_two_pools_killed_worker_and_crashed_child(system: System, eventually: Callable[..., None]) -> None:
    before = system.tree()
    assert find(before, "tree", "intake", "feeds", "news").kind == "Feed"
    cleaned = system.dispatch.run(["Good  FILM", "a BAD one"], module="reader", function="clean")
    scored = system.dispatch.run(
        [item.payload for item in cleaned], command="score", pool="scoring", context=Context.new(session_id="s")
    )
    assert [item.payload for item in scored] == [1, -1]

    pid = system.statistics().pools["scoring"].executors[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    archive = system.actor("intake", "archive")
    news = system.actor("intake", "feeds", "news")
    assert archive.ask("a text") == 1
    lifecycle = lifecycle_of(archive)
    assert lifecycle is not None
    lifecycle.kill()

    eventually(lambda: system.statistics().pools["scoring"].restarts == 1)
    eventually(lambda: system.health().ready)
    again = system.dispatch.run(["great"], command="score", pool="scoring")
    assert again[0].payload == 2
    # rest_for_one: what comes after the archive was restarted with it, what comes before was left alone.
    eventually(lambda: is_anew(system, archive, "intake", "archive"))
    eventually(lambda: is_anew(system, news, "intake", "feeds", "news"))
    after = system.tree()
    assert find(after, "tree", "intake", "archive").restarts == 1
    assert find(after, "tree", "tally").restarts == 0
    assert find(after, "pools", "scoring", "executors", 0).restarts == 1


def test_under_one_for_one_a_crashed_child_restarts_alone(system: System, eventually: Callable[..., None]) -> None:
    feed = system.actor("intake", "feeds", "news")
    archive, tally = system.actor("intake", "archive"), system.actor("tally")

    class Bomb:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("boom")

        __hash__ = None  # type: ignore[assignment]

    tally.tell(Bomb())  # it cannot be counted: the Tally crashes, alone
    eventually(lambda: is_anew(system, tally, "tally"))
    assert system.actor("intake", "archive") is archive
    assert system.actor("intake", "feeds", "news") is feed
    assert find(system.tree(), "tree", "tally").restarts == 1


def test_an_actor_is_looked_up_by_path_and_known_ones_are_named(system: System) -> None:
    system.actor("tally").tell("seen")
    assert system.actor("tally").ask(None) == {"seen": 1}
    with pytest.raises(LookupError, match=r"'archiv'.*known: archive, feeds"):
        system.actor("intake", "archiv")
