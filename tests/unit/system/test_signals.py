"""Waiting for a signal: what comes of the drain, of a second signal, and of a System that ends by itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from slither_actors.errors import SystemStopped
from slither_actors.system.health import DrainReport
from slither_actors.system.signals import SIGNALS, run_until_signal
from supervisors.runtime.interrupts import Event
from supervisors.runtime.signal_queue import SignalQueue

DONE = DrainReport(drained=True, completed=1, dropped=0, redelivered=0, stopped=True)
CUT = DrainReport(drained=False, completed=0, dropped=1, redelivered=0, stopped=True)
USR = (signal.SIGUSR1, signal.SIGUSR2)


class FakeSystem:
    """Drains at once, or once it is stopped; a signal is sent where the test says."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.ended: Callable[[], object] | None = None
        self.cancelled = False
        self.waits = False
        self.at_watch: Callable[[], object] = lambda: None
        self.at_drain: Callable[[], object] = lambda: None
        self.stopped = Event()

    def when_ended(self, call: Callable[[], object], /) -> Any:
        self.ended = call
        self.at_watch()
        return self

    def cancel(self) -> None:
        """Cancel the watch."""
        self.cancelled = True

    def drain(self, timeout: float, /) -> DrainReport:
        self.calls.append(("drain", timeout))
        self.at_drain()
        if not self.waits:
            return DONE
        assert self.stopped.wait(30)
        return CUT

    def stop(self) -> object:
        self.calls.append(("stop", threading.current_thread() is threading.main_thread()))
        self.stopped.set()
        return None


class Sending(FakeSystem):
    """Receives a signal as soon as the handlers are in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        super().__init__()
        enter = SignalQueue.__enter__

        def enter_and_send(queue: Any) -> Any:
            entered = enter(queue)
            signal.raise_signal(number)
            return entered

        monkeypatch.setattr(SignalQueue, "__enter__", enter_and_send)


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in (*SIGNALS, *USR)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_begins_the_drain_and_is_returned(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    before = handlers()
    system = Sending(monkeypatch, number)
    assert run_until_signal(system, 12.5) == (number, DONE)
    assert system.calls == [("drain", 12.5)]
    assert system.cancelled
    assert handlers() == before


def test_other_signals_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    before = handlers()
    system = Sending(monkeypatch, signal.SIGUSR1)
    kept: list[Any] = []
    system.at_drain = lambda: kept.extend(handlers())
    number, report = run_until_signal(system, 1.0, USR)
    assert (number, type(number), report) == (signal.SIGUSR1, int, DONE)
    assert kept[:2] == before[:2]
    assert kept[2:] != before[2:]
    assert handlers() == before


def test_a_second_signal_stops_the_system_in_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Sending(monkeypatch, signal.SIGUSR1)
    system.waits = True
    system.at_drain = lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
    assert run_until_signal(system, 3600.0, USR) == (signal.SIGUSR1, CUT)
    assert system.calls == [("drain", 3600.0), ("stop", True)]


def test_a_system_that_ends_by_itself_ends_the_wait() -> None:
    system = FakeSystem()
    system.at_watch = lambda: system.ended and system.ended()  # at once, before the handlers are in place
    assert run_until_signal(system, 1.0, USR) == (0, DONE)
    assert system.calls == [("drain", 1.0)]
    assert system.cancelled


def test_a_drain_that_fails_raises_here(monkeypatch: pytest.MonkeyPatch) -> None:
    before = handlers()
    system = Sending(monkeypatch, signal.SIGUSR1)

    def fail() -> None:
        raise LookupError("not even that")

    system.at_drain = fail
    with pytest.raises(LookupError, match="not even that"):
        run_until_signal(system, 1.0, USR)
    assert handlers() == before


def test_a_system_that_does_not_run_changes_no_handler() -> None:
    before = handlers()
    system = FakeSystem()

    def refuse() -> None:
        raise SystemStopped("it does not run")

    system.at_watch = refuse
    with pytest.raises(SystemStopped):
        run_until_signal(system, 1.0, USR)
    assert (handlers(), system.calls) == (before, [])


def test_another_thread_than_the_main_one_is_refused() -> None:
    raised: list[BaseException] = []
    system = FakeSystem()

    def call() -> None:
        try:
            run_until_signal(system, 1.0, ())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    (error,) = raised
    assert isinstance(error, ValueError)
    assert "must be called in the main thread" in str(error)
    assert system.ended is None


def test_without_a_thread_left_the_drain_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Sending(monkeypatch, signal.SIGUSR1)
    where: list[threading.Thread] = []
    system.at_drain = lambda: where.append(threading.current_thread())

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert run_until_signal(system, 1.0, USR) == (signal.SIGUSR1, DONE)
    assert where == [threading.main_thread()]
