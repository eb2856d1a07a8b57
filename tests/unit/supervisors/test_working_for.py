"""Which scheduler the calling code works for."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from supervisors import DaemonActor, LightActor, Scheduler, supervise_threading
from supervisors.testing import ManualScheduler

SECONDS = 10


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler("mine")
    made.start()
    yield made
    assert made.stop()


class Calls(LightActor):
    def on_receive(self, message: Callable[[], Any]) -> Any:
        return message()


class Daemon(DaemonActor):
    def on_receive(self, message: Callable[[], Any]) -> Any:
        return message()


class Plain(pykka.ThreadingActor):
    def on_receive(self, message: Callable[[], Any]) -> Any:
        return message()


def test_a_thread_of_no_scheduler_works_for_none() -> None:
    assert Scheduler.working_for() is None


def test_its_own_thread_and_its_side_thread_work_for_it(scheduler: Scheduler) -> None:
    found: list[Any] = []
    both = threading.Semaphore(0)

    def look() -> None:
        found.append(Scheduler.working_for())
        both.release()

    scheduler.post(look)
    scheduler.background.submit(look)
    assert both.acquire(timeout=SECONDS)
    assert both.acquire(timeout=SECONDS)
    assert found == [scheduler, scheduler]


def test_a_scheduler_without_a_thread_counts_while_it_is_active() -> None:
    manual = ManualScheduler()
    with manual.active():
        assert Scheduler.working_for() is manual
    assert Scheduler.working_for() is None
    manual.stop()


@pytest.mark.parametrize("cls", [Daemon, supervise_threading(Plain)], ids=["daemon", "plain"])
def test_an_actors_thread_and_that_of_one_it_starts_work_for_it(scheduler: Scheduler, cls: Any) -> None:
    def start_another() -> Any:
        other = cls.start()
        try:
            return other.ask(Scheduler.working_for, timeout=SECONDS)
        finally:
            other.stop()

    light = Calls.start(scheduler=scheduler)
    first = light.ask(cls.start, timeout=SECONDS)
    try:
        assert first.ask(Scheduler.working_for, timeout=SECONDS) is scheduler
        assert first.ask(start_another, timeout=SECONDS) is scheduler
    finally:
        first.stop()


def test_an_actor_that_is_started_elsewhere_works_for_none() -> None:
    actor = Daemon.start()
    assert actor.ask(Scheduler.working_for, timeout=SECONDS) is None
    actor.stop()


def test_the_context_carries_it_and_a_bare_thread_does_not(scheduler: Scheduler) -> None:
    def look() -> list[Any]:
        found: list[Any] = []
        context = contextvars.copy_context()
        for target in (Scheduler.working_for, lambda: context.run(Scheduler.working_for)):
            thread = threading.Thread(target=lambda target=target: found.append(target()))  # type: ignore[misc]
            thread.start()
            thread.join()
        found.append(asyncio.run(_aside()))
        return found

    async def _aside() -> Any:
        return await asyncio.to_thread(Scheduler.working_for)

    light = Calls.start(scheduler=scheduler)
    actor = light.ask(Daemon.start, timeout=SECONDS)
    try:
        assert actor.ask(look, timeout=SECONDS) == [None, scheduler, scheduler]
    finally:
        actor.stop()
