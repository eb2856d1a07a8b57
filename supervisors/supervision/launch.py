"""The begin of a child's start, for both kinds of supervisor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import pykka

from supervisors.actors.lifecycle import Ignored, Lifecycle, StartOutcome, lifecycle_of, monitor
from supervisors.actors.light_actor import LightActor
from supervisors.errors import StartTimeout
from supervisors.exits import IGNORE, Crashed, Killed
from supervisors.supervision.child import Child
from supervisors.wording import shown

__all__ = ["KILL_GRACE", "holder_of", "launch"]

# The killer itself reports the end, so that this limit is only reached by a child on another scheduler that is stuck.
KILL_GRACE = 1.0


def holder_of(child_id: Hashable, supervisor: object) -> str:
    """Return the words by which messages name the holder of a registered name."""
    return f"child {shown(child_id)} of {supervisor}"


def launch(
    child: Child,
    supervisor: LightActor,
    known: Mapping[pykka.ActorRef[Any], Child],
    reported: Callable[[StartOutcome], object],
) -> StartOutcome | None:
    """Call the start function of a child.

    Args:
        child: the child to start.
        supervisor: its supervisor.
        known: the supervisor's children by reference; the start function must not return one of these.
        reported: called with the outcome of the start, on any thread, if this function returns None. May be called
            twice if the start exceeds its limit; the first call counts.

    Returns:
        The outcome, if it is known at once. None: `child.ref` is set, and the supervisor monitors it.
    """
    child.incarnation += 1
    child.state = "starting"
    child.owed = False
    child.overdue = None
    try:
        spec = child.spec
        if spec.register is not None and child.claim is None:
            child.claim = supervisor.scheduler.registry.claim(spec.register, holder_of(spec.id, supervisor))
        if spec.restart == "temporary":
            # Started once only, so that the arguments which its start function holds can be freed now.
            child.spec = spec.without_start()
        answer: Any = spec.start()
        if answer is IGNORE:
            return Ignored()
        lifecycle = _checked_answer(answer, supervisor, known)
    except BaseException as exc:
        return Crashed(exc)
    lifecycle.supervisor = supervisor
    child.ref = answer
    child.monitor = monitor(answer, supervisor)
    # Before the listener, which may be called at once and cancels it. The start function may have ended the supervisor.
    if spec.start_timeout is not None and supervisor.actor_ref.is_alive():
        child.start_timer = supervisor.call_later(spec.start_timeout, _start_overdue, child, supervisor, reported)
    lifecycle.start.listen(reported)
    return None


def _start_overdue(child: Child, supervisor: LightActor, reported: Callable[[StartOutcome], object]) -> None:
    """Kill a child whose start takes too long; the report of its end completes the start, as a failed one."""
    limit = child.spec.start_timeout
    assert limit is not None
    child.overdue = Crashed(StartTimeout(child.spec.id, limit))
    child.start_timer = supervisor.call_later(KILL_GRACE, reported, Killed())
    child.lifecycle.kill()


def _checked_answer(answer: object, supervisor: LightActor, known: Mapping[pykka.ActorRef[Any], Child]) -> Lifecycle:
    """Return the lifecycle of the actor that a start function returned, if that can be a child."""
    if not isinstance(answer, pykka.ActorRef):
        raise TypeError(f"the start function must return a reference or IGNORE, not {shown(answer)}")
    lifecycle = lifecycle_of(answer)
    if lifecycle is None:
        answer.stop(block=False)
        name = answer.actor_class.__name__
        raise TypeError(f"{name} cannot be supervised as it is: start supervise_threading({name})")
    other = known.get(answer)
    if other is not None:
        raise ValueError(
            f"the start function returned the running actor of child {shown(other.spec.id)}: it must start a new one"
        )
    if lifecycle.supervisor is not None:
        raise ValueError(
            f"the start function returned an actor that is a child of {lifecycle.supervisor} already: "
            "it must start a new one"
        )
    if answer is supervisor.actor_ref:
        raise ValueError("the start function returned the reference of its own supervisor: it must start a new actor")
    return lifecycle
