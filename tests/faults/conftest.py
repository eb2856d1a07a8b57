from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.evil import EVIL
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System
from slither_actors.pools.assignment import slots


@pytest.fixture
def make() -> Iterator[Callable[..., System]]:
    """``make(size=1, **spec)``: a System with one pool, not started; stopped after the test."""
    with ExitStack() as stack:

        def new(size: int = 1, **spec: Any) -> System:
            pool = PoolSpec(size=size, **{"path": [FUNCTIONS, EVIL], **spec})
            system = System({"default": pool}, name="faults")
            stack.callback(system.stop)
            return system

        yield new


@pytest.fixture
def start(make: Callable[..., System]) -> Callable[..., System]:
    """``start(size=1, **spec)``: a System with one pool, started."""
    return lambda size=1, **spec: make(size, **spec).start()


@pytest.fixture
def sent_ahead(monkeypatch: pytest.MonkeyPatch) -> int:
    """Batches that a worker's pipe holds in this test, whatever they take: else a busy machine makes it one."""
    depth = 4
    monkeypatch.setattr(slots, "pipe_depth", lambda average: depth)
    return depth
