from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.pool_bench import Bench

from supervisors.testing import ManualScheduler


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    """``bench(**spec)``: a pool with fake workers; not started, so that its behaviour can be chosen first."""
    scheduler = ManualScheduler()
    yield lambda **spec: Bench(scheduler, monkeypatch, **spec)
    scheduler.stop()
