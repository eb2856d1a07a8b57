"""Which part of the project may know of which."""

from __future__ import annotations

import subprocess
import sys

import pytest

import slither_actors
from architecture.imports import ROOT, Import, imports_of
from architecture.layers import KNOWN_UPWARD, unplaced, upward, without_modules

# What a worker loads. It is above nothing but the wire, whatever stands on the lines between.
WORKERS_SIDE = ("slither_actors.worker", "slither_actors.wire")

# The one module of the workers' side that imports numpy, and is itself imported only where numpy is in use.
ARRAYS = "slither_actors.wire.arrays"


def part_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def told(found: list[Import]) -> str:
    return "\n".join(map(str, found))


def test_every_module_belongs_to_a_layer() -> None:
    assert unplaced() == []
    assert without_modules() == []


def test_imports_go_downwards() -> None:
    assert {(found.importer, found.imported) for found in upward()} == KNOWN_UPWARD


def test_workers_side_imports_standard_library_and_msgpack_only() -> None:
    wrong = []
    for package in WORKERS_SIDE:
        for found in imports_of(package):
            top = found.imported.partition(".")[0]
            if found.within(*WORKERS_SIDE) or top in sys.stdlib_module_names or top == "msgpack":
                continue
            if found.imported == "slither_actors":  # the package itself, of which the two are parts
                continue
            if top == "numpy" and found.importer == ARRAYS:
                continue
            wrong.append(found)
    assert not wrong, told(wrong)


def test_numpy_is_imported_when_a_value_needs_it_only() -> None:
    importers = [found for found in imports_of("slither_actors") if found.within(ARRAYS)]
    wrong = [found for found in importers if found.at_import and found.at_run_time]
    assert not wrong, told(wrong)


def test_the_wire_does_not_know_the_worker() -> None:
    wrong = [found for found in imports_of("slither_actors.wire") if found.within("slither_actors.worker")]
    assert not wrong, told(wrong)


def test_supervisors_know_nothing_of_dispatch() -> None:
    wrong = [found for found in imports_of("supervisors") if found.within("slither_actors")]
    assert not wrong, told(wrong)


def test_cli_and_demos_use_public_names_only() -> None:
    public = {"errors", "executors", "strategies", "cli", "demos", *slither_actors.__all__}
    wrong = [
        found
        for package in ("slither_actors.cli", "slither_actors.demos")
        for found in imports_of(package)
        if found.within("slither_actors") and part_of(found.imported) not in {"", "system", *public}
        if not found.within("slither_actors.system") or found.within("slither_actors.system.config")
    ]
    assert not wrong, told(wrong)


@pytest.mark.parametrize("package", ["slither_actors", "supervisors"])
@pytest.mark.parametrize("dangerous", ["subprocess", "yaml", "msgpack"])
def test_what_needs_care_is_imported_by_one_module(package: str, dangerous: str) -> None:
    importers = {found.importer for found in imports_of(package) if found.within(dangerous) and found.at_run_time}
    assert len(importers) <= 1, sorted(importers)


def test_the_package_itself_imports_nothing_of_ours() -> None:
    wrong = [
        found
        for found in imports_of("slither_actors")
        if found.importer == "slither_actors" and found.at_run_time and found.at_import
        if found.imported.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong, told(wrong)


@pytest.mark.parametrize("module", ["slither_actors", "slither_actors.worker", "slither_actors.demos.measure"])
def test_what_a_worker_imports_brings_no_runtime_with_it(module: str) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    loaded = set(done.stdout.split())
    assert not loaded & {"pykka", "yaml", "msgspec", "supervisors", "slither_actors.dispatch", "slither_actors.pools"}


def test_every_folder_of_a_package_is_a_package() -> None:
    for package in ("slither_actors", "supervisors"):
        folders = {file.parent for file in (ROOT / package).rglob("*.py")}
        assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
        assert (ROOT / package / "py.typed").is_file()
