"""``System.stop()`` from inside user code of every kind: it asks, returns, and the System ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pykka
import pytest
from support.gates import alive, pids_in
from support.worker import FUNCTIONS

from slither_actors import DispatchError, Item, PoolSpec, Route, System, SystemStopped, telemetry
from slither_actors.executors import Call
from slither_actors.strategies import Strategy
from supervisors import ChildSpec, LightActor, WouldDeadlock, supervise_threading

pytestmark = pytest.mark.fault(24)


class Scene:
    """A System with two workers, one of which hangs and ignores SIGTERM: to wait for its end takes long.

    Each caller of `stop` in user code leaves here what it answered, and whether the hung worker lived then.

    Args:
        folder: for a file.
        children: of the System.
        shutdown: of the pool whose worker hangs. With None it has all the time there is, until the test kills it.
    """

    def __init__(self, folder: Path, children: Sequence[ChildSpec] = (), shutdown: float | None = None) -> None:
        hung = PoolSpec(size=1, path=[FUNCTIONS], shutdown=60.0 if shutdown is None else shutdown)
        self.system = System({"default": PoolSpec(size=1, path=[FUNCTIONS]), "hung": hung}, children=children)
        self._killed = shutdown is None
        self.answers: list[tuple[bool, bool]] = []
        self.called = threading.Event()
        self._file = folder / "pid"
        self._hung = threading.Thread(target=self._hang, daemon=True)
        self._pid = 0

    def _hang(self) -> None:
        with pytest.raises(DispatchError) as caught:
            self.system.dispatch.run(
                [str(self._file)], module="tasks", function="ignores_terminate_and_hangs", pool="hung", timeout=None
            )
        assert isinstance(caught.value.reason, SystemStopped)

    def __enter__(self) -> Self:
        self.system.start()
        self._hung.start()
        (self._pid,) = pids_in(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.called.wait(20)
        self._hung.join(20)  # told of the stop: before that the worker's end would be a crash like any other
        assert not self._hung.is_alive()
        if self._killed:
            os.kill(self._pid, signal.SIGKILL)
        assert self.system.stop()  # the one that was asked for is under way
        assert not alive(self._pid)
        counts = self.system._links["hung"].counters.snapshot()
        assert (counts.exits, counts.kills) == ({"SIGKILL": 1}, {} if self._killed else {"shutdown": 1})
        assert self.system._links["default"].counters.snapshot().exits == {"exit 0": 1}

    def stop(self, *_: object) -> None:
        """For callbacks: once."""
        if not self.called.is_set():
            if self._killed:
                with pytest.raises(WouldDeadlock):
                    self.system.drain(0)
            self.answers.append((self.system.stop(), alive(self._pid)))
            self.called.set()

    def run(self, items: Any, **options: Any) -> None:
        """A run in which user code calls `stop`."""
        defaults = {"pool": "default", "module": "tasks", "function": "double"}
        with pytest.raises(DispatchError) as caught:
            self.system.dispatch.run(items, **({} if "executor" in options else defaults) | options)
        assert isinstance(caught.value.reason, SystemStopped)


ASKED = [(False, True)]
"""What `stop` answers where it only asks: nothing has ended yet."""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path) as made:
        yield made
    assert made.answers == ASKED


class Stopping(Strategy):
    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def add(self, item: Item) -> Sequence[Sequence[Item]]:
        if item.id == 5:
            self.scene.stop()
        return [[item]]

    def flush(self) -> Sequence[Sequence[Item]]:
        return []


def lazily(items: Any) -> Any:
    return (item for item in items)


def test_a_telemetry_handler(scene: Scene) -> None:
    # The run may be done before the stop comes, or be ended by it.
    with telemetry.attach(telemetry.BATCH_STOP, scene.stop), suppress(DispatchError):
        scene.system.dispatch.run([1], pool="default", module="tasks", function="double")
        assert scene.called.wait(20)


def test_a_log_handler(scene: Scene) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            scene.stop()

    logger, handler = logging.getLogger("slither_actors.worker"), Handler()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel("INFO")
    try:
        with suppress(DispatchError):
            scene.system.dispatch.run([1], pool="default", module="tasks", function="prints")
        assert scene.called.wait(20)
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def test_a_lazy_source(scene: Scene) -> None:
    def source() -> Iterator[int]:
        yield from range(50)
        scene.stop()
        yield from range(50)

    scene.run(source())


def test_the_closing_of_a_lazy_source(scene: Scene) -> None:
    class Source:
        def __iter__(self) -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                scene.stop()

    with scene.system.dispatch.stream(Source(), pool="default", module="tasks", function="double") as stream:
        next(stream)


def test_a_strategy_of_a_lazy_run(scene: Scene) -> None:
    scene.run(lazily(range(100)), strategy=Stopping(scene))


def test_a_route_function_of_a_lazy_run(scene: Scene) -> None:
    def route(item: Item, reason: Exception) -> Item:
        scene.stop()
        return item

    scene.run(lazily([1, -1] * 200), function="negative_fails", each=True, batch_size=1, on_error=Route(route))


def test_an_inline_executor(scene: Scene) -> None:
    over = threading.Event()

    class Inline:
        def execute_batch(self, batch: Sequence[Item], context: Any, options: Any) -> Sequence[Item]:
            scene.stop()
            over.wait(20)  # so that this is not the end of the run
            return batch

    try:
        scene.run(range(10), executor=Inline, batch_size=10)
    finally:
        over.set()


class Blocking(pykka.ThreadingActor):
    def on_receive(self, message: Callable[[], None]) -> None:
        message()


class Light(LightActor):
    def on_receive(self, message: Callable[[], None]) -> None:
        message()


@pytest.mark.parametrize("kind", [supervise_threading(Blocking), Light], ids=["with a thread", "light"])
def test_an_actor_of_ones_own(tmp_path: Path, kind: Any) -> None:
    with Scene(tmp_path, [ChildSpec("mine", kind.start)]) as scene:
        scene.system.actor("mine").tell(scene.stop)
        assert scene.called.wait(20)
    assert scene.answers == ASKED


def test_an_actor_of_another_system(tmp_path: Path) -> None:
    with System({"default": PoolSpec(size=1)}, children=[ChildSpec("mine", Light.start)]) as other:
        with Scene(tmp_path) as scene:
            other.actor("mine").tell(scene.stop)
            assert scene.called.wait(20)
        assert other.health().ready
    assert scene.answers == ASKED


# --- user code in the caller's own thread may wait: nothing waits for it


WAITED = [(True, False)]


def route_of(scene: Scene) -> Any:
    return Route(lambda item, reason: scene.stop() or item)


class Results:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def request(self, batch: Sequence[Item], context: Any, options: Any) -> Call:
        return Call("tasks", "double", False, [item.payload for item in batch])

    def results(self, batch: Sequence[Item], reply: list[Any]) -> list[Item]:
        self.scene.stop()
        return [item.update_payload(payload) for item, payload in zip(batch, reply, strict=True)]


@pytest.mark.parametrize("where", ["strategy", "route", "results"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_user_code_in_the_callers_thread(tmp_path: Path, where: str, asynchronous: bool) -> None:
    with Scene(tmp_path, shutdown=0.3) as scene:
        items: Any = range(500)
        options: dict[str, Any] = {"pool": "default", "module": "tasks", "function": "double"}
        if where == "strategy":
            options |= {"strategy": Stopping(scene)}
        elif where == "route":
            items = [1, -1] * 100
            options |= {"function": "negative_fails", "each": True, "batch_size": 1, "on_error": route_of(scene)}
        else:
            options = {"pool": "default", "executor": Results(scene), "batch_size": 1}
        dispatch = scene.system.dispatch
        with pytest.raises(DispatchError) as caught:
            asyncio.run(dispatch.arun(items, **options)) if asynchronous else dispatch.run(items, **options)
        assert isinstance(caught.value.reason, SystemStopped)
    assert scene.answers == WAITED
