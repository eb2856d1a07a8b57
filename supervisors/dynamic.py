"""The dynamic supervisor: any number of children, added while it runs, named by their references."""

from __future__ import annotations

import logging
import math
from typing import Any

from supervisors.child_spec import ChildSpec
from supervisors.children import (
    KILL_GRACE,
    Child,
    SupervisorStatistics,
    launch,
    report_stop,
    shutdown_reason,
    statistics_of,
)
from supervisors.exits import (
    ChildNotFound,
    ExitReason,
    MaxChildren,
    NotSupported,
    RestartBudgetExceeded,
    Shutdown,
    SpecError,
    StartFailed,
    SupervisorError,
    SupervisorStopping,
    is_abnormal,
)
from supervisors.intensity import Backoff, RestartIntensity, RestartPolicy
from supervisors.life import Down, Ignored, Started, StartOutcome
from supervisors.process import LightActor
from supervisors.records import record
from supervisors.requests import (
    ChildCounts,
    CountChildren,
    DeleteChild,
    Reply,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from supervisors.scheduler import Timer

__all__ = ["DynamicSupervisor"]


class DynamicSupervisor(LightActor):
    """Starts children on request, restarts each on its own, stops all at once.

    Runs in: the scheduler's thread. Owns: its children. Everything costs the same for the ten-thousandth child as for
    the first; children start side by side. If it crashes or is killed, its children are killed.

    Args:
        max_children: how many there may be, those that are being restarted included; None: any number.
        max_restarts: so many restarts of all children within `max_seconds` are allowed; None: any number.
        max_seconds: seconds.
        restart_backoff: how long to wait before restarts of one child; None: never.
        name: for people.
        policy: decides on restarts in place of the three options above; None: they do.

    Raises:
        TypeError, ValueError: an option is something else.
    """

    def __init__(
        self,
        max_children: int | None = None,
        max_restarts: int | None = 3,
        max_seconds: float = 5.0,
        restart_backoff: Backoff | None = None,
        name: str | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        super().__init__()
        if max_children is not None and (isinstance(max_children, bool) or not isinstance(max_children, int)):
            raise TypeError(f"max_children must be an int or None, not {max_children!r}")
        if max_children is not None and max_children < 0:
            raise ValueError(f"max_children must not be negative: {max_children!r}")
        self.name = name
        self.max_children = max_children
        self.intensity = RestartIntensity(max_restarts, max_seconds) if policy is None else policy.intensity
        self._policy = policy
        self._backoff = restart_backoff
        # Dictionaries for their order; the values of the first are those whose start somebody waits for.
        self._children: dict[Child, Reply | None] = {}
        self._by_ref: dict[Any, Child] = {}
        self._terminating: dict[Child, list[Reply | None]] = {}
        self._supervisors = 0
        self._reason: ExitReason | None = None
        self._deadline: Timer | None = None

    def __str__(self) -> str:
        return self.name or super().__str__()

    # -- messages ------------------------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> object:
        """Requests, and the ends of children."""
        if isinstance(message, Down):
            self._child_down(message)
        elif isinstance(message, StartChild):
            self._start_child(message)
        elif isinstance(message, TerminateChild):
            self._terminate_child(message)
        elif isinstance(message, WhichChildren):
            self._answer_to(message.reply, [child.info() for child in self._children])
        elif isinstance(message, CountChildren):
            self._answer_to(message.reply, self.count())
        elif isinstance(message, (RestartChild, DeleteChild)):
            self._answer_to(message.reply, NotSupported(message.child))
        else:
            data = {"supervisor": str(self), "type": type(message).__name__}
            record(self.scheduler, "unexpected_message", logging.WARNING, data)
        return None

    def statistics(self) -> SupervisorStatistics:
        """What it holds now. Scheduler's thread only."""
        return statistics_of(self._children, self.intensity, self.scheduler.now())

    def count(self) -> ChildCounts:
        """How many children there are. Scheduler thread only; constant time."""
        specs = len(self._children)
        return ChildCounts(specs, len(self._by_ref), self._supervisors, specs - self._supervisors)

    def on_shutdown(self, reason: ExitReason) -> None:
        """Stop all children at once, under one timer: that of the child that may take longest."""
        if self._reason is not None:
            return
        self._reason = reason
        longest = 0.0
        for child in list(self._children):
            self._refuse_start(child)
            if child.ref is None:
                self._remove(child)
                continue
            if child.state != "stopping":
                self._ask_to_end(child)
            if child.seconds_to_end(reason) != math.inf:
                longest = max(longest, child.seconds_to_end(reason))
        if self._children:
            self._deadline = self.call_later(longest, self._kill_all)
        else:
            self._finish()

    def on_exit(self, reason: ExitReason) -> None:
        """Answer what waits; kill the children that are left, which is none after an orderly end."""
        for child in list(self._children):
            self._refuse_start(child)
            if child.ref is not None:
                child.life.kill()
            self._remove(child)

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_child(self, message: StartChild) -> None:
        spec: Any = message.spec
        reply = message.reply
        if self._reason is not None:
            self._answer_to(reply, SupervisorStopping(f"{self} is stopping"))
        elif not isinstance(spec, ChildSpec):
            self._answer_to(reply, SpecError(f"a child must be a ChildSpec, not {spec!r}"))
        elif spec.significant:
            self._answer_to(reply, SpecError(f"child {spec.id!r} is significant: not under a dynamic supervisor"))
        elif self.max_children is not None and len(self._children) >= self.max_children:
            self._answer_to(reply, MaxChildren(spec.id))
        else:
            child = Child(spec, self._backoff)
            self._children[child] = reply
            self._supervisors += spec.type == "supervisor"
            self._launch(child)

    def _launch(self, child: Child) -> None:
        post, reported, incarnation = self.scheduler.post, self._reported, child.incarnation + 1
        outcome = launch(child, self, lambda outcome: post(reported, child, incarnation, outcome))
        if child.ref is not None:
            if not self._alive:  # the start function ended its own supervisor
                child.life.kill()
                return
            self._by_ref[child.ref] = child
        if outcome is not None:
            self._reported(child, incarnation, outcome)

    def _reported(self, child: Child, incarnation: int, outcome: StartOutcome) -> None:
        if child.incarnation != incarnation or child not in self._children or child.state != "starting":
            return
        reply, self._children[child] = self._children[child], None
        if isinstance(outcome, Started):
            child.set_running(self.scheduler.now())
            self._answer_to(reply, child.ref)
            return
        self._by_ref.pop(child.ref, None)
        child.release("stopped")
        if isinstance(outcome, Ignored):
            self._remove(child)
            self._answer_to(reply, None)
        elif child.restarts > 0:
            self._restart(child, outcome, first=False)
        else:
            self._remove(child)
            self._answer_to(reply, StartFailed(child.spec.id, outcome))

    # -- ends ----------------------------------------------------------------------------------------------------

    def _child_down(self, down: Down) -> None:
        child = self._by_ref.pop(down.ref, None)
        if child is None:
            return
        if child.state == "stopping":
            self._stopped(child, down.reason)
            return
        child.last_reason = down.reason
        child.release("exited")
        restart = child.spec.restart
        if restart == "permanent" or (restart == "transient" and is_abnormal(down.reason)):
            self._restart(child, down.reason, first=True)
        else:
            self._remove(child)

    def _restart(self, child: Child, reason: ExitReason, *, first: bool) -> None:
        child.state = "restarting"
        now = self.scheduler.now()
        delay = self._delay(child, reason, now)
        if delay is None:
            data = {"supervisor": str(self), "child": child.spec.id, "reason": reason}
            record(self.scheduler, "budget_exceeded", logging.ERROR, data)
            self.on_shutdown(Shutdown(RestartBudgetExceeded(child.spec.id, reason)))
            return
        child.restarts += 1
        data = {"supervisor": str(self), "child": child.spec.id, "reason": reason, "delay": delay}
        record(self.scheduler, "restart", logging.INFO, data)
        if first and delay <= 0.0:
            self._launch(child)
        else:
            child.retry = self.call_later(delay, self._retry, child)

    def _delay(self, child: Child, reason: ExitReason, now: float) -> float | None:
        """Return the seconds to wait before a restart, None if it is one too many."""
        if self._policy is not None:
            return self._policy.delay(child.spec.id, reason, now)
        return child.backoff.delay(now) if self.intensity.allow(now) else None

    def _retry(self, child: Child) -> None:
        child.retry = None
        if child in self._children and child.state == "restarting":
            self._launch(child)

    # -- stopping ------------------------------------------------------------------------------------------------

    def _terminate_child(self, message: TerminateChild) -> None:
        child = self._by_ref.get(message.child)
        if child is None:
            self._answer_to(message.reply, ChildNotFound(message.child))
            return
        self._terminating.setdefault(child, []).append(message.reply)
        if child.state != "stopping":
            self._refuse_start(child)
            self._ask_to_end(child)
            if not child.spec.brutal and child.spec.shutdown_seconds != math.inf:
                child.retry = self.call_later(child.spec.shutdown_seconds, self._kill, child)

    def _ask_to_end(self, child: Child) -> None:
        child.cancel_retry()
        child.state = "stopping"
        if child.spec.brutal:
            self._kill(child)
        else:
            child.life.ask_shutdown(shutdown_reason(self._reason))

    def _kill(self, child: Child) -> None:
        child.cancel_retry()
        if child.ref is not None:
            child.life.kill()
            child.retry = self.call_later(KILL_GRACE, self._give_up, child)

    def _kill_all(self) -> None:
        for child in list(self._children):
            if child.seconds_to_end(self._reason) != math.inf:
                self._kill(child)

    def _give_up(self, child: Child) -> None:
        self._by_ref.pop(child.ref, None)
        self._stopped(child, None)

    def _stopped(self, child: Child, reason: ExitReason | None) -> None:
        report_stop(self, child, reason)
        self._remove(child)
        if self._reason is not None and not self._children:
            self._finish()

    def _finish(self) -> None:
        assert self._reason is not None
        self.exit(self._reason)

    def _remove(self, child: Child) -> None:
        child.cancel_retry()
        self._by_ref.pop(child.ref, None)
        child.release("stopped")
        del self._children[child]
        self._supervisors -= child.spec.type == "supervisor"
        for reply in self._terminating.pop(child, ()):
            self._answer_to(reply, None)

    def _refuse_start(self, child: Child) -> None:
        """Somebody waits for its start, which will not be."""
        reply = self._children.get(child)
        if reply is not None:
            self._children[child] = None
            self._answer_to(reply, SupervisorStopping(f"{self} stops child {child.spec.id!r}"))

    def _answer_to(self, reply: Reply | None, result: object) -> None:
        if reply is not None:
            self.scheduler.run_guarded(None, reply, result)
        elif isinstance(result, SupervisorError) and not isinstance(result, SupervisorStopping):
            exception = result.cause if isinstance(result, StartFailed) else None
            data = {"supervisor": str(self), "error": str(result)}
            record(self.scheduler, "request_failed", logging.WARNING, data, exception)
