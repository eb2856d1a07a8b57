"""The example in docs/examples/service runs as its comments say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from architecture.imports import ROOT

from slither_actors import Retry, System
from slither_actors.system import config
from supervisors import Scheduler, Supervisor, TreeNode, stop, tree, wait_started, which_children
from supervisors.actors.lifecycle import lifecycle_of

FOLDER = ROOT / "docs" / "examples" / "service"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[config.SystemConfig]:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)  # its paths count from its own folder
    yield config.load(FOLDER / "slither.yaml")
    sys.modules.pop("service_actors", None)


def child(root: Any, ident: str) -> Any:
    return next(info.child for info in which_children(root) if info.id == ident)


def states(node: TreeNode) -> list[tuple[object, str, str]]:
    return [(node.id, node.kind, node.state)] + [each for below in node.children for each in states(below)]


def test_the_file_says_what_it_seems_to_say(loaded: config.SystemConfig) -> None:
    assert loaded.name == "reviews"
    assert list(loaded.pools) == ["scoring", "reading"]
    assert [spec.id for spec in loaded.children] == ["tally", "intake"]
    assert loaded.dispatch["on_error"] == Retry(3, split=True, then="skip")


def test_its_pools_serve_runs_with_its_defaults(loaded: config.SystemConfig) -> None:
    with System(loaded.pools, name=loaded.name) as system:
        texts = ["Good  BOOK", "a great  great film", "Bad"] * 20
        cleaned = system.dispatch.run(texts, **loaded.dispatch, module="reader", function="clean")
        assert [item.payload for item in cleaned[:3]] == ["good book", "a great great film", "bad"]
        scores = system.dispatch.run(cleaned, **{**loaded.dispatch, "pool": "scoring"}, command="score")
        assert [item.payload for item in scores] == [1, 4, -1] * 20


def test_its_tree_runs_and_a_nested_child_that_dies_comes_back(
    loaded: config.SystemConfig, eventually: Callable[..., None]
) -> None:
    scheduler = Scheduler(loaded.name)
    scheduler.start()
    try:
        root = Supervisor.start(loaded.children, name="tree", scheduler=scheduler)
        assert wait_started(root, 10)
        expected = [
            ("tree", "Supervisor", "running"),
            ("tally", "Tally", "running"),
            ("intake", "Supervisor", "running"),
            ("archive", "Archive", "running"),
            ("feeds", "Supervisor", "running"),
            ("news", "Feed", "running"),
            ("forum", "Feed", "running"),
        ]
        assert states(tree(root)) == expected
        tally = child(root, "tally")
        tally.tell("news")
        assert tally.ask(None) == {"news": 1}

        intake = child(root, "intake")
        assert child(intake, "archive").ask("a text") == 1
        feeds = child(intake, "feeds")
        news = child(feeds, "news")
        lifecycle = lifecycle_of(news)
        assert lifecycle is not None
        lifecycle.kill()
        eventually(lambda: child(feeds, "news") is not news and states(tree(root)) == expected)
        assert stop(root, timeout=15)
    finally:
        assert scheduler.stop(10)
