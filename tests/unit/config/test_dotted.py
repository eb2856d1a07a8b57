"""Dotted paths, judged from files alone."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from supervisors.config.import_paths import absent, absent_module, resolve

Modules = Callable[[str, str], None]


def test_a_name_is_found_in_source_without_an_import(modules: Modules) -> None:
    modules("loud", "raise SystemExit('imported')\nclass Name: pass\n")
    assert absent("loud:Name") is None
    assert absent_module("loud") is None
    assert "loud" not in sys.modules


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class Name: pass", True),
        ("def Name(): pass", True),
        ("Name = 1", True),
        ("Name: int = 1", True),
        ("if True:\n  from os import path as Name", True),
        ("try:\n  import Name\nexcept ImportError:\n  pass", True),
        ("from os import *", True),
        ("def __getattr__(name): return 1", True),
        ("globals()['Name'] = 1", True),
        ("no Python", True),  # the import tells that better
        ("class Nam: pass", False),
        ("def other():\n  Name = 1", False),
        ("", False),
    ],
)
def test_a_missing_name_is_found_unless_only_running_shows_it(modules: Modules, source: str, found: bool) -> None:
    modules("some", source)
    assert (absent("some:Name") is None) is found


def test_a_missing_name_comes_with_the_nearest_one(modules: Modules) -> None:
    modules("package.__init__", "")
    modules("package.inner", "class Thing: pass")
    assert absent("package.inner:Thing") is None
    assert absent("package.inner:Think") == "module package.inner has no Think, did you mean Thing?"
    assert "no module package.outer in package package" in str(absent("package.outer:Thing"))
    assert "no module nowhere on sys.path" in str(absent("nowhere.at.all:Thing"))
    assert "package.inner is a module, not a package" in str(absent("package.inner.deep:Thing"))
    assert "no module nowhere" in str(absent_module("nowhere"))


def test_builtin_and_namespace_modules_are_found(modules: Modules) -> None:
    modules("space.deep.inner", "class Thing: pass")
    assert absent("sys:path") is None
    assert absent("space.deep.inner:Thing") is None
    assert absent("json:loads", ["/"]) is None


@pytest.mark.parametrize("source", ["raise SystemExit", "raise KeyError('x')", "import no_such_module", "1 +"])
def test_any_exception_of_an_import_is_an_import_error(modules: Modules, source: str) -> None:
    modules("bad", source)
    with pytest.raises(ImportError) as raised:
        resolve("bad:Name")
    assert raised.value.__cause__ is not None
