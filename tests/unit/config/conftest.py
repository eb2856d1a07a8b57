from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisors.runtime.scheduler import Scheduler

ACTORS = """
import threading
import pykka
from supervisors import DaemonActor, LightActor

THREADS = []


class Light(LightActor):
    def __init__(self, *args, **kwargs):
        super().__init__()
        THREADS.append(threading.current_thread().name)
        self.given = (args, kwargs)

    def on_receive(self, message):
        if message == "die":
            raise ValueError("told to")
        if message == "spoil":
            self.given[0][0].append("spoilt")
        return self.given


class Daemon(DaemonActor):
    exits = []

    def __init__(self, name="", fail=False):
        early = self.actor_ref
        super().__init__()
        assert self.actor_ref is early
        THREADS.append(threading.current_thread().name)
        if fail:
            raise OSError("no such disk")
        self.name = name

    def on_receive(self, message):
        return self.name

    def on_exit(self, reason):
        self.exits.append(self.name)


class Plain(pykka.ThreadingActor):
    def __init__(self, name):
        super().__init__()
        THREADS.append(threading.current_thread().name)
        self.name = name

    def on_receive(self, message):
        if message == "die":
            raise ValueError("told to")
        return self.name


class NoActor:
    pass


def function():
    pass
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """``modules(name, source)`` writes a module that can be imported; `trial_actors` is there from the start."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, source: str) -> None:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    write("trial_actors", ACTORS)
    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler("test")
    scheduler.start()
    yield scheduler
    assert scheduler.stop(10)
