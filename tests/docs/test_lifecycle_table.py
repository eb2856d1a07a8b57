"""docs/design.md shows the table by which an Executor changes its state."""

from __future__ import annotations

from support.lifecycle_docs import PAGE, page_text


def test_the_page_has_the_table_of_the_code() -> None:
    page = PAGE.read_text()
    assert page == page_text(page), "run: PYTHONPATH=. python tests/support/lifecycle_docs.py"
