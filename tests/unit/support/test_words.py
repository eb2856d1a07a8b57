"""The check of words reads docstrings, comments and pages, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.words import found_in, prose_of


@pytest.mark.parametrize("text", ["Nobody waits.", "It is made anew", "waits for ever", "whoever calls"])
def test_a_listed_word_is_found(text: str) -> None:
    assert len(found_in(text)) == 1


@pytest.mark.parametrize("text", ["No caller waits.", "renewed", "a whole forevermost", "foretold"])
def test_other_words_are_not(text: str) -> None:
    assert found_in(text) == []


def test_docstrings_and_comments_are_read_and_strings_are_not(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""One."""\nx = 1  # two\n"""Three.\n\nFour."""\nname = "five"\n')
    assert [(line, text) for line, text in sorted(prose_of(module)) if text] == [
        (1, "One."),
        (2, "# two"),
        (3, "Three."),
        (5, "Four."),
    ]


def test_a_page_is_read_as_a_whole(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("one\ntwo\n")
    assert list(prose_of(page)) == [(1, "one"), (2, "two")]
