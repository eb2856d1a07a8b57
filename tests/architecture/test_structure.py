"""Circles, private names, tests, sizes and `Any`: what may still be wrong is listed, and the lists can only shrink."""

from __future__ import annotations

import pytest

from architecture import circles, private_names, sizes, tested_modules
from architecture.__main__ import main
from architecture.any_share import MOST, percent
from architecture.imports import ROOT


def test_imports_have_no_circles_but_the_known() -> None:
    assert {module for circle in circles.circles() for module in circle} == circles.KNOWN


def test_a_circle_is_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"a"}}
    assert circles.circles(edges) == [{"a", "b", "c"}]


def test_only_public_names_of_supervisors_are_used() -> None:
    assert {(use.module, use.name) for use in private_names.private_uses()} == private_names.KNOWN


def test_private_names_stay_in_their_folder_but_the_known() -> None:
    found = {(use.module, use.name) for package in MOST for use in private_names.uses_across_folders(package)}
    assert found == private_names.KNOWN_ACROSS_FOLDERS


def test_every_module_is_imported_by_a_test_but_the_known() -> None:
    assert tested_modules.untested() == set(tested_modules.REACHED_THROUGH)
    assert [path for path in tested_modules.REACHED_THROUGH.values() if not (ROOT / path).is_file()] == []


def test_every_long_file_has_its_reason() -> None:
    assert set(sizes.long_files()) == set(sizes.LONGER)


@pytest.mark.parametrize("package", MOST)
def test_few_parameters_are_any(package: str) -> None:
    assert MOST[package] - 1 < percent(package) <= MOST[package]


def test_the_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    printed = capsys.readouterr().out
    for title in ("Circles", "Private names", "Files over 300 lines", "Modules that no test imports", "Any"):
        assert title in printed
