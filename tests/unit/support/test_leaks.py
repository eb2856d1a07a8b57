"""The suite's own safety net catches what it is there to catch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

from support.leaks import held, left_behind

NO_TIME = 0.0


def test_nothing_is_left_by_a_test_that_does_nothing() -> None:
    assert left_behind(held(), NO_TIME) == []


def test_a_thread_that_runs_on_is_named() -> None:
    before = held()
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="forgotten")
    thread.start()
    try:
        assert "forgotten" in left_behind(before, NO_TIME)[0]
    finally:
        over.set()
        thread.join()


def test_a_descriptor_that_stays_open_is_named_with_its_target() -> None:
    before = held()
    fd = os.open(__file__, os.O_RDONLY)
    try:
        assert left_behind(before, NO_TIME) == [f"descriptor {fd} -> {os.path.realpath(__file__)}"]
    finally:
        os.close(fd)


def test_a_child_is_named_and_so_is_zombie_that_nobody_reaped(eventually: Callable[..., None]) -> None:
    before = held()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert any("input()" in told for told in left_behind(before, NO_TIME) if told.startswith("process"))
        child.kill()
        eventually(lambda: any("state Z" in told for told in left_behind(before, NO_TIME)))
    finally:
        child.communicate()


def test_an_orphaned_grandchild_is_found_though_init_adopted_it() -> None:
    before = held()
    grandchild = "import sys; print('up', flush=True); sys.stdin.read()"
    child = f"import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {grandchild!r}]); os._exit(0)"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.wait()
        assert any("sys.stdin.read()" in told for told in left_behind(before, NO_TIME))
    assert left_behind(before) == []


def test_what_ends_within_its_time_is_no_leak() -> None:
    before = held()
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    threading.Timer(0.05, over.set).start()
    assert left_behind(before) == []
