"""What a type checker says of a user's calls: right options pass ``mypy --strict``, and each mistake is found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from support.typed import check_mistakes, errors

from slither_actors.chunk_options import ChunkOptions
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_parsing import known_options
from slither_actors.option_types import CallKwargs, ChunkKwargs, PoolKwargs, RunKwargs
from slither_actors.pools.spec import PoolSpec
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch

CODE = Path(__file__).parent / "options"
BAD = sorted(CODE.glob("bad_*.py"))


def test_a_program_with_every_option_has_no_error() -> None:
    assert errors(CODE)["good.py"] == {}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_mistake_is_found_at_its_line(path: Path) -> None:
    check_mistakes(path, at_least=6)


def test_the_types_name_every_option_and_no_other() -> None:
    known = known_options(SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition)
    assert RunKwargs.__annotations__.keys() == set(known)
    assert CallKwargs.__annotations__.keys() < RunKwargs.__annotations__.keys()
    assert PoolKwargs.__annotations__.keys() == {field.name for field in dataclasses.fields(PoolSpec)}
    assert ChunkKwargs.__annotations__.keys() == {field.name for field in dataclasses.fields(ChunkOptions)}
