"""A supervisor's record of one child, and the numbers of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pykka
from msgspec import Struct

from supervisors.actors.lifecycle import Lifecycle, Monitor, StartOutcome, lifecycle_of
from supervisors.actors.registry import Claim
from supervisors.exits import Crashed, Draining, ExitReason, Shutdown
from supervisors.runtime.scheduler import Timer
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff, BackoffState, RestartIntensity
from supervisors.supervision.messages import ChildInfo, ChildState
from supervisors.supervision.restart_policy import ChildView
from supervisors.wording import shown

__all__ = ["Child", "SupervisorStatistics", "checked_name", "find", "shutdown_reason", "statistics_of"]


class Child:
    """A supervisor's record of one child. In state `exited` it has ended, and that has not been handled yet."""

    __slots__ = (
        "backoff",
        "claim",
        "failed_ref",
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
        # The reference of the last restart that has failed, which callers may have seen while it was starting.
        self.failed_ref: pykka.ActorRef[Any] | None = None
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
