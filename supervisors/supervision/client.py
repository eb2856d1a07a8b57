"""Functions for all threads but a scheduler's: administer a supervisor, end an actor, wait for its start or end."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import pykka

from supervisors.actors.futures import check_may_block, check_timeout
from supervisors.actors.lifecycle import Down, Ignored, StartOutcome, checked_lifecycle, monitor
from supervisors.errors import StartFailed, WaitTimeout
from supervisors.exits import Crashed, ExitReason, Shutdown, check_reason
from supervisors.runtime.interrupts import Event
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.dynamic_supervisor import DynamicSupervisor
from supervisors.supervision.messages import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    SupervisorMessage,
    TerminateChild,
    WhichChildren,
)
from supervisors.supervision.supervisor import Supervisor
from supervisors.wording import no_reference

__all__ = [
    "ask_supervisor",
    "count_children",
    "delete_child",
    "kill",
    "restart_child",
    "start_child",
    "start_failure",
    "stop",
    "terminate_child",
    "wait_ended",
    "wait_started",
    "which_children",
]

T = TypeVar("T")


def which_children(ref: pykka.ActorRef[Any], timeout: float = 5.0) -> list[ChildInfo]:
    """Return the children of a supervisor, in start order.

    This and the functions below raise `WouldDeadlock` on a scheduler's thread (send the message of the same name
    there), `WaitTimeout` after `timeout` seconds, `pykka.ActorDeadError` if the supervisor is dead, and TypeError if
    `ref` is not the reference of a supervisor; nothing has been sent then.
    """
    return _request(ref, WhichChildren, timeout)


def count_children(ref: pykka.ActorRef[Any], timeout: float = 5.0) -> ChildCounts:
    """Return how many children a supervisor has: specs, active, supervisors, workers."""
    return _request(ref, CountChildren, timeout)


def start_child(ref: pykka.ActorRef[Any], spec: ChildSpec, timeout: float = 60.0) -> pykka.ActorRef[Any] | None:
    """Add a child and wait until it has started.

    Returns:
        Its reference, also if it has ended since; None if it answered IGNORE.

    Raises:
        StartFailed, AlreadyStarted, AlreadyPresent, MaxChildren, SpecError, SupervisorStopping: see there.
    """

    def request(reply: Callable[[pykka.ActorRef[Any] | BaseException | None], object]) -> StartChild:
        return StartChild(spec, reply)

    return _request(ref, request, timeout)


def terminate_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 60.0) -> None:
    """Stop a child, given by id (of a dynamic supervisor: by reference), and wait until it has ended.

    A child of a dynamic supervisor that is being restarted is given by its last reference (`ChildInfo.ref`).

    Raises:
        ChildNotFound: there is no such child.
    """

    def request(reply: Callable[[BaseException | None], object]) -> TerminateChild:
        return TerminateChild(child, reply)

    _request(ref, request, timeout)


def restart_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 60.0) -> pykka.ActorRef[Any] | None:
    """Start a child that does not run, and wait until it has started.

    Returns:
        Its reference; None if it answered IGNORE.

    Raises:
        ChildNotFound, ChildRunning, ChildRestarting, StartFailed, NotSupported: see there.
    """

    def request(reply: Callable[[pykka.ActorRef[Any] | BaseException | None], object]) -> RestartChild:
        return RestartChild(child, reply)

    return _request(ref, request, timeout)


def delete_child(ref: pykka.ActorRef[Any], child: Hashable, timeout: float = 5.0) -> None:
    """Delete the spec of a child that does not run.

    Raises:
        ChildNotFound, ChildRunning, ChildRestarting, NotSupported: see there.
    """

    def request(reply: Callable[[BaseException | None], object]) -> DeleteChild:
        return DeleteChild(child, reply)

    _request(ref, request, timeout)


def stop(ref: pykka.ActorRef[Any], reason: ExitReason | None = None, timeout: float = 5.0) -> bool:
    """Ask an actor to end, and wait for its end.

    Args:
        ref: any actor that can be monitored.
        reason: by default Shutdown().
        timeout: seconds. The actor is not killed when they are over; see `kill`.

    Returns:
        True if it has ended.

    Raises:
        TypeError: `reason` is not an ExitReason; or `ref` is not the reference of an actor that reports its end.
        WouldDeadlock: on a scheduler's thread.
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


def kill(ref: pykka.ActorRef[Any]) -> None:
    """End an actor without asking it: its exit reason is Killed, and its supervisor restarts it accordingly.

    From any thread, a scheduler's included; returns at once (`wait_ended` waits for the end). A supervisor's children
    are killed with it. An actor with a thread counts as dead at once; its thread is abandoned until its code returns.
    Without effect on a dead actor.

    Raises:
        TypeError: `ref` is not the reference of an actor that reports its end.
    """
    checked_lifecycle(ref, "killed").kill()


def wait_ended(ref: pykka.ActorRef[Any], timeout: float | None = None) -> ExitReason:
    """Wait until an actor has ended, and return its exit reason.

    Args:
        ref: any actor that can be monitored.
        timeout: seconds; None: no limit.

    Raises:
        WaitTimeout: it has not ended within `timeout` seconds. A `TimeoutError`.
        TypeError: `ref` is not the reference of an actor that reports its end.
        WouldDeadlock: on a scheduler's thread; `monitor` is for there.
    """
    check_may_block("wait_ended()")
    check_timeout(timeout)
    lifecycle = checked_lifecycle(ref, "waited for")
    ended = Event()

    def listener(_: ExitReason) -> None:
        ended.set()

    lifecycle.exit.listen(listener)
    if not ended.wait(timeout):
        lifecycle.exit.forget(listener)
        raise WaitTimeout(f"{ref} has not ended within {timeout} seconds")
    reason = lifecycle.exit.value
    assert reason is not None
    return reason


def wait_started(ref: pykka.ActorRef[Any], timeout: float = 60.0) -> bool:
    """Wait until an actor has started (a supervisor: all its children).

    Returns:
        True; False if it answered IGNORE.

    Raises:
        StartFailed: with the reason; `cause` is the original exception.
        WaitTimeout: neither within `timeout` seconds.
        TypeError: `ref` is not the reference of an actor that reports its start.
        WouldDeadlock: on a scheduler's thread.
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
        raise WaitTimeout(f"{ref} has not started within {timeout} seconds")
    outcome = lifecycle.start.value
    assert outcome is not None
    failure = start_failure(outcome)
    if failure is not None:
        raise failure
    return not isinstance(outcome, Ignored)


def start_failure(outcome: StartOutcome) -> StartFailed | None:
    """Return the error for a start that failed; None for Started and Ignored."""
    if not isinstance(outcome, ExitReason):
        return None
    failure = outcome.exception if isinstance(outcome, Crashed) else None
    return failure if isinstance(failure, StartFailed) else StartFailed(None, outcome)


def _request(
    ref: pykka.ActorRef[Any], make: Callable[[Callable[[T | BaseException], object]], SupervisorMessage], timeout: float
) -> T:
    return ask_supervisor(ref, make, timeout, lambda answered: answered(timeout))


def ask_supervisor(
    ref: pykka.ActorRef[Any],
    make: Callable[[Callable[[T | BaseException], object]], SupervisorMessage],
    timeout: float,
    wait: Callable[[Callable[[float], bool]], bool],
) -> T:
    """Send a request and wait for its reply, or for the supervisor's end. For a caller that waits in its own way.

    Args:
        ref: the supervisor.
        make: makes the message, from the function that it is answered by.
        timeout: seconds, for the error.
        wait: waits for the answer by the function that it gets, which waits so many seconds at most; returns whether
            the answer is there.

    Raises:
        WaitTimeout: `wait` has returned False.
    """
    check_may_block("a request to a supervisor")
    check_timeout(timeout)
    if not isinstance(ref, pykka.ActorRef):
        raise TypeError(f"the first argument must be the reference of a supervisor, not {no_reference(ref)}")
    if not issubclass(ref.actor_class, (Supervisor, DynamicSupervisor)):
        # Not sent: to another actor the request would be an unknown message.
        raise TypeError(f"{ref} is no supervisor: requests about children go to the supervisor's reference")
    answers: list[T | BaseException] = []
    answered = Event()

    def reply(answer: T | BaseException) -> None:
        answers.append(answer)
        answered.set()

    def down(_: Down) -> None:
        reply(pykka.ActorDeadError(f"{ref} ended before it answered"))

    # Set up before the request is sent, so that either the reply or the Down arrives, however the two race.
    watch = monitor(ref, down)
    try:
        ref.tell(make(reply))
        if not wait(answered.wait):
            raise WaitTimeout(f"no answer from {ref} within {timeout} seconds")
    finally:
        watch.cancel()
    first = answers[0]
    if isinstance(first, BaseException):
        raise first
    return first
