"""Exemptions from docstring rules: read, and removed where they are not needed."""

from __future__ import annotations

from support.docstrings import exempt, without

TEXT = """[tool.ruff.lint.per-file-ignores]
"tests/**" = ["D"]
"slither_actors/a.py" = ["D401", "D415"]
"supervisors/b.py" = ["D401"]
"""


def test_exemptions_of_files_are_read() -> None:
    assert exempt(TEXT) == {"slither_actors/a.py": {"D401", "D415"}, "supervisors/b.py": {"D401"}}


def test_what_is_not_needed_is_removed() -> None:
    shorter = without(TEXT, {"slither_actors/a.py": {"D415"}})
    assert exempt(shorter) == {"slither_actors/a.py": {"D415"}}
    assert '"tests/**" = ["D"]' in shorter


def test_what_is_needed_stays() -> None:
    assert without(TEXT, exempt(TEXT)) == TEXT
