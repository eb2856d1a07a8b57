from __future__ import annotations

from collections.abc import Iterator

import pytest

from supervisors.runtime.scheduler import Scheduler


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler("test")
    scheduler.start()
    yield scheduler
    assert scheduler.stop(10)
