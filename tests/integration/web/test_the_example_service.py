"""The web part of docs/examples/service, served by uvicorn as it says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from architecture.imports import ROOT
from support.web import UVICORN, Server, serving

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = shutil.copytree(ROOT / "docs" / "examples" / "service", tmp_path / "service")
    (folder / "news.txt").write_text("Good  FILM\n")
    with serving(folder, [*UVICORN, "web:app"]) as server:
        yield server


def test_texts_are_scored_in_batches_until_it_ends(server: Server) -> None:
    texts = ["good%20book", "a%20great%20Great%20film", "bad"]
    answers = server.get_all([f"/score?text={text}" for text in texts * 20])
    assert answers == [(200, 1), (200, 4), (200, -1)] * 20
    assert server.get("/ready") == (200, {"reasons": []})
    assert server.end() in (0, -15)
    assert "Application shutdown complete" in server.log
    assert "Traceback" not in server.log
