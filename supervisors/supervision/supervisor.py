"""The supervisor: starts its children in order, restarts them by its strategy, stops them in reverse order."""

from __future__ import annotations

import logging
from collections.abc import Generator, Hashable, Iterable
from typing import Any, assert_never, get_args

import pykka

from supervisors.actors.events import record
from supervisors.actors.lifecycle import Down, Ignored, Started, StartOutcome
from supervisors.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    RestartBudgetExceeded,
    SpecError,
    StartFailed,
    SupervisorStopping,
)
from supervisors.exits import DEFERRED, Crashed, ExitReason, Shutdown, is_abnormal
from supervisors.supervision.child import (
    Child,
    SupervisorStatistics,
    checked_name,
    find,
    shutdown_reason,
    statistics_of,
)
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff, RestartIntensity, checked_backoff
from supervisors.supervision.launch import KILL_GRACE, launch
from supervisors.supervision.messages import (
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    SupervisorMessage,
    TerminateChild,
    WhichChildren,
    counts,
)
from supervisors.supervision.operations import Operation, Operator, answer, requested
from supervisors.supervision.reports import report_crash, report_failed_start, report_stop, report_unexpected
from supervisors.supervision.restart_policy import (
    AutoShutdown,
    ChildView,
    Decision,
    Strategy,
    after_exit,
    is_restarted,
    restart_scope,
)
from supervisors.supervision.spec_checks import check_significant, checked_specs, not_a_spec
from supervisors.wording import shown

__all__ = ["Supervisor"]


class Supervisor(Operator):
    """Keeps its children running, by OTP's rules.

    Runs in: the scheduler's thread. Owns: its children. The start or stop of a child is an operation, a generator that
    waits without blocking. Operations run one at a time, in the order of the events that caused them, and only the end
    of the supervisor itself interrupts one. If it crashes or is killed, its children are killed.

    Args:
        children: their specs, in start order.
        strategy: "one_for_one", "one_for_all" or "rest_for_one".
        max_restarts: the limit of restarts within `max_seconds`; None: no limit.
        max_seconds: seconds.
        auto_shutdown: "never", "any_significant" or "all_significant".
        restart_backoff: the wait before restarts; None: no wait. The siblings that the strategy stops stay stopped
            for the whole wait, since by that strategy none of them is to run without the others.
        name: a text, for people.

    Raises:
        TypeError, ValueError: an option is not as described.
        SpecError: two specs have one id or register one name; or a child is significant though auto_shutdown is
            "never".
    """

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        strategy: Strategy = "one_for_one",
        max_restarts: int | None = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
        restart_backoff: Backoff | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        for option, value, allowed in (
            ("strategy", strategy, get_args(Strategy)),
            ("auto_shutdown", auto_shutdown, get_args(AutoShutdown)),
        ):
            if value not in allowed:
                raise ValueError(f"{option} must be one of {', '.join(allowed)}, not {shown(value)}")
        self.name = checked_name(name)
        self.strategy = strategy
        self.auto_shutdown = auto_shutdown
        self.intensity = RestartIntensity(max_restarts, max_seconds)
        self._backoff = checked_backoff(restart_backoff)
        self._children: dict[Hashable, Child] = {}
        self._by_ref: dict[pykka.ActorRef[Any], Child] = {}
        # Significant children, of which those that are not active any more are taken out when they are looked at.
        self._significant: dict[Child, None] = {}
        self._ending = False
        self._why_ending: ExitReason | None = None
        for spec in checked_specs(children, auto_shutdown):
            self._children[spec.id] = Child(spec, restart_backoff)

    def __str__(self) -> str:
        return self.name or super().__str__()

    # -- messages ------------------------------------------------------------------------------------------------

    def on_start(self) -> Any:
        """Begin to start the children."""
        self._todo.append((self._start_all(), None))
        self._drive()
        return DEFERRED

    def on_receive(self, message: object) -> None:
        """Handle requests, and the ends of children: a `SupervisorMessage`."""
        if not isinstance(message, SupervisorMessage):  # untyped references let senders send anything
            report_unexpected(self, message)
        elif isinstance(message, Down):
            self._child_down(message)
        elif isinstance(message, (StartChild, TerminateChild, RestartChild, DeleteChild)):
            self._request(message)
        elif isinstance(message, WhichChildren):
            answer(self, message.reply, [child.info() for child in self._children.values()])
        elif isinstance(message, CountChildren):
            answer(self, message.reply, counts([child.info() for child in self._children.values()]))
        else:
            assert_never(message)

    def on_shutdown(self, reason: ExitReason) -> None:
        """Stop the children in reverse order, then end. Interrupts the current operation."""
        if not self._ending:
            self._end_with(reason)
            self._break_off_current()
            self._drive()

    def on_exit(self, reason: ExitReason) -> None:
        """Answer pending requests; kill the children that are left, if its end was not an orderly one."""
        self._ending = True
        self._break_off_current()
        self._clear_todo()
        for child in reversed(self._children.values()):
            if child.ref is not None:
                child.lifecycle.kill()
                child.release("stopped")
            child.forget_name()

    def statistics(self) -> SupervisorStatistics:
        """Return its present statistics. Scheduler's thread only."""
        return statistics_of(self._children.values(), self.intensity, self.scheduler.now())

    def _request(self, message: StartChild | TerminateChild | RestartChild | DeleteChild) -> None:
        if self._ending:
            answer(self, message.reply, SupervisorStopping(f"{self} is stopping"))
            return
        operation: Operation
        if isinstance(message, StartChild):
            operation = self._start_child(message.spec)
        elif isinstance(message, TerminateChild):
            operation = self._terminate_child(message.child)
        elif isinstance(message, RestartChild):
            operation = self._restart_child(message.child)
        else:
            operation = self._delete_child(message.child)
        self._todo.append((requested(operation), message.reply))
        self._drive()

    def _child_down(self, down: Down) -> None:
        child = self._by_ref.pop(down.ref, None)
        if child is None or child.ref is not down.ref:
            return
        if child.state == "stopping":
            self._fire(child.token, down.reason)
            return
        child.last_reason = down.reason
        child.release("exited")
        if not self._ending:
            self._todo.append((self._child_exited(child, child.incarnation, down.reason), None))
            self._drive()

    # -- operations ----------------------------------------------------------------------------------------------

    def _start_all(self) -> Operation:
        for child in list(self._children.values()):
            outcome = yield from self._start_one(child)
            if isinstance(outcome, ExitReason):
                self._end_with(Crashed(StartFailed(child.spec.id, outcome)))
                return
        self.started()

    def _child_exited(self, child: Child, incarnation: int, reason: ExitReason) -> Operation:
        if child.incarnation != incarnation or child.state != "exited":
            return  # stopped, or started again, in the meantime
        if is_restarted(child.spec.restart, reason):
            yield from self._restart(child, reason, first=True)
            return
        if is_abnormal(reason):
            report_crash(self, child, reason)
        # Not the views of all children, of which thousands may end at once.
        views = [child.view(), *self._another_significant(child)]
        decision = after_exit(self.strategy, self.auto_shutdown, views, child.spec.id, reason)
        child.state, child.last_ref = "stopped", None
        self._drop(decision)
        if decision.shutdown:
            self._end_with(Shutdown())

    def _restart(self, child: Child, reason: ExitReason, *, first: bool) -> Operation:
        """Count an attempt, then make it now or (after a failed one, or under back-off) later."""
        if not first:
            report_failed_start(self, child, reason)
        child.state = "restarting"
        now = self.scheduler.now()
        if not self.intensity.allow(now):
            exceeded = RestartBudgetExceeded(child.spec.id, reason)
            data = {"supervisor": str(self), "child": child.spec.id, "reason": reason}
            record(self.scheduler, "budget_exceeded", logging.ERROR, data)
            self._end_with(Shutdown(exceeded))
            return
        delay = child.backoff.delay(now)
        data = {"supervisor": str(self), "child": child.spec.id, "reason": reason, "delay": delay}
        record(self.scheduler, "restart", logging.INFO, data)
        if first and delay <= 0.0:
            yield from self._attempt(child)
        else:
            # By a timer also if the delay is 0, so that requests are handled between two attempts.
            yield from self._stop_group(child)
            if child.state == "restarting":
                child.retry = self.call_later(delay, self._retry, child, child.incarnation)

    def _retry(self, child: Child, incarnation: int) -> None:
        child.retry = None
        if not self._ending:
            self._todo.append((self._retry_now(child, incarnation), None))
            self._drive()

    def _retry_now(self, child: Child, incarnation: int) -> Operation:
        if child.state == "restarting" and child.incarnation == incarnation:
            yield from self._attempt(child)

    def _attempt(self, child: Child) -> Operation:
        decision = yield from self._stop_group(child)
        for child_id in decision.start:
            each = self._children[child_id]
            outcome = yield from self._start_one(each)
            if isinstance(outcome, ExitReason):
                yield from self._restart(each, outcome, first=False)
                return
            each.restarts += 1

    def _stop_group(self, child: Child) -> Generator[object, Any, Decision]:
        # With one_for_one a restart does not concern the siblings, of which there may be thousands.
        concerned = [child] if self.strategy == "one_for_one" else self._children.values()
        decision = restart_scope(self.strategy, [each.view() for each in concerned], child.spec.id)
        for child_id in decision.stop:
            sibling = self._children[child_id]
            yield from self._stop_one(sibling)
            sibling.owed = True
        self._drop(decision)
        return decision

    def _start_child(self, spec: ChildSpec) -> Operation:
        if not isinstance(spec, ChildSpec):
            raise SpecError(not_a_spec(spec))
        check_significant(spec, self.auto_shutdown)
        present = self._children.get(spec.id)
        if present is not None:
            if present.state == "stopped":
                raise AlreadyPresent(spec.id)
            raise AlreadyStarted(spec.id, present.ref)
        child = self._children[spec.id] = Child(spec, self._backoff)
        return (yield from self._start_requested(child))

    def _terminate_child(self, child_id: Hashable) -> Operation:
        child = self._find(child_id)
        restarting = child.state == "restarting"
        yield from self._stop_one(child)
        if child.spec.restart == "temporary":
            self._delete(child)
        if restarting and self.strategy != "one_for_one":
            self._todo.append((self._start_owed(), None))

    def _restart_child(self, child_id: Hashable) -> Operation:
        return (yield from self._start_requested(self._find_stopped(child_id), delete=False))

    def _start_requested(self, child: Child, *, delete: bool = True) -> Operation:
        """Start a child. The result is its reference, also if it has ended since."""
        outcome = yield from self._start_one(child)
        if isinstance(outcome, ExitReason):
            if delete:
                self._delete(child)
            raise StartFailed(child.spec.id, outcome)
        if isinstance(outcome, Ignored):
            return None
        return child.ref if child.ref is not None else child.last_ref

    def _start_owed(self) -> Operation:
        """Start the children that were stopped for the restart of a sibling whose restart has been cancelled."""
        for child in list(self._children.values()):
            if child.owed and child.state == "stopped":
                outcome = yield from self._start_one(child)
                if isinstance(outcome, ExitReason):
                    yield from self._restart(child, outcome, first=False)
                    return

    def _delete_child(self, child_id: Hashable) -> Operation:
        yield from ()  # an operation like the others, although it never waits
        self._delete(self._find_stopped(child_id))

    def _stop_all(self, reason: ExitReason) -> Operation:
        for child in reversed(list(self._children.values())):
            yield from self._stop_one(child)
        if isinstance(reason, Crashed):
            self.start_failed(reason.exception)
        else:
            self.exit(reason)

    # -- one child -----------------------------------------------------------------------------------------------

    def _start_one(self, child: Child) -> Generator[object, Any, StartOutcome]:
        child.cancel_retry()
        token = object()
        # Called on any thread; a `_fire` that is too late finds another token.
        post, fire = self.scheduler.post, self._fire
        if child.spec.significant:
            self._significant[child] = None
        outcome = launch(child, self, self._by_ref, lambda reported: post(fire, token, reported))
        if outcome is None:
            if not self.actor_ref.is_alive():  # the start function ended its own supervisor
                child.lifecycle.kill()
                return Shutdown()
            assert child.ref is not None
            self._by_ref[child.ref] = child
            outcome = child.start_outcome((yield token))
        if isinstance(outcome, Started):
            if child.state == "starting":
                child.set_running(self.scheduler.now())
            return outcome
        self._forget_ref(child)
        child.release("stopped")
        if isinstance(outcome, Ignored):
            if child.spec.restart == "temporary":
                self._delete(child)
        else:
            child.last_reason = outcome
        return outcome

    def _stop_one(self, child: Child) -> Generator[object, Any, None]:
        child.cancel_retry()
        child.incarnation += 1
        child.owed = False
        child.last_ref = None
        if child.ref is None:
            child.state = "stopped"
            return
        child.state = "stopping"
        limit = child.seconds_to_end(self._why_ending)
        reason: ExitReason | None = None
        if not child.spec.brutal:
            child.lifecycle.ask_shutdown(shutdown_reason(self._why_ending))
            reason = yield from self._wait_down(child, limit)
        if reason is None:
            child.lifecycle.kill()
            reason = yield from self._wait_down(child, KILL_GRACE)
        self._forget_ref(child)
        child.release("stopped")
        report_stop(self, child, reason)

    def _wait_down(self, child: Child, seconds: float) -> Generator[object, Any, ExitReason | None]:
        token = child.token = object()
        timer = self.call_later(seconds, self._fire, token, None) if seconds != float("inf") else None
        reason: ExitReason | None = yield token
        if timer is not None:
            timer.cancel()
        return reason

    def _end_with(self, reason: ExitReason) -> None:
        """Drop all pending operations, stop the children and end with `reason` (Crashed: a failed start)."""
        self._ending, self._why_ending = True, reason
        self._clear_todo()
        self._todo.append((self._stop_all(reason), None))

    # -- look-ups ------------------------------------------------------------------------------------------------

    def _another_significant(self, child: Child) -> list[ChildView]:
        """Return another significant child that is active, or nothing."""
        self._significant.pop(child, None)
        while self._significant:
            other = next(iter(self._significant))
            if other.state != "stopped":
                return [other.view()]
            del self._significant[other]
        return []

    def _forget_ref(self, child: Child) -> None:
        if child.ref is not None:
            self._by_ref.pop(child.ref, None)

    def _find(self, child_id: Hashable) -> Child:
        child = find(self._children, child_id)
        if child is None:
            raise ChildNotFound(child_id, "this supervisor's children are named by their ids")
        return child

    def _find_stopped(self, child_id: Hashable) -> Child:
        child = self._find(child_id)
        if child.state == "restarting":
            raise ChildRestarting(child_id)
        if child.state != "stopped":
            raise ChildRunning(child_id)
        return child

    def _drop(self, decision: Decision) -> None:
        for child_id in decision.drop:
            if child_id in self._children:
                self._delete(self._children[child_id])

    def _delete(self, child: Child) -> None:
        """Forget a child's spec."""
        child.forget_name()
        self._significant.pop(child, None)
        if self._children.get(child.spec.id) is child:
            del self._children[child.spec.id]
