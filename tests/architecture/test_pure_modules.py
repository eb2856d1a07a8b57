"""Modules that say that they are pure do no I/O, start no threads and read no clock."""

from __future__ import annotations

from architecture.pure import impure_imports, pure_modules


def test_decisions_are_among_the_pure_modules() -> None:
    assert {
        "slither_actors.pools.worker.restart_budget",
        "slither_actors.runs.batch_book",
        "slither_actors.runs.flow.credit",
        "supervisors.supervision.restart_policy",
    } <= set(pure_modules())


def test_pure_modules_import_nothing_impure() -> None:
    assert impure_imports() == [], "\n".join(map(str, impure_imports()))
