"""What is known of the calling thread: which scheduler runs on it."""

from __future__ import annotations

import threading

from supervisors import Scheduler
from supervisors.runtime.current import on_scheduler_thread
from supervisors.testing import ManualScheduler


def test_only_a_running_scheduler_makes_its_thread(manual: ManualScheduler) -> None:
    assert not on_scheduler_thread()
    with manual.active():
        assert on_scheduler_thread()
        assert Scheduler.current() is manual
    assert not on_scheduler_thread()
    assert Scheduler.current() is None


def test_other_threads_are_not_the_schedulers(manual: ManualScheduler) -> None:
    seen: list[bool] = []
    with manual.active():
        other = threading.Thread(target=lambda: seen.append(on_scheduler_thread()))
        other.start()
        other.join()
    assert seen == [False]
