"""What the two kinds of supervisor share: a child's record, and how its start is begun."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Literal

import pykka
from msgspec import Struct

from supervisors.actors.events import record
from supervisors.actors.lifecycle import Ignored, Lifecycle, Monitor, StartOutcome, lifecycle_of, monitor
from supervisors.actors.light_actor import LightActor
from supervisors.actors.registry import Claim
from supervisors.exits import IGNORE, Crashed, Draining, ExitReason, Killed, Normal, Shutdown
from supervisors.runtime.scheduler import Timer
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff, BackoffState, RestartIntensity
from supervisors.supervision.messages import RESTARTING, ChildInfo
from supervisors.supervision.restart_policy import ChildView
from supervisors.wording import shown

__all__ = [
    "KILL_GRACE",
    "Child",
    "ChildState",
    "SupervisorStatistics",
    "checked_name",
    "find",
    "holder_of",
    "launch",
    "not_a_spec",
    "report_crash",
    "report_failed_start",
    "report_stop",
    "shutdown_reason",
    "statistics_of",
]

ChildState = Literal["stopped", "starting", "running", "stopping", "exited", "restarting"]

# After a kill the end is reported by the killer, so this is only for a child on another scheduler that is stuck.
KILL_GRACE = 1.0


class Child:
    """A supervisor's record of one child. `exited`: it has ended, and that is not dealt with yet."""

    __slots__ = (
        "backoff",
        "claim",
        "incarnation",
        "last_reason",
        "last_ref",
        "monitor",
        "owed",
        "ref",
        "restarts",
        "retry",
        "spec",
        "started_at",
        "state",
        "token",
    )

    def __init__(self, spec: ChildSpec, backoff: Backoff | None) -> None:
        self.spec = spec
        self.state: ChildState = "stopped"
        self.ref: pykka.ActorRef[Any] | None = None
        # Of the actor that ran last, as long as the child is to be restarted: by it callers still name the child.
        self.last_ref: pykka.ActorRef[Any] | None = None
        # Stopped by the strategy for the restart of a sibling, with which it is to start again.
        self.owed = False
        # On the name that its spec has registered.
        self.claim: Claim | None = None
        self.monitor: Monitor | None = None
        # Changes with each start and stop: what was queued for an earlier one is then out of date.
        self.incarnation = 0
        self.restarts = 0
        self.started_at: float | None = None
        self.last_reason: ExitReason | None = None
        self.retry: Timer | None = None
        self.token: object = None
        self.backoff = BackoffState(backoff)

    @property
    def lifecycle(self) -> Lifecycle:
        """Of its actor, while it has one."""
        assert self.ref is not None
        lifecycle = lifecycle_of(self.ref)
        assert lifecycle is not None
        return lifecycle

    def view(self) -> ChildView:
        """As the decisions see it."""
        return ChildView(self.spec.id, self.spec.restart, self.spec.significant, self.state != "stopped")

    def info(self) -> ChildInfo:
        """As which_children gives it."""
        child: Any = RESTARTING if self.state == "restarting" else self.ref
        last = self.last_ref if self.ref is None and self.state != "stopped" else self.ref
        return ChildInfo(self.spec.id, child, self.spec.type, last)

    def seconds_to_end(self, why: ExitReason | None) -> float:
        """How long it may take to end after it was asked, when its supervisor ends for the reason `why`."""
        if self.spec.shutdown is None and isinstance(why, Shutdown) and isinstance(why.term, Draining):
            return math.inf
        return self.spec.shutdown_seconds

    def set_running(self, now: float) -> None:
        """It has started."""
        self.state = "running"
        self.last_ref = None
        if self.claim is not None:
            self.claim.ref = self.ref
        self.started_at = now
        self.backoff.started(now)

    def release(self, state: ChildState) -> None:
        """It has no actor any more (or never got one), and is now in `state`."""
        if self.monitor is not None:
            self.monitor.cancel()
            self.monitor = None
        if self.claim is not None:
            self.claim.ref = None
        if self.ref is not None:
            lifecycle = self.lifecycle
            lifecycle.supervisor = None
            if lifecycle.healthy:
                self.backoff.healthy()
            if state == "exited":
                self.last_ref = self.ref
        self.ref = None
        self.token = None
        self.started_at = None
        self.state = state

    def forget_name(self) -> None:
        """Free the name that its spec has registered: the spec is deleted."""
        if self.claim is not None:
            self.claim.release()
            self.claim = None

    def cancel_retry(self) -> None:
        """No attempt to restart it is waited for any more."""
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None


class SupervisorStatistics(Struct, frozen=True):
    """What a supervisor holds, at one moment.

    Args:
        children: specs that it has.
        running: children that run.
        restarting: children that wait for their next start.
        restarts: restarts that it has made of the children that it has now.
        recent: attempts that count against its budget now.
        budget: attempts that it allows; None for any number.
    """

    children: int
    running: int
    restarting: int
    restarts: int
    recent: int
    budget: int | None


def statistics_of(children: Iterable[Child], intensity: RestartIntensity, now: float) -> SupervisorStatistics:
    """The snapshot of a supervisor with these children."""
    count = running = restarting = restarts = 0
    for child in children:
        count += 1
        running += child.state == "running"
        restarting += child.state == "restarting"
        restarts += child.restarts
    return SupervisorStatistics(count, running, restarting, restarts, intensity.recent(now), intensity.max_restarts)


def shutdown_reason(reason: ExitReason | None) -> Shutdown:
    """What a supervisor tells a child that it stops: its own reason for ending, if that says more than that it does.

    So a child knows when its supervisor gave up (`RestartBudgetExceeded`), and can drop what nobody waits for.
    """
    return reason if isinstance(reason, Shutdown) else Shutdown()


def find(children: Mapping[Any, Child], key: object) -> Child | None:
    """Return the child under a key, which may be anything: what cannot be a key is the key of no child."""
    try:
        return children.get(key)
    except BaseException:  # not hashable; or the user's own __hash__ or __eq__ raises
        return None


def checked_name(name: str | None) -> str | None:
    """Return the name of a supervisor.

    Raises:
        TypeError: it is no text.
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a text or None, not {shown(name)}")
    return name


def not_a_spec(given: object) -> str:
    """Return what is wrong with something that is no ChildSpec."""
    if isinstance(given, type):
        return f"a child must be a ChildSpec, not a class: ChildSpec(id=..., start={given.__name__}.start)"
    if isinstance(given, Mapping):
        return f"a child must be a ChildSpec, not a mapping: ChildSpec(id=..., start=...), not {shown(given)}"
    return f"a child must be a ChildSpec, not {shown(given)}"


def holder_of(child_id: Hashable, supervisor: object) -> str:
    """Return how the holder of a registered name is called in messages."""
    return f"child {shown(child_id)} of {supervisor}"


def launch(
    child: Child,
    supervisor: LightActor,
    known: Mapping[Any, Child],
    reported: Callable[[StartOutcome], object],
) -> StartOutcome | None:
    """Call the start function of a child.

    Args:
        child: to be started.
        supervisor: whose child it is.
        known: the supervisor's children by reference: none of them can be the child's actor, too.
        reported: called when the start is done, on any thread, if it is not known at once.

    Returns:
        The outcome, if it is known at once. None: `child.ref` is set, and monitored by the supervisor.
    """
    child.incarnation += 1
    child.state = "starting"
    child.owed = False
    try:
        spec = child.spec
        if spec.register is not None and child.claim is None:
            child.claim = supervisor.scheduler.registry.claim(spec.register, holder_of(spec.id, supervisor))
        if spec.restart == "temporary":
            # Started once only: what its start function holds on to (the child's arguments) is not kept beyond.
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
    lifecycle.start.listen(reported)
    return None


def _checked_answer(answer: Any, supervisor: LightActor, known: Mapping[Any, Child]) -> Lifecycle:
    """Return the life of what a start function returned, if it can be a child."""
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


def report_crash(supervisor: LightActor, child: Child, reason: ExitReason) -> None:
    """Record that a child that is not restarted has crashed: which one, of whom. Its own record has the traceback."""
    level = logging.ERROR if isinstance(reason, Crashed) else logging.WARNING
    data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
    record(supervisor.scheduler, "child_crashed", level, data)


def report_failed_start(supervisor: LightActor, child: Child, reason: ExitReason) -> None:
    """Record that a restart of a child has failed. No one else tells of a start function that raises."""
    data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
    exception = reason.exception if isinstance(reason, Crashed) else None
    record(supervisor.scheduler, "start_failed", logging.ERROR, data, exception)


def report_stop(supervisor: LightActor, child: Child, reason: ExitReason | None) -> None:
    """A stopped child ended with `reason` (None: its end was never reported): say so if that was not expected."""
    child.last_reason = reason
    expected: tuple[type[ExitReason], ...] = (Normal, Shutdown)
    if child.spec.brutal:
        expected = (Normal, Shutdown, Killed)
    if not isinstance(reason, expected):
        data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
        exception = reason.exception if isinstance(reason, Crashed) else None
        record(supervisor.scheduler, "stop_problem", logging.WARNING, data, exception)
