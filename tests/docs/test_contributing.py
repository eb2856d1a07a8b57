"""The page for contributors names every target, and the tools read their files."""

from __future__ import annotations

import re

import yaml
from architecture.imports import ROOT


def test_every_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    page = (ROOT / "docs" / "contributing.md").read_text()
    assert re.findall(r"^\| `make (\w+)` \|", page, re.MULTILINE) != []
    assert set(re.findall(r"^\| `make (\w+)` \|", page, re.MULTILINE)) == set(phony[1].split())


def test_the_hooks_before_a_commit_run_what_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks:
        tool = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert f'"$(IN_VENV){tool}"' in makefile


def test_the_classifiers_name_the_interpreters_from_oldest_on() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    minors = [int(minor) for minor in re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', project)]
    assert minors == list(range(11, minors[-1] + 1))
