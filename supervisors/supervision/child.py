"""Code that both kinds of supervisor share: the record of a child, and the begin of its start."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import pykka
from msgspec import Struct

from supervisors.actors.events import record
from supervisors.actors.lifecycle import Ignored, Lifecycle, Monitor, StartOutcome, lifecycle_of, monitor
from supervisors.actors.light_actor import LightActor
from supervisors.actors.registry import Claim
from supervisors.exits import IGNORE, Crashed, Draining, ExitReason, Killed, Normal, Shutdown, StartTimeout
from supervisors.runtime.scheduler import Timer
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff, BackoffState, RestartIntensity
from supervisors.supervision.messages import ChildInfo, ChildState
from supervisors.supervision.restart_policy import ChildView
from supervisors.wording import shown

__all__ = [
    "KILL_GRACE",
    "Child",
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

# The killer itself reports the end, so that this limit is only reached by a child on another scheduler that is stuck.
KILL_GRACE = 1.0


class Child:
    """A supervisor's record of one child. In state `exited` it has ended, and that has not been handled yet."""

    __slots__ = (
        "backoff",
        "claim",
        "incarnation",
        "last_reason",
        "last_ref",
        "monitor",
        "overdue",
        "owed",
        "ref",
        "restarts",
        "retry",
        "spec",
        "start_timer",
        "started_at",
        "state",
        "token",
    )

    def __init__(self, spec: ChildSpec, backoff: Backoff | None) -> None:
        self.spec = spec
        self.state: ChildState = "stopped"
        self.ref: pykka.ActorRef[Any] | None = None
        # The reference of the last actor, as long as the child is to be restarted: callers still name the child by it.
        self.last_ref: pykka.ActorRef[Any] | None = None
        # Stopped by the strategy for the restart of a sibling, and to be started again with that sibling.
        self.owed = False
        # The claim on the name that its spec registers.
        self.claim: Claim | None = None
        self.monitor: Monitor | None = None
        # Changes with each start and stop, and so invalidates everything that was queued for an earlier one.
        self.incarnation = 0
        self.restarts = 0
        self.started_at: float | None = None
        self.last_reason: ExitReason | None = None
        self.retry: Timer | None = None
        # Of the current start: its limit, and the failure once that is exceeded.
        self.start_timer: Timer | None = None
        self.overdue: Crashed | None = None
        self.token: object = None
        self.backoff = BackoffState(backoff)

    @property
    def lifecycle(self) -> Lifecycle:
        """The lifecycle of its actor, while it has one."""
        assert self.ref is not None
        lifecycle = lifecycle_of(self.ref)
        assert lifecycle is not None
        return lifecycle

    def view(self) -> ChildView:
        """Return the child as the restart decisions see it."""
        return ChildView(self.spec.id, self.spec.restart, self.spec.significant, self.state != "stopped")

    def info(self) -> ChildInfo:
        """Return the child as which_children gives it."""
        last = self.last_ref if self.ref is None and self.state != "stopped" else self.ref
        return ChildInfo(self.spec.id, self.ref, self.spec.type, self.state, last)

    def seconds_to_end(self, why: ExitReason | None) -> float:
        """Return how long it may take to end after it was asked, when its supervisor ends for the reason `why`."""
        if self.spec.shutdown is None and isinstance(why, Shutdown) and isinstance(why.term, Draining):
            return math.inf
        return self.spec.shutdown_seconds

    def set_running(self, now: float) -> None:
        """Record that it has started."""
        self.state = "running"
        self.last_ref = None
        if self.claim is not None:
            self.claim.ref = self.ref
        self.started_at = now
        self.backoff.started(now)

    def release(self, state: ChildState) -> None:
        """Forget its actor, if it has one, and enter `state`."""
        self.cancel_start_timer()
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
        """Free the name that its spec has registered, since the spec is deleted."""
        if self.claim is not None:
            self.claim.release()
            self.claim = None

    def cancel_retry(self) -> None:
        """Cancel its next attempt to start, and the limit of the current one."""
        self.cancel_start_timer()
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None

    def cancel_start_timer(self) -> None:
        """Cancel the limit of its current start."""
        if self.start_timer is not None:
            self.start_timer.cancel()
            self.start_timer = None

    def start_outcome(self, reported: StartOutcome) -> StartOutcome:
        """Return the outcome of its start: as the actor reported it, unless the start has exceeded its limit."""
        self.cancel_start_timer()
        overdue, self.overdue = self.overdue, None
        return reported if overdue is None else overdue


class SupervisorStatistics(Struct, frozen=True):
    """Numbers of a supervisor at one moment.

    Args:
        children: its specs.
        running: children that run.
        restarting: children that wait for their next start.
        restarts: restarts of its present children.
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
    """Return the statistics of a supervisor with these children."""
    count = running = restarting = restarts = 0
    for child in children:
        count += 1
        running += child.state == "running"
        restarting += child.state == "restarting"
        restarts += child.restarts
    return SupervisorStatistics(count, running, restarting, restarts, intensity.recent(now), intensity.max_restarts)


def shutdown_reason(reason: ExitReason | None) -> Shutdown:
    """Return the reason for which a supervisor stops a child: its own reason for ending, if that is a Shutdown.

    So a child can see that its supervisor gave up (`RestartBudgetExceeded`), and drop work that has no reader left.
    """
    return reason if isinstance(reason, Shutdown) else Shutdown()


def find(children: Mapping[Any, Child], key: object) -> Child | None:
    """Return the child under a key; None also if the key is not hashable or its code raises."""
    try:
        return children.get(key)
    except BaseException:  # the user's own __hash__ or __eq__ may raise anything
        return None


def checked_name(name: str | None) -> str | None:
    """Return the name of a supervisor.

    Raises:
        TypeError: it is not a str.
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a text or None, not {shown(name)}")
    return name


def not_a_spec(given: object) -> str:
    """Return the error message for a value that should be a ChildSpec."""
    if isinstance(given, type):
        return f"a child must be a ChildSpec, not a class: ChildSpec(id=..., start={given.__name__}.start)"
    if isinstance(given, Mapping):
        return f"a child must be a ChildSpec, not a mapping: ChildSpec(id=..., start=...), not {shown(given)}"
    return f"a child must be a ChildSpec, not {shown(given)}"


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
    # Before the listener, which may be called at once and cancels it.
    if spec.start_timeout is not None:
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


def _checked_answer(answer: Any, supervisor: LightActor, known: Mapping[pykka.ActorRef[Any], Child]) -> Lifecycle:
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


def report_crash(supervisor: LightActor, child: Child, reason: ExitReason) -> None:
    """Record the crash of a child that is not restarted. The actor's own exit record has the traceback."""
    level = logging.ERROR if isinstance(reason, Crashed) else logging.WARNING
    data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
    record(supervisor.scheduler, "child_crashed", level, data)


def report_failed_start(supervisor: LightActor, child: Child, reason: ExitReason) -> None:
    """Record that a restart of a child has failed. A start function that raises leaves no other record."""
    data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
    exception = reason.exception if isinstance(reason, Crashed) else None
    record(supervisor.scheduler, "start_failed", logging.ERROR, data, exception)


def report_stop(supervisor: LightActor, child: Child, reason: ExitReason | None) -> None:
    """Record the end of a stopped child if its reason is not as expected (None: the end was not reported in time)."""
    child.last_reason = reason
    if not (isinstance(reason, (Normal, Shutdown)) or (child.spec.brutal and isinstance(reason, Killed))):
        data = {"supervisor": str(supervisor), "child": child.spec.id, "reason": reason}
        exception = reason.exception if isinstance(reason, Crashed) else None
        record(supervisor.scheduler, "stop_problem", logging.WARNING, data, exception)
