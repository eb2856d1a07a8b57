"""The module paths that earlier documentation named: they give the same objects as today's."""

from __future__ import annotations

import importlib

import pytest

import supervisors.config


@pytest.mark.parametrize(("module", "name"), [("kinds", "Kind"), ("kinds", "Kinds"), ("formats", "Format")])
def test_a_documented_path_still_imports(module: str, name: str) -> None:
    documented = importlib.import_module(f"supervisors.{module}")
    assert getattr(documented, name) is getattr(supervisors.config, name)
