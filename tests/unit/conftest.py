from __future__ import annotations

from collections.abc import Iterator

import pytest

from supervisors.testing import ManualScheduler


@pytest.fixture
def manual() -> Iterator[ManualScheduler]:
    """A scheduler without a thread, which the test turns by hand."""
    scheduler = ManualScheduler()
    yield scheduler
    scheduler.stop()
