"""The pages for users: each example runs and prints what stands below it, and links lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from architecture.imports import ROOT
from support.examples import Page, anchors

PAGES = [Page(ROOT / "docs" / name) for name in ("guide.md", "workers.md", "actors.md")]
SCRIPTS = [
    pytest.param(page, script, printed, id=f"{page.path.stem}-{number}")
    for page in PAGES
    for number, (script, printed) in enumerate(page.scripts, 1)
]
ALL = [Page(path) for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))]


@pytest.mark.parametrize(("page", "script", "printed"), SCRIPTS)
def test_an_example_prints_what_stands_below_it(tmp_path: Path, page: Page, script: str, printed: str | None) -> None:
    page.lay_out(tmp_path)
    if "import numpy" in script:
        pytest.importorskip("numpy")
    assert page.run(script, tmp_path) == (printed or "")


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.path.stem)
def test_links_within_the_project_lead_somewhere(page: Page) -> None:
    for link in page.links:
        name, _, anchor = link.partition("#")
        target = page.path.parent / name if name else page.path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link
