"""What the two kinds of supervisor share: a child's record, and how its start is begun."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pykka
from msgspec import Struct

from supervisors.child_spec import ChildSpec
from supervisors.decisions import ChildView
from supervisors.exits import IGNORE, Crashed, Draining, ExitReason, Killed, Normal, Shutdown
from supervisors.intensity import Backoff, BackoffState, RestartIntensity
from supervisors.life import Ignored, Life, Monitor, StartOutcome, life_of, monitor
from supervisors.process import LightActor
from supervisors.records import record
from supervisors.requests import RESTARTING, ChildInfo
from supervisors.scheduler import Timer

__all__ = [
    "KILL_GRACE",
    "Child",
    "ChildState",
    "SupervisorStatistics",
    "launch",
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
        "incarnation",
        "last_reason",
        "monitor",
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
    def life(self) -> Life:
        """Of its actor, while it has one."""
        assert self.ref is not None
        life = life_of(self.ref)
        assert life is not None
        return life

    def view(self) -> ChildView:
        """As the decisions see it."""
        return ChildView(self.spec.id, self.spec.restart, self.spec.significant, self.state != "stopped")

    def info(self) -> ChildInfo:
        """As which_children gives it."""
        child: Any = RESTARTING if self.state == "restarting" else self.ref
        return ChildInfo(self.spec.id, child, self.spec.type)

    def seconds_to_end(self, why: ExitReason | None) -> float:
        """How long it may take to end after it was asked, when its supervisor ends for the reason `why`."""
        if self.spec.shutdown is None and isinstance(why, Shutdown) and isinstance(why.term, Draining):
            return math.inf
        return self.spec.shutdown_seconds

    def set_running(self, now: float) -> None:
        """It has started."""
        self.state = "running"
        self.started_at = now
        self.backoff.started(now)

    def release(self, state: ChildState) -> None:
        """It has no actor any more (or never got one), and is now in `state`."""
        if self.monitor is not None:
            self.monitor.cancel()
            self.monitor = None
        if self.ref is not None and self.life.proven:
            self.backoff.proven()
        self.ref = None
        self.token = None
        self.started_at = None
        self.state = state

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


def launch(child: Child, supervisor: LightActor, reported: Callable[[StartOutcome], object]) -> StartOutcome | None:
    """Call the start function of a child.

    Args:
        reported: called when the start is done, on any thread, if it is not known at once.

    Returns:
        The outcome, if it is known at once. None: `child.ref` is set, and monitored by the supervisor.
    """
    child.incarnation += 1
    child.state = "starting"
    try:
        answer: Any = child.spec.start()
    except BaseException as exc:
        return Crashed(exc)
    if answer is IGNORE:
        return Ignored()
    if not isinstance(answer, pykka.ActorRef):
        return Crashed(TypeError(f"the start function must return a reference or IGNORE, not {answer!r}"))
    life = life_of(answer)
    if life is None:
        answer.stop(block=False)
        name = answer.actor_class.__name__
        return Crashed(TypeError(f"{name} cannot be supervised as it is: start supervise_threading({name})"))
    child.ref = answer
    child.monitor = monitor(answer, supervisor)
    life.start.listen(reported)
    return None


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
