from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gates import Gates
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System, telemetry


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Two workers, for tests that leave them alive (a worker that is replaced is found by the leak fixture)."""
    specs = {"default": PoolSpec(size=2, path=[FUNCTIONS], adapter="tasks:Scorer", init={"factor": 10})}
    with System(specs, name="test") as system:
        # Handlers' thread is started by the first event: now, or the leak fixture finds it behind some test.
        heard = threading.Event()
        with telemetry.attach(telemetry.BATCH_STOP, lambda event: heard.set()):
            system.dispatch.run([1], module="tasks", function="double")
            assert heard.wait(20)
        yield system


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)
