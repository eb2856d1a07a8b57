"""Run a tree as a program: until its root ends, or a signal asks it to."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Collection
from typing import Any, Protocol

import pykka
from msgspec import Struct

from supervisors.actors.futures import check_may_block, check_timeout
from supervisors.actors.lifecycle import Lifecycle, StartOutcome, checked_lifecycle, lifecycle_of
from supervisors.errors import StartFailed, StartTimeout
from supervisors.exits import IGNORE, Crashed, ExitReason, Killed, Normal, Shutdown
from supervisors.runtime.interrupts import with_cleanup
from supervisors.runtime.scheduler import Scheduler
from supervisors.runtime.signal_queue import SignalQueue
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.client import start_failure
from supervisors.supervision.launch import KILL_GRACE
from supervisors.supervision.start_call import StartCall, Starter, StartFunction
from supervisors.wording import shown

__all__ = ["SIGNALS", "Startable", "run"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a program in good order."""

_STOP_SECONDS = 5.0
"""Which a scheduler of its own has to end what is left on it."""


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

    A signal asks the root to end in good order, with reason ``Shutdown(signal)``; a second one kills it. Both have
    effect at any time: a start function that has not returned a second after the second signal is left behind, and what
    it returns later is killed. The former signal handlers are restored before the function returns.

    Args:
        root: a start function (``lambda: Supervisor.start([...])``), which is called on the scheduler's thread; a
            ChildSpec, or the SupervisorSpec that `load` returns; or the reference of an actor that runs already. Of a
            ChildSpec, `shutdown`, `start_timeout` and `register` hold as under a supervisor; it is not restarted.
        scheduler: on which to start the root, running; by default one of its own, which ends with the root.
        signals: that end the root. Empty in other threads than the main one.
        stop_timeout: seconds between the signal and the kill. None: those of the ChildSpec, else no limit.

    Returns:
        The root's exit reason. ``Normal()`` if it answered IGNORE, ``Killed()`` also if it did not end when it was
        killed, or its start function did not return.

    Raises:
        StartFailed: the root, or a child of it, did not start; `cause` is the original exception.
        ValueError: `signals` are given outside of the main thread, where Python handles signals; or `scheduler` has
            not been started.
        SchedulerStopped: `scheduler` has been stopped.
        TypeError: `root` is none of these, or a plain Pykka actor (that `root` has started: it is stopped).
        WouldDeadlock: on a scheduler's thread.
    """
    check_may_block("run()")
    check_timeout(stop_timeout)
    if signals and threading.current_thread() is not threading.main_thread():
        raise ValueError("only the main thread handles signals: call run() there, or with signals=()")
    spec = root if isinstance(root, ChildSpec) else None
    limit = math.inf if stop_timeout is None else stop_timeout
    if stop_timeout is None and spec is not None:
        limit = spec.shutdown_seconds
    if scheduler is not None and not scheduler.running and not scheduler.stopped:
        raise ValueError(f"scheduler {scheduler.name!r} does not run: call its start() before run()")
    events = SignalQueue[_Event](signals)
    watch = _Watch(events, limit, spec)
    made: list[Scheduler] = []

    def stop_own() -> None:
        for own in made:
            own.stop(KILL_GRACE if watch.stuck else _STOP_SECONDS)

    def run_root() -> ExitReason:
        if isinstance(root, pykka.ActorRef):
            watch.follow(root)
            return watch.until_ended()
        start = _start_function(root)
        if scheduler is None:
            made.append(Scheduler("supervisors"))
            made[0].start()
        watch.start(start, made[0] if scheduler is None else scheduler)
        return watch.until_ended()

    def handling_signals() -> ExitReason:
        with events:
            return with_cleanup(run_root, stop_own)

    return with_cleanup(handling_signals, events.close)


def _start_function(root: Startable | StartFunction) -> StartFunction:
    start: StartFunction | None = getattr(root, "start", None)
    if start is None and callable(root):
        start = root
    if not callable(start):
        raise TypeError(f"run takes a start function, a ChildSpec, a SupervisorSpec or a reference, not {shown(root)}")
    return start


class _Called(Struct, frozen=True):
    """An event: the start function has returned, or raised."""

    outcome: StartOutcome


class _Began(Struct, frozen=True):
    """An event: the root has started, or will not."""


_Event = ExitReason | _Called | _Began


class _Watch:
    """Waits for the root's end, and passes on what signals ask of it.

    Args:
        events: signals, and what is reported of the root.
        limit: seconds between the first signal and the kill; may be math.inf.
        spec: of the root, if it has one.
    """

    def __init__(self, events: SignalQueue[_Event], limit: float, spec: ChildSpec | None) -> None:
        self.stuck = False
        """True if the root, or its start function, did not end when it was killed."""
        self._events = events
        self._limit = limit
        self._spec = spec
        self._call: StartCall | None = None
        self._root: Lifecycle | None = None
        self._asked: Shutdown | None = None
        self._killed = False
        self._overdue: StartFailed | None = None
        # Of the one limit that holds now: of its start, of its end, of its kill.
        self._deadline = math.inf

    def start(self, start: StartFunction, scheduler: Scheduler) -> None:
        """Call the start function, on the scheduler's thread."""
        self._call = StartCall(start, self._spec)
        starter = checked_lifecycle(Starter.start(self._call, scheduler=scheduler), "started")
        starter.start.listen(lambda outcome: self._events.put(_Called(outcome)))

    def follow(self, ref: pykka.ActorRef[Any]) -> None:
        """Take an actor for the root."""
        root = self._root = checked_lifecycle(ref, "run")
        if self._killed:
            root.kill()
        elif self._asked is not None:
            root.ask_shutdown(self._asked)
        elif self._spec is not None and self._spec.start_timeout is not None:
            self._set_limit(self._spec.start_timeout)
            root.start.listen(lambda _: self._events.put(_Began()))
        root.exit.listen(self._events.put)

    def until_ended(self) -> ExitReason:
        """Return the root's exit reason; raise what its start has failed with."""
        while True:
            event = self._events.get(None if self._deadline == math.inf else self._deadline - time.monotonic())
            if event is None and self._killed:
                return self._give_up()
            if event is None:
                self._exceeded()
            elif isinstance(event, signal.Signals):
                self._signalled(event)
            elif isinstance(event, _Began):
                if not self._killed and self._asked is None:
                    self._deadline = math.inf
            elif isinstance(event, _Called):
                ended = self._called(event.outcome)
                if ended is not None:
                    return ended
            else:
                return self._ended(event)

    def _signalled(self, number: signal.Signals) -> None:
        if self._asked is not None:
            self._kill()
        elif not self._killed:
            self._asked = Shutdown(number)
            self._set_limit(self._limit)
            if self._root is not None:  # else it is asked when it is known
                self._root.ask_shutdown(self._asked)

    def _exceeded(self) -> None:
        if self._asked is None:
            spec = self._spec
            assert spec is not None
            assert spec.start_timeout is not None
            self._overdue = StartFailed(spec.id, Crashed(StartTimeout(spec.id, spec.start_timeout)))
        self._kill()

    def _kill(self) -> None:
        if not self._killed:
            self._killed = True
            self._set_limit(KILL_GRACE)
            if self._root is not None:
                self._root.kill()

    def _called(self, outcome: StartOutcome) -> ExitReason | None:
        """Follow the root that the start function has returned; return the reason to end if there is none."""
        failure = start_failure(outcome)
        if failure is not None and self._asked is None:
            raise failure
        if isinstance(outcome, ExitReason):
            return outcome
        assert self._call is not None
        answer = self._call.answer
        if answer is IGNORE:
            return Normal()
        if not isinstance(answer, pykka.ActorRef):
            raise TypeError(f"the start function must return a reference or IGNORE, not {shown(answer)}")
        if lifecycle_of(answer) is None:
            answer.stop(block=False)  # it is refused
        self.follow(answer)
        return None

    def _give_up(self) -> ExitReason:
        self.stuck = True  # its scheduler is, and cannot even report the end
        if self._root is None and self._call is not None:
            self._call.abandon()
        if self._overdue is not None:
            raise self._overdue
        return Killed()

    def _ended(self, reason: ExitReason) -> ExitReason:
        if self._overdue is not None:
            raise self._overdue
        assert self._root is not None
        outcome = self._root.start.value
        assert outcome is not None
        failure = start_failure(outcome)
        if failure is not None and self._asked is None:
            raise failure
        return reason

    def _set_limit(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
