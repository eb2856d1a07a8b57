"""The actors of docs/examples/service dispatch: at their start, in their work, and in a drain."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from architecture.imports import ROOT
from support.gates import SECONDS

from slither_actors import System
from slither_actors.system import registry

EXAMPLE = ROOT / "docs" / "examples" / "service"


@pytest.fixture
def archived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """The texts that the archive received, in order; the feeds look into `tmp_path`."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.chdir(tmp_path)
    import service_actors

    told: list[str] = []
    keep = service_actors.Archive.on_receive

    def on_receive(self: Any, message: Any) -> Any:
        if message is not None:
            told.append(message)
        return keep(self, message)

    monkeypatch.setattr(service_actors.Archive, "on_receive", on_receive)
    yield told
    assert registry._default is None
    sys.modules.pop("service_actors", None)


@pytest.mark.parametrize("end", ["drain", "stop"])
def test_a_feed_dispatches_from_its_start_to_its_end(
    archived: list[str], tmp_path: Path, end: str, eventually: Callable[..., None]
) -> None:
    (tmp_path / "news.txt").write_text("Good  FILM\n")
    with System.from_yaml(EXAMPLE / "slither.yaml") as system:
        assert system.actor("intake", "archive").ask(None, timeout=SECONDS) == ["good film"]
        news = system.actor("intake", "feeds", "news")
        for number in range(8):
            news.tell(f"Text   {number}")
        texts = [f"text {number}" for number in range(8)]
        eventually(lambda: archived == ["good film", *texts], SECONDS)
        news.ask("Last  WORDS", timeout=SECONDS)
        if end == "drain":
            report = system.drain(SECONDS)
            assert (report.drained, report.dropped, report.stopped, report.cut_actors) == (True, 0, True, ())
        else:
            assert system.stop()
    assert archived == ["good film", *texts, "last words"]


def test_a_service_whose_workers_cannot_clean_does_not_start(
    archived: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import service_actors

    from supervisors import StartFailed

    def look(self: Any) -> None:
        from slither_actors import current_system

        current_system().dispatch.run(["a text"], module="reader", function="no_such_function")

    monkeypatch.setattr(service_actors.Feed, "look", look)
    with pytest.raises(StartFailed, match=r"child 'intake'.*child 'news'.*no_such_function"):
        System.from_yaml(EXAMPLE / "slither.yaml").start()
