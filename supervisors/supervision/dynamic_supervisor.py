"""The dynamic supervisor: any number of children, added while it runs, named by their references."""

from __future__ import annotations

import logging
import math
from typing import Any, assert_never

import pykka

from supervisors.actors.events import record
from supervisors.actors.lifecycle import Down, Ignored, Started, StartOutcome
from supervisors.actors.light_actor import LightActor
from supervisors.errors import (
    ChildNotFound,
    MaxChildren,
    NotSupported,
    RestartBudgetExceeded,
    SpecError,
    StartFailed,
    SupervisorStopping,
)
from supervisors.exits import ExitReason, Shutdown, is_abnormal
from supervisors.supervision.child import (
    Child,
    SupervisorStatistics,
    checked_name,
    find,
    shutdown_reason,
    statistics_of,
)
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff, RestartIntensity, RestartPolicy, checked_backoff
from supervisors.supervision.launch import KILL_GRACE, launch
from supervisors.supervision.messages import (
    ChildCounts,
    CountChildren,
    DeleteChild,
    DoneReply,
    RestartChild,
    StartChild,
    StartReply,
    SupervisorMessage,
    TerminateChild,
    WhichChildren,
)
from supervisors.supervision.operations import answer
from supervisors.supervision.reports import report_crash, report_failed_start, report_stop, report_unexpected
from supervisors.supervision.restart_policy import is_restarted
from supervisors.supervision.spec_checks import not_a_spec
from supervisors.wording import shown

__all__ = ["DynamicSupervisor"]


class DynamicSupervisor(LightActor):
    """Starts children on request, restarts each on its own, stops all at once.

    Runs in: the scheduler's thread. Owns: its children. The cost of an operation does not depend on the number of
    children; children start side by side. If it crashes or is killed, its children are killed.

    Args:
        max_children: the limit of children, those that are being restarted included; None: no limit.
        max_restarts: the limit of restarts of all children within `max_seconds`; None: no limit.
        max_seconds: seconds.
        restart_backoff: the wait before restarts of one child; None: no wait.
        name: a text, for people.
        policy: decides on restarts in place of the three options above; None: these options do.

    Raises:
        TypeError, ValueError: an option is not as described.
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
        self.name = checked_name(name)
        self.max_children = max_children
        self.intensity = RestartIntensity(max_restarts, max_seconds) if policy is None else policy.intensity
        self._policy = policy
        self._backoff = checked_backoff(restart_backoff)
        # A dictionary for its order; the values are the reply functions of starts in progress.
        self._children: dict[Child, StartReply | None] = {}
        self._by_ref: dict[pykka.ActorRef[Any], Child] = {}
        # Children that are being restarted, by the references of their last actor and of the last start that failed.
        self._by_last_ref: dict[pykka.ActorRef[Any], Child] = {}
        self._terminating: dict[Child, list[DoneReply | None]] = {}
        self._supervisors = 0
        self._reason: ExitReason | None = None

    def __str__(self) -> str:
        return self.name or super().__str__()

    # -- messages ------------------------------------------------------------------------------------------------

    def on_receive(self, message: object) -> None:
        """Handle requests, and the ends of children: a `SupervisorMessage`."""
        if not isinstance(message, SupervisorMessage):  # untyped references let senders send anything
            report_unexpected(self, message)
        elif isinstance(message, Down):
            self._child_down(message)
        elif isinstance(message, (StartChild, TerminateChild)):
            self._request(message)
        elif isinstance(message, WhichChildren):
            answer(self, message.reply, [child.info() for child in self._children])
        elif isinstance(message, CountChildren):
            answer(self, message.reply, self.count())
        elif isinstance(message, (RestartChild, DeleteChild)):
            answer(self, message.reply, NotSupported(message.child))
        else:
            assert_never(message)

    def statistics(self) -> SupervisorStatistics:
        """Return its present statistics. Scheduler's thread only."""
        return statistics_of(self._children, self.intensity, self.scheduler.now())

    def count(self) -> ChildCounts:
        """Return the numbers of its children in constant time. Scheduler's thread only."""
        specs = len(self._children)
        return ChildCounts(specs, len(self._by_ref), self._supervisors, specs - self._supervisors)

    def on_shutdown(self, reason: ExitReason) -> None:
        """Ask all children at once to end, and kill each when its own time is over."""
        if self._reason is not None:
            return
        self._reason = reason
        limits: dict[float, list[Child]] = {}
        for child in list(self._children):
            self._refuse_start(child)
            if child.ref is None:
                self._remove(child)
                continue
            if child.state != "stopping":  # otherwise its timer is running already
                self._ask_to_end(child)
                seconds = child.seconds_to_end(reason)
                if not child.spec.brutal and seconds != math.inf:
                    limits.setdefault(seconds, []).append(child)
        for seconds, children in limits.items():
            self.call_later(seconds, self._kill_those_left, children)
        if not self._children:
            self._finish()

    def on_exit(self, reason: ExitReason) -> None:
        """Answer pending requests; kill the children that are left, if its end was not an orderly one."""
        for child in list(self._children):
            self._refuse_start(child)
            if child.ref is not None:
                child.lifecycle.kill()
            self._remove(child)

    # -- starting ------------------------------------------------------------------------------------------------

    def _request(self, message: StartChild | TerminateChild) -> None:
        try:
            if isinstance(message, StartChild):
                self._start_child(message)
            else:
                self._terminate_child(message)
        except BaseException as exc:  # from a value of the user's: a request never ends the supervisor
            answer(self, message.reply, exc)

    def _start_child(self, message: StartChild) -> None:
        spec: ChildSpec | object = message.spec  # an untyped caller may have sent anything
        reply = message.reply
        if self._reason is not None:
            answer(self, reply, SupervisorStopping(f"{self} is stopping"))
        elif not isinstance(spec, ChildSpec):
            answer(self, reply, SpecError(not_a_spec(spec)))
        elif spec.significant:
            answer(self, reply, SpecError(f"child {shown(spec.id)} is significant: not under a dynamic supervisor"))
        elif self.max_children is not None and len(self._children) >= self.max_children:
            answer(self, reply, MaxChildren(spec.id))
        else:
            child = Child(spec, self._backoff)
            self._children[child] = reply
            self._supervisors += spec.type == "supervisor"
            self._launch(child)

    def _launch(self, child: Child) -> None:
        post, reported, incarnation = self.scheduler.post, self._reported, child.incarnation + 1
        outcome = launch(child, self, self._by_ref, lambda outcome: post(reported, child, incarnation, outcome))
        if child.ref is not None:
            if not self.actor_ref.is_alive():  # the start function ended its own supervisor
                child.lifecycle.kill()
                return
            self._by_ref[child.ref] = child
            ended = child.lifecycle.exit.value
            if ended is not None and child.spec.restart == "temporary":
                # Before it was watched. Its Down may be behind a request for which it is to leave room.
                self._child_down(Down(child.ref, ended))
                return
        if outcome is not None:
            self._reported(child, incarnation, outcome)

    def _reported(self, child: Child, incarnation: int, outcome: StartOutcome) -> None:
        if child.incarnation != incarnation or child not in self._children or child.state != "starting":
            return
        outcome = child.start_outcome(outcome)
        reply, self._children[child] = self._children[child], None
        if isinstance(outcome, Started):
            self._forget_last_refs(child)
            child.set_running(self.scheduler.now())
            answer(self, reply, child.ref)
            return
        failed = child.ref
        self._forget_ref(child)
        child.release("stopped")
        if isinstance(outcome, Ignored):
            self._remove(child)
            answer(self, reply, None)
        elif child.restarts > 0:
            self._note_failed(child, failed)
            self._restart(child, outcome, first=False)
        else:
            self._remove(child)
            answer(self, reply, StartFailed(child.spec.id, outcome))

    # -- ends ----------------------------------------------------------------------------------------------------

    def _child_down(self, down: Down) -> None:
        child = self._by_ref.get(down.ref)
        if child is None:
            return
        if child.state == "starting":
            # The end of an actor with a thread may overtake the report of its start; handle the start first.
            outcome = child.lifecycle.start.value
            assert outcome is not None
            self._reported(child, child.incarnation, outcome)
            if child.ref is not down.ref:
                return  # its start has failed, and that has been handled
        if self._by_ref.pop(down.ref, None) is None:
            return  # the answer to its start ended this supervisor
        if child.state == "stopping":
            self._stopped(child, down.reason)
            return
        child.last_reason = down.reason
        child.release("exited")
        if is_restarted(child.spec.restart, down.reason):
            self._by_last_ref[down.ref] = child
            self._restart(child, down.reason, first=True)
            return
        if is_abnormal(down.reason):
            report_crash(self, child, down.reason)
        self._remove(child)

    def _restart(self, child: Child, reason: ExitReason, *, first: bool) -> None:
        if not first:
            report_failed_start(self, child, reason)
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
        """Return the seconds to wait before a restart; None if the budget is exceeded."""
        if self._policy is not None:
            return self._policy.delay(child.spec.id, reason, now)
        return child.backoff.delay(now) if self.intensity.allow(now) else None

    def _retry(self, child: Child) -> None:
        child.retry = None
        if child in self._children and child.state == "restarting":
            self._launch(child)

    # -- stopping ------------------------------------------------------------------------------------------------

    def _terminate_child(self, message: TerminateChild) -> None:
        child = find(self._by_ref, message.child) or find(self._by_last_ref, message.child)
        if child is None:
            rule = "a dynamic supervisor's children are named by their references (`ref` in which_children)"
            answer(self, message.reply, ChildNotFound(message.child, rule))
            return
        self._terminating.setdefault(child, []).append(message.reply)
        if child.ref is None:  # it waits for its restart
            self._remove(child)
        elif child.state != "stopping":
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
            child.lifecycle.ask_shutdown(shutdown_reason(self._reason))

    def _kill(self, child: Child) -> None:
        child.cancel_retry()
        if child.ref is not None:
            child.lifecycle.kill()
            child.retry = self.call_later(KILL_GRACE, self._give_up, child)

    def _kill_those_left(self, children: list[Child]) -> None:
        for child in children:
            if child in self._children:
                self._kill(child)

    def _give_up(self, child: Child) -> None:
        self._forget_ref(child)
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
        self._forget_ref(child)
        self._forget_last_refs(child)
        child.release("stopped")
        child.forget_name()
        del self._children[child]
        self._supervisors -= child.spec.type == "supervisor"
        for reply in self._terminating.pop(child, ()):
            answer(self, reply, None)

    def _forget_ref(self, child: Child) -> None:
        if child.ref is not None:
            self._by_ref.pop(child.ref, None)

    def _note_failed(self, child: Child, failed: pykka.ActorRef[Any] | None) -> None:
        """Let the child be named by the reference of its failed start, too, until the next one has failed."""
        if failed is None or failed is child.last_ref:
            return
        if child.failed_ref is not None:
            self._by_last_ref.pop(child.failed_ref, None)
        child.failed_ref = failed
        self._by_last_ref[failed] = child

    def _forget_last_refs(self, child: Child) -> None:
        for ref in (child.last_ref, child.failed_ref):
            if ref is not None:
                self._by_last_ref.pop(ref, None)
        child.failed_ref = None

    def _refuse_start(self, child: Child) -> None:
        """Answer the request that waits for its start, if there is one, since it is being stopped."""
        reply = self._children.get(child)
        if reply is not None:
            self._children[child] = None
            answer(self, reply, SupervisorStopping(f"{self} stops child {shown(child.spec.id)}"))
