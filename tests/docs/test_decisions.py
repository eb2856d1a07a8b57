"""The records of decisions: each has its four parts, is short, and stands in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from architecture.imports import ROOT

FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_four_parts(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.stem[:3]}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Measured", "Refused"]
    assert text.count("\n") <= 45


def test_the_index_lists_the_records_in_order() -> None:
    rows = re.findall(r"^\| \[(\d+)\]\((.+?)\) \| (.+) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    titles = [re.match(r"# (\d+)\. (.+)\n", record.read_text()) for record in RECORDS]
    assert rows == [
        (title[1], record.name, title[2]) for title, record in zip(titles, RECORDS, strict=True) if title is not None
    ]
