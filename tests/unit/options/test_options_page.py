"""docs/options.md has a row for each option of a run, made of its declaration."""

from __future__ import annotations

from support.config_docs import (
    OPTIONS_PAGE,
    OPTIONS_TABLE,
    batcher_options,
    chunk_options,
    options_text,
    run_options,
)

from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_parsing import known_options
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch


def test_each_option_is_declared_and_has_a_row() -> None:
    known = known_options(SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition)
    tables = list(OPTIONS_TABLE.finditer(OPTIONS_PAGE.read_text()))
    rows = [name for found in tables if not found[1] for name in found[2].split()]
    of_batchers = [name for found in tables if found[1] for name in found[2].split()]
    assert sorted(run_options()) == known
    assert sorted(rows) == sorted(run_options() | chunk_options())
    assert sorted(of_batchers) == sorted(batcher_options())


def test_the_rows_are_those_of_the_declarations() -> None:
    page = OPTIONS_PAGE.read_text()
    assert page == options_text(page), "run: python tests/support/config_docs.py"
