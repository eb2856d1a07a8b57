"""Run a tree as a program: until its root ends, or a signal asks it to."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Collection
from typing import Any, Protocol

import pykka

from supervisors.actors.futures import check_may_block, check_timeout
from supervisors.actors.lifecycle import checked_lifecycle
from supervisors.actors.light_actor import LightActor
from supervisors.exits import IGNORE, ExitReason, Killed, Normal, Shutdown, StartAnswer
from supervisors.runtime.interrupts import with_cleanup
from supervisors.runtime.scheduler import Scheduler
from supervisors.runtime.signal_queue import SignalQueue
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.client import start_failure, wait_started
from supervisors.supervision.launch import KILL_GRACE
from supervisors.wording import shown

__all__ = ["SIGNALS", "Startable", "run"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a program in good order."""

StartFunction = Callable[[], pykka.ActorRef[Any] | StartAnswer]


class Startable(Protocol):
    """A ChildSpec, a SupervisorSpec of a file, or any other object with a start function."""

    @property
    def start(self) -> StartFunction:
        """The start function."""


def run(
    root: pykka.ActorRef[Any] | Startable | StartFunction,
    *,
    scheduler: Scheduler | None = None,
    signals: Collection[int] = SIGNALS,
    stop_timeout: float | None = None,
) -> ExitReason:
    """Run a tree until its root ends. For the main function of a script.

    A signal asks the root to end in good order, with reason ``Shutdown(signal)``; a second one kills it. The former
    signal handlers are restored before the function returns.

    Args:
        root: a start function (``lambda: Supervisor.start([...])``), which is called on the scheduler's thread; a
            ChildSpec, or the SupervisorSpec that `load` returns; or the reference of an actor that runs already.
        scheduler: on which to start the root; by default one of its own, which ends with the root.
        signals: that end the root. Empty in other threads than the main one.
        stop_timeout: seconds between the signal and the kill. None: those of the ChildSpec, else no limit.

    Returns:
        The root's exit reason. ``Normal()`` if it answered IGNORE.

    Raises:
        StartFailed: the root, or a child of it, did not start; `cause` is the original exception.
        ValueError: `signals` are given outside of the main thread, where Python handles signals.
        TypeError: `root` is none of these.
        WouldDeadlock: on a scheduler's thread.
    """
    check_may_block("run()")
    check_timeout(stop_timeout)
    if signals and threading.current_thread() is not threading.main_thread():
        raise ValueError("only the main thread handles signals: call run() there, or with signals=()")
    limit = math.inf if stop_timeout is None else stop_timeout
    if stop_timeout is None and isinstance(root, ChildSpec):
        limit = root.shutdown_seconds
    events = SignalQueue[ExitReason](signals)
    made: list[Scheduler] = []

    def stop_own() -> None:
        for own in made:
            own.stop()

    def run_root() -> ExitReason:
        if isinstance(root, pykka.ActorRef):
            return _run_until_ended(root, events, limit)
        start = _start_function(root)
        if scheduler is None:
            made.append(Scheduler("supervisors"))
            made[0].start()
        ref = _start_root(start, made[0] if scheduler is None else scheduler)
        return Normal() if ref is None else _run_until_ended(ref, events, limit)

    def handling_signals() -> ExitReason:
        with events:
            return with_cleanup(run_root, stop_own)

    return with_cleanup(handling_signals, events.close)


def _run_until_ended(ref: pykka.ActorRef[Any], events: SignalQueue[ExitReason], limit: float) -> ExitReason:
    lifecycle = checked_lifecycle(ref, "run")
    lifecycle.exit.listen(events.put)
    asked = killed = False
    timeout: float | None = None
    while True:
        event = events.get(timeout)
        if event is not None and not isinstance(event, signal.Signals):
            break
        if event is None and killed:
            return Killed()  # its scheduler is stuck, and cannot even report the end
        if event is not None and not asked:
            asked = True
            timeout = None if limit == math.inf else min(limit, threading.TIMEOUT_MAX)
            lifecycle.ask_shutdown(Shutdown(event))
        else:
            killed = True
            timeout = KILL_GRACE
            lifecycle.kill()
    outcome = lifecycle.start.value
    assert outcome is not None
    failure = start_failure(outcome)
    if failure is not None and not asked:
        raise failure
    return event


def _start_function(root: Startable | StartFunction) -> StartFunction:
    start: StartFunction | None = getattr(root, "start", None)
    if start is None and callable(root):
        start = root
    if not callable(start):
        raise TypeError(f"run takes a start function, a ChildSpec, a SupervisorSpec or a reference, not {shown(root)}")
    return start


def _start_root(start: StartFunction, scheduler: Scheduler | None) -> pykka.ActorRef[Any] | None:
    """Call the start function on the scheduler's thread. Returns None if it answered IGNORE."""
    started: list[pykka.ActorRef[Any] | StartAnswer] = []
    wait_started(_Starter.start(start, started, scheduler=scheduler), threading.TIMEOUT_MAX)
    answer = started[0]
    if isinstance(answer, pykka.ActorRef):
        return answer
    if answer is IGNORE:
        return None
    raise TypeError(f"the start function must return a reference or IGNORE, not {shown(answer)}")


class _Starter(LightActor):
    """Calls a start function on the scheduler's thread, and ends."""

    def __init__(self, start: StartFunction, started: list[pykka.ActorRef[Any] | StartAnswer]) -> None:
        super().__init__()
        self._start_function = start
        self._started = started

    def on_start(self) -> Any:
        self._started.append(self._start_function())
        return IGNORE
