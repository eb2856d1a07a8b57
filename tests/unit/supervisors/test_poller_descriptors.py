"""The scheduler's own descriptors: out of the way of others, and what becomes of it when others close them."""

from __future__ import annotations

import contextlib
import os
import resource
import threading

import pytest

from supervisors import Scheduler
from supervisors.runtime.descriptors import close, copied, raised
from supervisors.runtime.poller import Poller


def test_the_pollers_descriptors_have_high_numbers() -> None:
    low = os.dup(0)
    os.close(low)
    poller = Poller()
    try:
        again = os.dup(0)
        os.close(again)
        assert again == low  # the lowest number is still free
        assert min(poller._wake_read, poller._wake_write.value) > low + 100
    finally:
        poller.close()


def test_a_descriptor_keeps_its_number_without_a_higher_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fd = os.dup(0)
    fillers = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(fd + 2, 64), hard))
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.dup(0))
        assert (copied(fd), raised(fd)) == (None, fd)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in (fd, *fillers):
            os.close(each)
    close(fd)  # closed already
    assert raised(-1) == -1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_scheduler_whose_descriptors_are_closed_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisors.runtime.poller._LONGEST", 0.05)
    ended = threading.Event()
    scheduler = Scheduler("closed")
    scheduler.on_end = ended.set
    scheduler.start()
    poller = scheduler._poller
    for fd in (poller._selector.fileno(), poller._wake_write.value, poller._wake_read):
        close(fd)
    scheduler.post(lambda: None)  # raises nothing
    assert ended.wait(20)
    assert scheduler.stop()
