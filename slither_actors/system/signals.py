"""Running a System until the process receives SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from slither_actors.system.health import DrainReport
from slither_actors.validation import checks
from supervisors import Monitor
from supervisors.runtime.interrupts import with_cleanup
from supervisors.runtime.signal_queue import SignalQueue

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class DrainableSystem(Protocol):
    """What is needed of a System here."""

    def when_ended(self, call: Callable[[], object], /) -> Monitor:
        """Call something once it has ended."""

    def drain(self, timeout: float, /) -> DrainReport:
        """Let work under way finish, then stop."""

    def stop(self) -> object:
        """Stop it now."""


def run_until_signal(
    system: DrainableSystem, drain_timeout: float, signals: Sequence[int] = SIGNALS
) -> tuple[int, DrainReport]:
    """Wait for one of `signals`, then drain the System.

    A second signal ends the drain at once. The handlers that were there before are put back.

    Args:
        system: running.
        drain_timeout: seconds that runs under way get to finish.
        signals: numbers.

    Returns:
        The signal that came, and what the drain came to. The signal is 0 if none came, as the System has ended without:
        another thread stopped it, or its supervisor gave up.

    Raises:
        OptionError: `drain_timeout` is no number of seconds from 0.
        ValueError: not called in the main thread, where alone Python runs signal handlers.
        SystemStopped: it does not run.
        ForkedSystemError: this process was forked from the one that started the System.
    """
    drain_timeout = checks.limit("drain_timeout", drain_timeout)
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("run_until_signal must be called in the main thread: only there Python handles signals")
    events = SignalQueue[int](signals)
    return with_cleanup(lambda: _wait_and_drain(system, drain_timeout, events), events.close)


def _wait_and_drain(system: DrainableSystem, drain_timeout: float, events: SignalQueue[int]) -> tuple[int, DrainReport]:
    # First, so that a System that ends as soon as the handlers are in place is noticed, too.
    watch = system.when_ended(lambda: events.put(0))
    with events:
        try:
            first = events.get() or 0
        finally:
            watch.cancel()
        drain = _Drain(system, drain_timeout, lambda: events.put(0))
        while not drain.over:
            if events.get():
                system.stop()
        return int(first), drain.report()


class _Drain:
    """A drain in a thread beside the main one, which goes on to handle signals.

    Args:
        system: to be drained.
        timeout: seconds.
        told: called when it is over, however it ended.
    """

    def __init__(self, system: DrainableSystem, timeout: float, told: Callable[[], object]) -> None:
        self._system = system
        self._timeout = timeout
        self._told = told
        self._report: DrainReport | None = None
        self._error: BaseException | None = None
        self.over = False
        self._thread = threading.Thread(target=self._run, name="slither-drain", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no thread left: then here, and deaf to a second signal
            self._run()

    def _run(self) -> None:
        try:
            self._report = self._system.drain(self._timeout)
        except BaseException as error:
            self._error = error
        finally:
            self.over = True
            self._told()

    def report(self) -> DrainReport:
        """Return what the drain came to, or raise what it raised."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._report is None:
            assert self._error is not None
            raise self._error
        return self._report
