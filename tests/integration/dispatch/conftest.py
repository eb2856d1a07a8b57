from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System


@pytest.fixture(scope="package")
def system() -> Iterator[System]:
    """Two workers, for tests that leave them alive (a worker that is replaced is found by the leak fixture)."""
    specs = {"default": PoolSpec(size=2, path=[FUNCTIONS], adapter="tasks:Scorer", init={"factor": 10})}
    with System(specs, name="test") as system:
        yield system


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)
