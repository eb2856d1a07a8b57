"""Functions that administer a supervisor from any thread but a scheduler's. They wait, with a deadline."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import pykka

from supervisors.child_spec import ChildSpec
from supervisors.exits import Crashed, ExitReason, Shutdown, StartFailed
from supervisors.futures import check_may_block
from supervisors.interrupts import Event
from supervisors.life import Down, Ignored, StartOutcome, life_of, monitor
from supervisors.requests import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    Reply,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)

__all__ = [
    "count_children",
    "delete_child",
    "restart_child",
    "start_child",
    "stop",
    "terminate_child",
    "wait_started",
    "which_children",
]


def which_children(ref: pykka.ActorRef[Any], timeout: float = 5.0) -> list[ChildInfo]:
    """The children of a supervisor, in start order.

    This and the functions below raise `WouldDeadlock` on a scheduler's thread (send the message of the same name
    there), `pykka.Timeout` after `timeout` seconds, and `pykka.ActorDeadError` if the supervisor is dead.
    """
    result: list[ChildInfo] = _request(ref, WhichChildren, timeout)
    return result


def count_children(ref: pykka.ActorRef[Any], timeout: float = 5.0) -> ChildCounts:
    """How many children a supervisor has: specs, active, supervisors, workers."""
    result: ChildCounts = _request(ref, CountChildren, timeout)
    return result


def start_child(ref: pykka.ActorRef[Any], spec: ChildSpec, timeout: float = 60.0) -> pykka.ActorRef[Any] | None:
    """Add a child and wait until it has started.

    Returns:
        Its reference; None if it answered IGNORE.

    Raises:
        StartFailed, AlreadyStarted, AlreadyPresent, MaxChildren, SpecError, SupervisorStopping: see there.
    """
    result: pykka.ActorRef[Any] | None = _request(ref, lambda reply: StartChild(spec, reply), timeout)
    return result


def terminate_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 60.0) -> None:
    """Stop a child, given by id (of a dynamic supervisor: by reference), and wait until it has ended.

    Raises:
        ChildNotFound: there is no such child.
    """
    _request(ref, lambda reply: TerminateChild(child, reply), timeout)


def restart_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 60.0) -> pykka.ActorRef[Any] | None:
    """Start a child that does not run, and wait until it has started.

    Returns:
        Its reference; None if it answered IGNORE.

    Raises:
        ChildNotFound, ChildRunning, ChildRestarting, StartFailed, NotSupported: see there.
    """
    result: pykka.ActorRef[Any] | None = _request(ref, lambda reply: RestartChild(child, reply), timeout)
    return result


def delete_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 5.0) -> None:
    """Delete the spec of a child that does not run.

    Raises:
        ChildNotFound, ChildRunning, ChildRestarting, NotSupported: see there.
    """
    _request(ref, lambda reply: DeleteChild(child, reply), timeout)


def stop(ref: pykka.ActorRef[Any], reason: ExitReason | None = None, timeout: float = 5.0) -> bool:
    """Ask an actor to end, and wait for its end.

    Args:
        ref: any actor that can be monitored.
        reason: by default Shutdown().
        timeout: seconds. It is not killed when they are over.

    Returns:
        True if it has ended.

    Raises:
        TypeError: it is an actor whose end nobody reports.
    """
    check_may_block("stop()")
    ended = Event()
    watch = monitor(ref, lambda down: ended.set())
    life = life_of(ref)
    assert life is not None
    life.ask_shutdown(reason if reason is not None else Shutdown())
    done = ended.wait(timeout)
    watch.cancel()
    return done


def wait_started(ref: pykka.ActorRef[Any], timeout: float = 60.0) -> bool:
    """Wait until an actor has started (a supervisor: all its children).

    Returns:
        True; False if it answered IGNORE.

    Raises:
        StartFailed: with the reason; `cause` is the original exception.
        pykka.Timeout: neither within `timeout` seconds.
        TypeError: it is an actor whose start nobody reports.
    """
    check_may_block("wait_started()")
    life = life_of(ref)
    if life is None:
        raise TypeError(f"nobody reports the start of {ref}")
    known = Event()

    def listener(outcome: StartOutcome) -> None:
        known.set()

    life.start.listen(listener)
    if not known.wait(timeout):
        life.start.forget(listener)
        raise pykka.Timeout(f"{ref} has not started within {timeout} seconds")
    outcome = life.start.value
    if isinstance(outcome, ExitReason):
        failure = outcome.exception if isinstance(outcome, Crashed) else None
        if isinstance(failure, StartFailed):
            raise failure
        raise StartFailed(None, outcome)
    return not isinstance(outcome, Ignored)


def _request(ref: pykka.ActorRef[Any], make: Callable[[Reply], object], timeout: float) -> Any:
    """Send a request and wait for its reply, or for the supervisor's end."""
    check_may_block("a request to a supervisor")
    answers: list[Any] = []
    answered = Event()

    def reply(answer: Any) -> None:
        answers.append(answer)
        answered.set()

    def down(_: Down) -> None:
        reply(pykka.ActorDeadError(f"{ref} ended before it answered"))

    # Set before the request: so whatever becomes of that, one of the two is heard.
    watch = monitor(ref, down)
    ref.tell(make(reply))
    if not answered.wait(timeout):
        watch.cancel()
        raise pykka.Timeout(f"no answer from {ref} within {timeout} seconds")
    watch.cancel()
    if isinstance(answers[0], BaseException):
        raise answers[0]
    return answers[0]
