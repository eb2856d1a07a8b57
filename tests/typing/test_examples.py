"""What a type checker says of the examples of README and pages: a reader who copies one gets no error from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.examples import Page
from support.typed import ROOT, errors

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Most functions on the pages have no annotations, and numpy need not be installed.
OPTIONS = ("--check-untyped-defs", "--ignore-missing-imports")


def test_no_example_has_a_type_error(tmp_path: Path) -> None:
    for page in PAGES:
        Page(page).write_modules(tmp_path)
    found = errors(tmp_path, *OPTIONS)
    assert len(found) > 40
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ('system.dispatch.run(["1"], function=work.parse, each="yes")', "arg-type"),
        ("work.no_such_function()", "attr-defined"),
    ],
)
def test_an_error_is_found_at_its_line_on_the_page(tmp_path: Path, wrong: str, code: str) -> None:
    path = tmp_path / "page.md"
    beginning = ["```python", "# file: work.py", "def parse(text):", "    return int(text)", "```", "", "```python"]
    example = ["import work", "from slither_actors import System", "", "def use(system: System):", f"    {wrong}"]
    path.write_text("\n".join([*beginning, *example, "```", ""]))
    Page(path).write_modules(tmp_path)
    found = errors(tmp_path, *OPTIONS)
    assert found["page_work.py"] == {}
    assert {line: said for line, (said, _) in found["page_line_8.py"].items()} == {12: code}
