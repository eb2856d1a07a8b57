"""The latch of an actor's start and end, and monitors."""

from __future__ import annotations

import itertools
import logging
import sys
from types import FrameType
from typing import Any

import pykka
import pytest

from supervisors import Down, LightActor, Normal, monitor
from supervisors.actors.lifecycle import Latch, lifecycle_of
from supervisors.testing import ManualScheduler


def test_a_latch_keeps_its_first_value() -> None:
    latch: Latch[int] = Latch()
    got: list[int] = []
    latch.listen(got.append)
    assert latch.set(1)
    assert not latch.set(2)
    assert latch.value == 1
    assert got == [1]


def test_a_late_listener_is_called_at_once() -> None:
    latch: Latch[int] = Latch()
    latch.set(1)
    got: list[int] = []
    latch.listen(got.append)
    assert got == [1]


def test_a_forgotten_listener_is_not_called() -> None:
    latch: Latch[int] = Latch()
    got: list[int] = []
    latch.listen(got.append)
    latch.forget(got.append)
    latch.forget(got.append)
    latch.set(1)
    assert got == []


def test_a_listener_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    latch: Latch[int] = Latch()
    got: list[int] = []

    def bad(value: int) -> None:
        raise ValueError(value)

    latch.listen(bad)
    latch.listen(got.append)
    with caplog.at_level(logging.ERROR, "supervisors"):
        latch.set(1)
    assert got == [1]
    assert "raised" in caplog.text


def test_an_interrupt_in_a_listener_is_raised() -> None:
    latch: Latch[int] = Latch()
    got: list[int] = []

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    latch.listen(interrupted)
    latch.listen(got.append)
    with pytest.raises(KeyboardInterrupt):
        latch.set(1)
    latch.listen(got.append)  # finds the one that the interrupt has left
    assert got == [1, 1]


def test_a_monitor_cancelled_in_its_call_is_silent(manual: ManualScheduler) -> None:
    ref = LightActor.start(scheduler=manual)
    downs: list[Down] = []
    watched = monitor(ref, downs.append)
    watched.cancelled = True  # as by another thread, after the end has taken the listener out
    ref.stop(block=False)
    manual.run_until_idle()
    assert not ref.is_alive()
    assert downs == []


def test_only_a_light_actor_or_a_callable_can_watch(manual: ManualScheduler) -> None:
    class Threaded(pykka.ThreadingActor):
        pass

    ref = LightActor.start(scheduler=manual)
    watcher = Threaded()
    with pytest.raises(TypeError, match="a watcher must be a light actor itself"):
        monitor(ref, watcher)  # type: ignore[arg-type]
    manual.run_until_idle()


def test_the_lifecycle_of_an_actor_has_its_reason(manual: ManualScheduler) -> None:
    ref = LightActor.start(scheduler=manual)
    manual.run_until_idle()
    ref.stop(block=False)
    manual.run_until_idle()
    lifecycle = lifecycle_of(ref)
    assert lifecycle is not None
    assert lifecycle.exit.value == Normal()


def test_a_latch_that_was_set_first_has_its_value_at_once() -> None:
    """At whichever bytecode of a `set` another thread comes: what refuses it is a value that can be read."""
    seen: list[tuple[bool, int | None]] = []

    def set_at(wanted: int) -> bool:
        """Set a latch, and again when the first one is at this bytecode. False: it has fewer."""
        latch: Latch[int] = Latch()
        counted = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal counted
            frame.f_trace_opcodes = True
            if event == "opcode" and frame.f_code is Latch.set.__code__:
                counted += 1
                if counted == wanted:
                    seen.append((latch.set(2), latch.value))
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            latch.set(1)
        finally:
            sys.settrace(before)
        return counted >= wanted

    assert sum(1 for _ in itertools.takewhile(set_at, itertools.count(1))) > 10
    assert {value for _, value in seen} == {1, 2}
    assert all(value == (2 if won else 1) for won, value in seen)
