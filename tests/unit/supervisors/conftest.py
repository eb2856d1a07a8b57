from __future__ import annotations

from collections.abc import Iterator

import pytest

from supervisors.runtime.scheduler import Scheduler
from supervisors.testing import ManualScheduler


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler("test")
    scheduler.start()
    yield scheduler
    assert scheduler.stop(10)


@pytest.fixture
def manual() -> Iterator[ManualScheduler]:
    scheduler = ManualScheduler()
    yield scheduler
    scheduler.stop()
