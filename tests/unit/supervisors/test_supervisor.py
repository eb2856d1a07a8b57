"""What the property test cannot see: time that children take, trees, administration from other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
    Backoff,
    ChildSpec,
    Crashed,
    DaemonActor,
    DynamicSupervisor,
    Killed,
    LightActor,
    Normal,
    RestartBudgetExceeded,
    Scheduler,
    Shutdown,
    StartChild,
    StartFailed,
    Supervisor,
    SupervisorStopping,
    TerminateChild,
    WhichChildren,
    WouldDeadlock,
    monitor,
    supervise_threading,
    wait_started,
)
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.errors import AlreadyStarted, ChildNotFound, ChildRestarting, SpecError
from supervisors.testing import ManualScheduler


class Kid(LightActor):
    """Starts after `start_after` seconds, ends `stop_after` seconds after it was asked; None: never."""

    def __init__(self, log: list[str], name: str, start_after: float | None = 0, stop_after: float | None = 0) -> None:
        super().__init__()
        self.log, self.name, self.start_after, self.stop_after = log, name, start_after, stop_after

    def on_start(self) -> Any:
        self.log.append(f"start {self.name}")
        if self.start_after == 0:
            return None
        if self.start_after is not None:
            self.call_later(self.start_after, self.started)
        return DEFERRED

    def on_receive(self, message: Any) -> None:
        if isinstance(message, BaseException):
            raise message
        message(self)

    def on_shutdown(self, reason: Any) -> None:
        self.log.append(f"asked {self.name}")
        if self.stop_after == 0:
            self.exit(reason)
        elif self.stop_after is not None:
            self.call_later(self.stop_after, self.exit, reason)

    def on_exit(self, reason: Any) -> None:
        self.log.append(f"{type(reason).__name__.lower()} {self.name}")


def kid(log: list[str], name: str, start: float | None = 0, stop: float | None = 0, **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda: Kid.start(log, name, start, stop), **options)


def launch(manual: ManualScheduler, children: list[ChildSpec], **options: Any) -> tuple[Any, list[Any], list[Any]]:
    ref = Supervisor.start(children, scheduler=manual, **options)
    outcomes: list[Any] = []
    reasons: list[Any] = []
    lifecycle_of(ref).start.listen(outcomes.append)  # type: ignore[union-attr]
    monitor(ref, lambda down: reasons.append(down.reason))
    manual.run_until_idle()
    return ref, outcomes, reasons


def children(manual: ManualScheduler, ref: Any) -> dict[Any, Any]:
    answers: list[Any] = []
    ref.tell(WhichChildren(answers.append))
    manual.run_until_idle()
    return {info.id: "restarting" if info.state == "restarting" else info.child for info in answers[0]}


def shut_down(manual: ManualScheduler, ref: Any) -> None:
    lifecycle_of(ref).ask_shutdown(Shutdown())  # type: ignore[union-attr]
    manual.run_until_idle()


def test_a_child_starts_when_the_one_before_it_has_started(manual: ManualScheduler) -> None:
    log: list[str] = []
    _, outcomes, _ = launch(manual, [kid(log, "a", start=1.0), kid(log, "b", start=1.0)])
    assert log == ["start a"]
    manual.advance(1.0)
    assert log == ["start a", "start b"]
    assert outcomes == []
    manual.advance(1.0)
    assert len(outcomes) == 1


def test_a_failed_start_stops_the_earlier_children_one_by_one(manual: ManualScheduler) -> None:
    log: list[str] = []
    error = ValueError("bad")

    def fail() -> Any:
        raise error

    specs = [kid(log, "a", stop=1.0), kid(log, "b", stop=1.0), ChildSpec("c", fail), kid(log, "d")]
    _, outcomes, _ = launch(manual, specs)
    assert log == ["start a", "start b", "asked b"]
    assert outcomes == []
    manual.advance(2.0)
    assert log[3:] == ["shutdown b", "asked a", "shutdown a"]
    (outcome,) = outcomes
    assert outcome.exception.child_id == "c"
    assert outcome.exception.cause is error


@pytest.mark.parametrize("answer", [None, 5, "ref"])
def test_a_start_function_that_returns_anything_else_failed(manual: ManualScheduler, answer: Any) -> None:
    _, outcomes, _ = launch(manual, [ChildSpec("a", lambda: answer)])
    assert "reference or IGNORE" in str(outcomes[0].exception)


def test_a_plain_pykka_actor_is_stopped_and_refused(manual: ManualScheduler) -> None:
    started: list[Any] = []

    def start() -> Any:
        started.append(pykka.ThreadingActor.start())
        return started[0]

    _, outcomes, _ = launch(manual, [ChildSpec("a", start)])
    assert "supervise_threading(ThreadingActor)" in str(outcomes[0].exception)
    assert started[0].actor_stopped.wait(10)


def test_a_supervisor_ends_though_a_child_is_still_starting(manual: ManualScheduler) -> None:
    log: list[str] = []
    ref, outcomes, reasons = launch(manual, [kid(log, "a"), kid(log, "b", start=None), kid(log, "c")])
    shut_down(manual, ref)
    assert log == ["start a", "start b", "asked b", "shutdown b", "asked a", "shutdown a"]
    assert outcomes == reasons == [Shutdown()]


def test_children_stop_one_by_one_in_reverse_order(manual: ManualScheduler) -> None:
    log: list[str] = []
    ref, _, reasons = launch(manual, [kid(log, "a", stop=1.0), kid(log, "b", stop=1.0)])
    shut_down(manual, ref)
    assert log[2:] == ["asked b"]
    manual.advance(1.0)
    assert log[2:] == ["asked b", "shutdown b", "asked a"]
    assert reasons == []
    manual.advance(1.0)
    assert reasons == [Shutdown()]


def test_a_child_that_does_not_end_is_killed_at_its_deadline(
    manual: ManualScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    ref, _, reasons = launch(manual, [kid(log, "a", stop=None, shutdown=2.0)])
    shut_down(manual, ref)
    manual.advance(1.9)
    assert log[-1] == "asked a"
    manual.advance(0.1)
    assert log[-1] == "killed a"
    assert reasons == [Shutdown()]
    assert "stop_problem" in caplog.text


def test_a_brutally_killed_child_is_not_asked(manual: ManualScheduler, caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []
    ref, _, _ = launch(manual, [kid(log, "a", shutdown="brutal_kill")])
    shut_down(manual, ref)
    assert log == ["start a", "killed a"]
    assert "stop_problem" not in caplog.text


@pytest.mark.fault(26)
def test_infinity_waits_for_ever(manual: ManualScheduler) -> None:
    log: list[str] = []
    ref, _, reasons = launch(manual, [kid(log, "a", stop=100_000.0, shutdown="infinity")])
    shut_down(manual, ref)
    manual.advance(99_999.0)
    assert reasons == []
    manual.advance(1.0)
    assert reasons == [Shutdown()]


@pytest.mark.fault(26)
def test_a_crash_during_the_stop_is_reported_and_not_fatal(
    manual: ManualScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    class Bad(Kid):
        def on_shutdown(self, reason: Any) -> None:
            raise ValueError("cannot stop")

    ref, _, reasons = launch(manual, [ChildSpec("a", lambda: Bad.start([], "a"))])
    shut_down(manual, ref)
    assert reasons == [Shutdown()]
    assert "stop_problem" in caplog.text


def test_a_supervisor_that_is_killed_takes_its_tree_with_it(manual: ManualScheduler) -> None:
    log: list[str] = []
    inner = ChildSpec("in", lambda: Supervisor.start([kid(log, "b"), kid(log, "c")]), type="supervisor")
    ref, _, reasons = launch(manual, [kid(log, "a"), inner])
    lifecycle_of(ref).kill()  # type: ignore[union-attr]
    manual.run_until_idle()
    assert reasons == [Killed()]
    assert sorted(log[3:]) == ["killed a", "killed b", "killed c"]


def test_a_budget_exceeded_below_is_one_restart_above(manual: ManualScheduler) -> None:
    log: list[str] = []

    def inner() -> Any:
        return Supervisor.start([kid(log, "a")], max_restarts=1)

    ref, _, _ = launch(manual, [ChildSpec("in", inner, type="supervisor")])
    for _ in range(2):
        inside = children(manual, ref)["in"]
        children(manual, inside)["a"].tell(ValueError("bad"))
        manual.run_until_idle()
    assert log.count("start a") == 3
    assert children(manual, ref)["in"] is not inside
    assert ref.is_alive()


def test_over_the_budget_the_reason_says_which_child_and_why(manual: ManualScheduler) -> None:
    ref, _, reasons = launch(manual, [kid([], "a")], max_restarts=0)
    error = ValueError("bad")
    children(manual, ref)["a"].tell(error)
    manual.run_until_idle()
    (reason,) = reasons
    assert isinstance(reason.term, RestartBudgetExceeded)
    assert (reason.term.child_id, reason.term.last_reason) == ("a", Crashed(error))


def test_auto_shutdown_escalates_by_significant_supervisors(manual: ManualScheduler) -> None:
    def inner() -> Any:
        worker = kid([], "w", restart="transient", significant=True)
        return Supervisor.start([worker], auto_shutdown="any_significant")

    spec = ChildSpec("in", inner, restart="transient", significant=True, type="supervisor")
    ref, _, reasons = launch(manual, [spec, kid([], "b")], auto_shutdown="all_significant")
    inside = children(manual, ref)["in"]
    children(manual, inside)["w"].tell(lambda actor: actor.exit(Normal()))
    manual.run_until_idle()
    assert reasons == [Shutdown()]


def test_it_answers_requests_while_it_waits_between_attempts(manual: ManualScheduler) -> None:
    starts = iter([None, ValueError(), ValueError(), None])

    class Flaky(LightActor):
        def on_start(self) -> Any:
            outcome = next(starts)
            if outcome is not None:
                raise outcome

        def on_receive(self, message: Any) -> None:
            raise message

    backoff = Backoff(base=1.0)
    ref, _, _ = launch(manual, [ChildSpec("a", Flaky.start)], restart_backoff=backoff)
    children(manual, ref)["a"].tell(ValueError("bad"))
    manual.run_until_idle()
    assert children(manual, ref)["a"] == "restarting"
    manual.advance(1.0)
    assert children(manual, ref)["a"] == "restarting"
    manual.advance(2.0)
    assert children(manual, ref)["a"].is_alive()


def test_the_first_restart_is_at_once_and_the_second_waits(manual: ManualScheduler) -> None:
    ref, _, _ = launch(manual, [kid([], "a")], restart_backoff=Backoff(base=1.0))
    for waits in (False, True):
        children(manual, ref)["a"].tell(ValueError("bad"))
        manual.run_until_idle()
        assert (children(manual, ref)["a"] == "restarting") is waits
    answers: list[Any] = []
    ref.tell(StartChild(kid([], "a"), answers.append))
    ref.tell(supervisors.RestartChild("a", answers.append))
    ref.tell(supervisors.DeleteChild("a", answers.append))
    manual.run_until_idle()
    assert [type(answer) for answer in answers] == [AlreadyStarted, ChildRestarting, ChildRestarting]
    manual.advance(1.0)
    assert children(manual, ref)["a"].is_alive()


def test_a_child_that_has_proved_itself_is_restarted_at_once(manual: ManualScheduler) -> None:
    ref, _, _ = launch(manual, [kid([], "a")], restart_backoff=Backoff(base=1.0))
    for _ in range(3):
        children(manual, ref)["a"].tell(lambda actor: actor.mark_healthy())
        children(manual, ref)["a"].tell(ValueError("bad"))
        manual.run_until_idle()
        assert children(manual, ref)["a"].is_alive()


def test_terminating_a_child_between_attempts_cancels_the_next(manual: ManualScheduler) -> None:
    log: list[str] = []
    ref, _, _ = launch(manual, [kid(log, "a")], restart_backoff=Backoff(base=1.0))
    for _ in range(2):
        children(manual, ref)["a"].tell(ValueError("bad"))
        manual.run_until_idle()
    ref.tell(TerminateChild("a"))
    manual.run_until_idle()
    assert manual.pending_timers == 0
    manual.advance(10.0)
    assert children(manual, ref) == {"a": None}
    assert log.count("start a") == 2


def test_requests_wait_for_a_slow_start_but_looks_do_not(manual: ManualScheduler) -> None:
    log: list[str] = []
    answers: list[Any] = []
    ref, _, _ = launch(manual, [kid(log, "a")])
    ref.tell(StartChild(kid(log, "b", start=1.0), answers.append))
    ref.tell(TerminateChild("a", answers.append))
    manual.run_until_idle()
    assert answers == []
    assert list(children(manual, ref)) == ["a", "b"]
    manual.advance(1.0)
    assert len(answers) == 2
    assert log == ["start a", "start b", "asked a", "shutdown a"]


def test_pending_requests_are_answered_at_the_supervisors_end(manual: ManualScheduler) -> None:
    answers: list[Any] = []
    ref, _, _ = launch(manual, [kid([], "a", stop=1.0)])
    ref.tell(StartChild(kid([], "b", start=None), answers.append))
    ref.tell(TerminateChild("a", answers.append))
    shut_down(manual, ref)
    ref.tell(TerminateChild("a", answers.append))
    manual.run_until_idle()
    assert [type(answer) for answer in answers] == [SupervisorStopping] * 3
    manual.advance(1.0)
    assert not ref.is_alive()


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
def test_a_bug_in_a_reply_function_harms_nobody(manual: ManualScheduler, kind: Any) -> None:
    def fail(answer: Any) -> None:
        raise SystemExit("reply")

    ref = kind.start(scheduler=manual)
    ref.tell(WhichChildren(fail))
    ref.tell(StartChild(kid([], "a"), fail))
    manual.run_until_idle()
    assert ref.is_alive()


def test_bad_options_are_refused_where_the_supervisor_is_made(manual: ManualScheduler) -> None:
    bad: list[tuple[Any, dict[str, Any]]] = [
        ([], {"strategy": "one_for_none"}),
        ([], {"auto_shutdown": "sometimes"}),
        ([], {"max_restarts": -1}),
        ([kid([], "a"), kid([], "a")], {}),
        ([kid([], "a", restart="transient", significant=True)], {}),
        (["a"], {}),
    ]
    for specs, options in bad:
        with pytest.raises((TypeError, ValueError)):
            Supervisor.start(specs, scheduler=manual, **options)


def test_threaded_children_are_supervised_like_light_ones(
    scheduler: Scheduler, eventually: Callable[..., None]
) -> None:
    class Plain(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> Any:
            if isinstance(message, BaseException):
                raise message
            return message

    class Daemon(DaemonActor):
        on_receive = Plain.on_receive

    specs = [ChildSpec("plain", supervise_threading(Plain).start), ChildSpec("daemon", Daemon.start)]
    ref = Supervisor.start(specs, scheduler=scheduler)
    assert wait_started(ref, 10)
    before = {info.id: info.child for info in supervisors.which_children(ref)}
    for child in before.values():
        child.tell(SystemExit("bad"))

    def restarted() -> bool:
        now = {info.id: info.child for info in supervisors.which_children(ref)}
        return all(isinstance(now[key], pykka.ActorRef) and now[key] is not before[key] for key in before)

    eventually(restarted)
    for info in supervisors.which_children(ref):
        assert info.child.ask("alive", timeout=10) == "alive"  # type: ignore[union-attr]
    assert supervisors.stop(ref, timeout=10)


@pytest.mark.fault(26)
def test_a_thread_that_does_not_end_is_abandoned_in_time(scheduler: Scheduler) -> None:
    inside, release = threading.Event(), threading.Event()

    class Stuck(DaemonActor):
        def on_receive(self, message: Any) -> None:
            inside.set()
            release.wait(10)

    ref = Supervisor.start([ChildSpec("a", Stuck.start, shutdown=0.05)], scheduler=scheduler)
    wait_started(ref, 10)
    supervisors.which_children(ref)[0].child.tell("block")  # type: ignore[union-attr]
    assert inside.wait(10)
    assert supervisors.stop(ref, timeout=10)
    assert len(supervisors.abandoned_threads()) == 1
    release.set()


def test_administration_from_another_thread(scheduler: Scheduler) -> None:
    log: list[str] = []
    ref = Supervisor.start([kid(log, "a")], scheduler=scheduler)
    wait_started(ref, 10)
    b = supervisors.start_child(ref, kid(log, "b"))
    assert b is not None
    with pytest.raises(AlreadyStarted) as caught:
        supervisors.start_child(ref, kid(log, "b"))
    assert caught.value.ref is b
    assert supervisors.start_child(ref, ChildSpec("c", lambda: IGNORE, restart="temporary")) is None
    with pytest.raises(StartFailed):
        supervisors.start_child(ref, ChildSpec("d", lambda: 5))  # type: ignore[arg-type,return-value]
    with pytest.raises(SpecError):
        supervisors.start_child(ref, kid(log, "e", restart="transient", significant=True))
    supervisors.terminate_child(ref, "b")
    supervisors.terminate_child(ref, "b")
    counted = supervisors.count_children(ref)
    assert (counted.specs, counted.active, counted.supervisors, counted.workers) == (2, 1, 0, 2)
    assert supervisors.restart_child(ref, "b") is not b
    supervisors.terminate_child(ref, "b")
    supervisors.delete_child(ref, "b")
    with pytest.raises(ChildNotFound):
        supervisors.delete_child(ref, "b")
    assert supervisors.stop(ref)
    with pytest.raises(pykka.ActorDeadError):
        supervisors.which_children(ref)


def test_a_request_to_a_supervisor_that_dies_unread_is_answered(scheduler: Scheduler) -> None:
    ref = Supervisor.start([kid([], "a", stop=None, shutdown="infinity")], scheduler=scheduler)
    wait_started(ref, 10)
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            supervisors.start_child(ref, kid([], "b", start=None), timeout=10)
        except (SupervisorStopping, pykka.ActorDeadError) as exc:
            failed.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    lifecycle_of(ref).kill()  # type: ignore[union-attr]
    thread.join(10)
    assert len(failed) == 1


def test_administration_on_the_scheduler_thread_would_deadlock(manual: ManualScheduler) -> None:
    ref, _, _ = launch(manual, [])
    attempts: list[Callable[[], Any]] = [
        lambda: supervisors.which_children(ref),
        lambda: supervisors.stop(ref),
        lambda: wait_started(ref),
        lambda: supervisors.tree(ref),
    ]
    with manual.active():
        for attempt in attempts:
            with pytest.raises(WouldDeadlock):
                attempt()


def test_a_wait_for_an_answer_ends_at_its_deadline(scheduler: Scheduler) -> None:
    ref = Supervisor.start([kid([], "a", start=None)], scheduler=scheduler)
    with pytest.raises(pykka.Timeout):
        wait_started(ref, 0.01)
    with pytest.raises(pykka.Timeout):
        supervisors.start_child(ref, kid([], "b"), timeout=0.01)
