"""Functions that administer a supervisor from any thread but a scheduler's. They wait, with a deadline."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import pykka

from supervisors.actors.futures import check_may_block, check_timeout
from supervisors.actors.lifecycle import Down, Ignored, StartOutcome, checked_lifecycle, monitor
from supervisors.exits import Crashed, ExitReason, Shutdown, StartFailed, check_reason
from supervisors.runtime.interrupts import Event
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.dynamic_supervisor import DynamicSupervisor
from supervisors.supervision.messages import (
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
from supervisors.supervision.supervisor import Supervisor
from supervisors.wording import shown

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
    there), `pykka.Timeout` after `timeout` seconds, `pykka.ActorDeadError` if the supervisor is dead, and TypeError if
    `ref` is not the reference of a supervisor; nothing has been sent then.
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
        Its reference, also if it has ended since; None if it answered IGNORE.

    Raises:
        StartFailed, AlreadyStarted, AlreadyPresent, MaxChildren, SpecError, SupervisorStopping: see there.
    """
    result: pykka.ActorRef[Any] | None = _request(ref, lambda reply: StartChild(spec, reply), timeout)
    return result


def terminate_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 60.0) -> None:
    """Stop a child, given by id (of a dynamic supervisor: by reference), and wait until it has ended.

    A child of a dynamic supervisor that is being restarted is given by its last reference (`ChildInfo.ref`).

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
        TypeError: `reason` is no ExitReason; or `ref` is no reference, or that of an actor that reports no end.
    """
    check_may_block("stop()")
    if reason is not None:
        check_reason(reason)
    check_timeout(timeout)
    lifecycle = checked_lifecycle(ref, "stopped")
    ended = Event()
    watch = monitor(ref, lambda down: ended.set())
    try:
        lifecycle.ask_shutdown(reason if reason is not None else Shutdown())
        return ended.wait(timeout)
    finally:
        watch.cancel()


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
    check_timeout(timeout)
    lifecycle = checked_lifecycle(ref, "waited for")
    known = Event()

    def listener(outcome: StartOutcome) -> None:
        known.set()

    lifecycle.start.listen(listener)
    if not known.wait(timeout):
        lifecycle.start.forget(listener)
        raise pykka.Timeout(f"{ref} has not started within {timeout} seconds")
    outcome = lifecycle.start.value
    if isinstance(outcome, ExitReason):
        failure = outcome.exception if isinstance(outcome, Crashed) else None
        if isinstance(failure, StartFailed):
            raise failure
        raise StartFailed(None, outcome)
    return not isinstance(outcome, Ignored)


def _request(ref: pykka.ActorRef[Any], make: Callable[[Reply], object], timeout: float) -> Any:
    """Send a request and wait for its reply, or for the supervisor's end."""
    check_may_block("a request to a supervisor")
    check_timeout(timeout)
    if not isinstance(ref, pykka.ActorRef):
        raise TypeError(f"the first argument must be the reference of a supervisor, not {shown(ref)}")
    if not issubclass(ref.actor_class, (Supervisor, DynamicSupervisor)):
        # Not sent: to another actor the request would be a message that it does not know.
        raise TypeError(f"{ref} is no supervisor: requests about children go to the supervisor's reference")
    answers: list[Any] = []
    answered = Event()

    def reply(answer: Any) -> None:
        answers.append(answer)
        answered.set()

    def down(_: Down) -> None:
        reply(pykka.ActorDeadError(f"{ref} ended before it answered"))

    # Set before the request: so whatever becomes of that, one of the two is heard.
    watch = monitor(ref, down)
    try:
        ref.tell(make(reply))
        if not answered.wait(timeout):
            raise pykka.Timeout(f"no answer from {ref} within {timeout} seconds")
    finally:
        watch.cancel()
    if isinstance(answers[0], BaseException):
        raise answers[0]
    return answers[0]
