"""Docstrings are in one dialect: Google's sections, no fields of Sphinx."""

from __future__ import annotations

import re

import pytest
from architecture.imports import ROOT, files_of

FIELD = re.compile(r"^.*:(?:param|raises|returns?|type)\b[^:\n]*:.*$", re.MULTILINE)


@pytest.mark.parametrize("package", ["slither_actors", "supervisors"])
def test_docstrings_have_no_sphinx_fields(package: str) -> None:
    found = {str(file.relative_to(ROOT)): FIELD.findall(file.read_text()) for file in files_of(package)}
    assert {name: fields for name, fields in found.items() if fields} == {}
