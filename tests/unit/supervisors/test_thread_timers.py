"""Timers of a DaemonActor: `call_later` and `send_after`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from supervisors import Crashed, DaemonActor, Normal, Shutdown, SupervisorError, call, kill, stop, wait_ended
from supervisors.actors.thread_timers import ThreadTimers
from supervisors.testing import ManualClock


class Timed(DaemonActor):
    """Calls what it gets with itself, and notes what comes of timers."""

    def __init__(self, timeout: float | None = None, before: Callable[[Timed], object] | None = None) -> None:
        super().__init__()
        self.timeout = timeout
        self.notes: list[Any] = []
        self.noted = threading.Event()
        if before is not None:
            before(self)

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else self.note(message)

    def receive_timeout(self) -> float | None:
        return self.timeout

    def on_timeout(self) -> None:
        self.note("timeout")

    def note(self, what: Any) -> None:
        self.notes.append(what)
        self.noted.set()


def with_clock() -> tuple[type[Timed], ManualClock]:
    clock = ManualClock()
    return type("TimedByHand", (Timed,), {"timer_clock": clock}), clock


def run_timers(ref: Any) -> list[Any]:
    """Have the thread look at its timers, and return the notes."""
    call(ref, lambda actor: None, 10)  # wakes it; what is due then runs before the next message
    result: list[Any] = call(ref, lambda actor: list(actor.notes), 10)
    return result


def test_a_timer_wakes_the_thread_that_waits() -> None:
    ref = Timed.start()
    noted, name = call(ref, lambda actor: (actor.noted, threading.current_thread().name))
    names: list[str] = []

    def due(actor: Timed) -> None:
        names.append(threading.current_thread().name)
        actor.note("due")

    call(ref, lambda actor: actor.call_later(0.01, due, actor))
    assert noted.wait(10)
    assert names == [name]
    stop(ref)


def test_timers_run_by_the_clock_in_order_of_deadlines() -> None:
    kind, clock = with_clock()
    ref = kind.start()

    def arm(actor: Timed) -> None:
        for delay in (3.0, 1.0, 2.0):
            actor.call_later(delay, actor.note, delay)
        actor.call_later(-1.0, actor.note, "at once")

    call(ref, arm)
    assert run_timers(ref) == ["at once"]
    clock.now += 2.0
    assert run_timers(ref) == ["at once", 1.0, 2.0]
    clock.now += 0.9
    assert run_timers(ref) == ["at once", 1.0, 2.0]
    clock.now += 0.1
    assert run_timers(ref) == ["at once", 1.0, 2.0, 3.0]
    stop(ref)


def test_send_after_sends_a_message() -> None:
    kind, clock = with_clock()
    ref = kind.start()
    call(ref, lambda actor: actor.send_after(1.0, "message"))
    assert run_timers(ref) == []
    clock.now += 1.0
    run_timers(ref)
    assert run_timers(ref) == ["message"]
    stop(ref)


def test_a_cancelled_timer_does_not_run() -> None:
    kind, clock = with_clock()
    ref = kind.start()
    timer = call(ref, lambda actor: actor.call_later(1.0, actor.note, "due"))
    assert timer.pending
    assert call(ref, lambda actor: timer.cancel()) is True
    assert call(ref, lambda actor: timer.cancel()) is False
    clock.now += 1.0
    assert run_timers(ref) == []
    stop(ref)


def test_an_earlier_timer_may_cancel_a_later_one() -> None:
    kind, clock = with_clock()
    ref = kind.start()

    def arm(actor: Timed) -> None:
        later = actor.call_later(2.0, actor.note, "due")
        actor.call_later(1.0, later.cancel)

    call(ref, arm)
    clock.now += 5.0
    assert run_timers(ref) == []
    stop(ref)


def test_timers_may_be_armed_in_init() -> None:
    ref = Timed.start(before=lambda actor: actor.call_later(0.0, actor.note, "from init"))
    assert run_timers(ref) == ["from init"]
    stop(ref)


def test_timers_are_cancelled_when_the_actor_ends() -> None:
    errors: list[BaseException] = []

    class ArmsAtItsEnd(Timed):
        def on_exit(self, reason: Any) -> None:
            try:
                self.call_later(1.0, self.note, "too late")
            except SupervisorError as error:
                errors.append(error)

    ref = ArmsAtItsEnd.start()
    timer = call(ref, lambda actor: actor.call_later(1000.0, actor.note, "due"))
    assert stop(ref)
    assert not timer.pending
    assert "has ended and can own no more timers" in str(errors[0])


def test_a_timer_that_ends_the_actor_is_the_last() -> None:
    kind, clock = with_clock()
    ref = kind.start()
    actor = call(ref, lambda actor: actor)
    later: list[Any] = []

    def arm(actor: Timed) -> None:
        actor.call_later(1.0, actor.exit, Shutdown("timer"))
        later.append(actor.call_later(2.0, actor.note, "not any more"))

    call(ref, arm)
    clock.now += 5.0
    ref.tell("wake")
    assert wait_ended(ref, 10) == Shutdown("timer")
    assert "not any more" not in actor.notes
    assert not later[0].pending


def test_what_a_timer_raises_crashes_the_actor() -> None:
    error = ValueError("bad")

    def fail() -> None:
        raise error

    ref = Timed.start()
    ref.tell(lambda actor: actor.call_later(0.0, fail))
    assert wait_ended(ref, 10) == Crashed(error)


def test_timers_of_a_killed_actor_do_not_run() -> None:
    gate, entered = threading.Event(), threading.Event()
    ref = Timed.start()
    actor = call(ref, lambda actor: actor)

    def block(actor: Timed) -> None:
        actor.call_later(0.0, actor.note, "due")
        entered.set()
        gate.wait(30)

    ref.tell(block)
    assert entered.wait(10)
    thread = ref._lifecycle.thread
    kill(ref)
    gate.set()
    thread.join(10)
    assert not thread.is_alive()
    assert actor.notes == []


def test_a_timer_is_for_the_actors_own_thread() -> None:
    ref = Timed.start()
    actor = call(ref, lambda actor: actor)
    with pytest.raises(RuntimeError, match="own thread"):
        actor.call_later(1.0, actor.note, "due")
    with pytest.raises(RuntimeError, match="own thread"):
        actor.send_after(1.0, "message")
    ref.stop()
    assert wait_ended(ref, 10) == Normal()


def test_a_delay_must_be_a_number() -> None:
    ref = Timed.start()
    with pytest.raises(ValueError, match="not a number"):
        call(ref, lambda actor: actor.call_later(float("nan"), actor.note))
    stop(ref)


def test_the_receive_timeout_fires_beside_later_timers() -> None:
    ref = Timed.start(timeout=0.01, before=lambda actor: actor.call_later(1000.0, actor.note, "due"))
    noted = call(ref, lambda actor: actor.noted)
    assert noted.wait(10)
    assert call(ref, lambda actor: actor.notes[0]) == "timeout"
    stop(ref)


def test_the_wait_ends_at_the_earlier_of_timer_and_timeout() -> None:
    clock = ManualClock()
    timers = ThreadTimers(clock)
    assert (timers.wait_time(None), timers.waits_for_timer) == (None, False)
    assert (timers.wait_time(7.0), timers.waits_for_timer) == (7.0, False)
    timers.add(5.0, print, ())
    assert (timers.wait_time(None), timers.waits_for_timer) == (5.0, True)
    assert (timers.wait_time(7.0), timers.waits_for_timer) == (5.0, True)
    assert (timers.wait_time(3.0), timers.waits_for_timer) == (3.0, False)
    clock.now += 6.0
    assert (timers.wait_time(None), timers.waits_for_timer) == (0.0, True)
    far = ThreadTimers(clock)
    far.add(1e12, print, ())
    assert far.wait_time(None) == 86_400.0
