from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System


@pytest.fixture
def start() -> Iterator[Callable[..., System]]:
    """``start(size=1, **spec)``: a System with one pool, stopped after the test."""
    with ExitStack() as stack:

        def make(size: int = 1, **spec: Any) -> System:
            system = System({"default": PoolSpec(size=size, **{"path": [FUNCTIONS], **spec})}, name="faults")
            return stack.enter_context(system)

        yield make
