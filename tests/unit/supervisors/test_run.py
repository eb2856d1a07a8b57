"""`run`: a tree as a program, until its root ends or a signal asks it to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
    AlreadyRegistered,
    ChildSpec,
    Crashed,
    DaemonActor,
    Killed,
    LightActor,
    Normal,
    Scheduler,
    SchedulerStopped,
    Shutdown,
    StartFailed,
    StartTimeout,
    Supervisor,
    WouldDeadlock,
    run,
)
from supervisors.runtime.signal_queue import SignalQueue
from supervisors.supervision.run import _Watch
from supervisors.supervision.start_call import StartCall
from supervisors.testing import ManualScheduler

USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


class Once(LightActor):
    """Works in `on_start`, and ends after it if it has a reason."""

    def __init__(self, work: Any = None, reason: Any = None) -> None:
        super().__init__()
        self.work, self.reason = work, reason

    def on_start(self) -> None:
        if self.work is not None:
            self.work()
        if self.reason is not None:
            self.call_later(0, self.exit, self.reason)


class Stubborn(LightActor):
    """Does not end when it is asked, but signals that it was."""

    def __init__(self, asked: Any) -> None:
        super().__init__()
        self.asked = asked

    def on_start(self) -> None:
        send(USR1)

    def on_shutdown(self, reason: Any) -> None:
        self.asked(reason)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def schedulers() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("supervisors")}


def test_run_returns_the_roots_reason() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run(lambda: Once.start(reason=Shutdown("done"))) == Shutdown("done")
    assert signal.getsignal(signal.SIGTERM) is before
    assert schedulers() == set()


def test_run_starts_child_specs_and_files(tmp_path: Path) -> None:
    assert run(ChildSpec("root", lambda: Once.start(reason=Normal()))) == Normal()
    path = tmp_path / "tree.yaml"
    path.write_text(f"name: root\nchildren:\n  - {{kind: actor, id: sender, class: {__name__}:Sender}}\n")
    assert run(supervisors.load(path), signals=[USR1]) == Shutdown(USR1)


class Sender(LightActor):
    def on_start(self) -> None:
        send(USR1)


def test_a_signal_ends_the_root_in_good_order() -> None:
    order: list[Any] = []

    class Kid(LightActor):
        def on_exit(self, reason: Any) -> None:
            order.append(reason)

    children = [ChildSpec("kid", Kid.start), ChildSpec("sender", lambda: Once.start(lambda: send(USR1)))]
    assert run(lambda: Supervisor.start(children), signals=[USR1, USR2]) == Shutdown(USR1)
    assert order == [Shutdown(USR1)]


def test_a_second_signal_kills_the_root() -> None:
    assert run(lambda: Stubborn.start(lambda reason: send(USR2)), signals=[USR1, USR2]) == Killed()


def test_a_root_that_takes_too_long_is_killed() -> None:
    asked: list[Any] = []
    start = lambda: Stubborn.start(asked.append)  # noqa: E731
    assert run(start, signals=[USR1], stop_timeout=0.01) == Killed()
    assert run(ChildSpec("root", start, shutdown=0.01), signals=[USR1]) == Killed()
    assert asked == [Shutdown(USR1)] * 2


def test_a_root_stuck_in_its_code_is_left_behind() -> None:
    gate = threading.Event()

    class Stuck(LightActor):
        def on_start(self) -> None:
            send(USR1)
            send(USR1)

        def on_shutdown(self, reason: Any) -> None:
            gate.wait(30)

    scheduler = Scheduler("stuck")
    scheduler.start()
    try:
        assert run(Stuck.start, scheduler=scheduler, signals=[USR1], stop_timeout=0.01) == Killed()
    finally:
        gate.set()
        assert scheduler.stop(30)


class AtSignals:
    """Sets an event when `run` has taken its n-th signal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = [threading.Event(), threading.Event()]
        left = list(self.taken)
        take = _Watch._signalled

        def signalled(watch: _Watch, number: signal.Signals) -> None:
            take(watch, number)
            left.pop(0).set()

        monkeypatch.setattr(_Watch, "_signalled", signalled)
        monkeypatch.setattr("supervisors.supervision.run.KILL_GRACE", 0.01)

    def send(self, *numbers: int) -> None:
        """Send signals, from the start function, and wait until each was taken."""
        for number, taken in zip(numbers, self.taken, strict=False):
            send(number)
            assert taken.wait(30)


class Ends(LightActor):
    """Keeps its reason for ending."""

    def __init__(self, ended: list[Any], known: threading.Event | None = None) -> None:
        super().__init__()
        self.ended, self.known = ended, known

    def on_exit(self, reason: Any) -> None:
        self.ended.append(reason)
        if self.known is not None:
            self.known.set()


def test_a_signal_before_the_root_is_known_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AtSignals(monkeypatch)
    ended: list[Any] = []

    def start() -> Any:
        at.send(USR1)
        return Ends.start(ended)

    assert run(start, signals=[USR1]) == Shutdown(USR1)
    assert ended == [Shutdown(USR1)]


def test_a_start_function_that_fails_after_a_signal_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AtSignals(monkeypatch)
    error = OSError("interrupted")

    def start() -> Any:
        at.send(USR1)
        raise error

    assert run(start, signals=[USR1]) == Crashed(error)


@pytest.mark.parametrize(("numbers", "limit"), [([USR1, USR2], None), ([USR1], 0.01)], ids=["two signals", "a limit"])
def test_a_start_function_that_hangs_is_left_behind(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, numbers: list[int], limit: float | None
) -> None:
    at, gate, known = AtSignals(monkeypatch), threading.Event(), threading.Event()
    ended: list[Any] = []

    def start() -> Any:
        at.send(*numbers)
        assert gate.wait(30)
        return Ends.start(ended, known)

    try:
        assert run(start, scheduler=scheduler, signals=numbers, stop_timeout=limit) == Killed()
    finally:
        gate.set()
    assert known.wait(30)
    assert ended == [Killed()]


def test_a_root_that_starts_after_two_signals_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AtSignals(monkeypatch)
    monkeypatch.setattr("supervisors.supervision.run.KILL_GRACE", 30)
    ended: list[Any] = []

    def start() -> Any:
        at.send(USR1, USR2)
        return Ends.start(ended)

    assert run(start, signals=[USR1, USR2]) == Killed()
    assert ended == [Killed()]


@pytest.mark.parametrize("late", [True, False])
def test_what_an_abandoned_call_returns_is_ended(manual: ManualScheduler, late: bool) -> None:
    stopped = threading.Event()

    class Plain(pykka.ThreadingActor):
        def on_stop(self) -> None:
            stopped.set()

    ended: list[Any] = []
    for start in (lambda: Ends.start(ended), Plain.start, lambda: IGNORE):
        call = StartCall(start, None)
        with manual.active():
            if late:
                call.abandon()
            call.make(manual.registry)
            if not late:
                call.abandon()
    manual.run_until_idle()
    assert ended == [Killed()]
    assert stopped.wait(30)


class Never(LightActor):
    """Does not come to the end of its start."""

    def on_start(self) -> Any:
        return DEFERRED


def test_a_root_that_exceeds_its_start_timeout_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartFailed, match=r"'root' has not started within its start_timeout of 0\.01 s") as caught:
        run(ChildSpec("root", Never.start, start_timeout=0.01))
    assert caught.value.child_id == "root"
    assert isinstance(caught.value.cause, StartTimeout)
    gate = threading.Event()

    class Hangs(LightActor):
        def on_start(self) -> None:
            assert gate.wait(30)

    monkeypatch.setattr("supervisors.supervision.run.KILL_GRACE", 0.01)
    try:
        with pytest.raises(StartFailed, match="start_timeout"):
            run(ChildSpec("root", Hangs.start, start_timeout=0.01))
    finally:
        gate.set()


def test_a_root_that_starts_in_time_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []
    get = SignalQueue.get

    def noted(queue: Any, timeout: float | None) -> Any:
        event = get(queue, timeout)
        if timeout is not None:
            limits.append(timeout)
        elif limits:  # the wait after that for the start
            started.set()
        return event

    monkeypatch.setattr(SignalQueue, "get", noted)
    started = threading.Event()
    assert run(ChildSpec("root", lambda: Once.start(reason=Normal()), start_timeout=30)) == Normal()
    assert limits
    assert started.is_set()
    assert run(ChildSpec("root", lambda: Once.start(lambda: send(USR1)), start_timeout=30), signals=[USR1]) == (
        Shutdown(USR1)
    )


def test_the_name_of_the_roots_spec_leads_to_it_while_it_runs(scheduler: Scheduler) -> None:
    found: list[Any] = []
    registry = scheduler.registry

    class Root(LightActor):
        def on_start(self) -> None:
            found.append(registry.whereis("me"))
            self.call_later(0, self.look)

        def look(self) -> None:
            found.append(registry.whereis("me") is self.actor_ref)
            with pytest.raises(AlreadyRegistered, match=r"child 'root' of run\(\)"):
                registry.claim("me", "another")
            self.exit(Normal())

    assert run(ChildSpec("root", Root.start, register="me"), scheduler=scheduler) == Normal()
    assert found == [None, True]
    registry.claim("me", "another").release()


def test_the_name_of_a_root_that_does_not_run_is_free(scheduler: Scheduler) -> None:
    def fail() -> Any:
        raise ValueError("no port")

    assert run(ChildSpec("root", lambda: IGNORE, register="me"), scheduler=scheduler) == Normal()
    with pytest.raises(StartFailed, match="no port"):
        run(ChildSpec("root", fail, register="me"), scheduler=scheduler)
    claim = scheduler.registry.claim("me", "another")
    with pytest.raises(StartFailed) as caught:
        run(ChildSpec("root", Never.start, register="me"), scheduler=scheduler)
    assert isinstance(caught.value.cause, AlreadyRegistered)
    claim.release()


def test_a_plain_pykka_actor_is_refused_and_stopped() -> None:
    class Plain(pykka.ThreadingActor):
        def on_stop(self) -> None:
            stopped.set()

    stopped = threading.Event()
    with pytest.raises(TypeError, match=r"start it from supervise_threading\(Plain\)"):
        run(Plain.start)
    assert stopped.wait(30)


def test_a_failed_start_is_raised_with_its_cause() -> None:
    def fail() -> Any:
        raise ValueError("no port")

    with pytest.raises(StartFailed) as caught:
        run(lambda: Supervisor.start([ChildSpec("web", fail)]))
    assert caught.value.child_id == "web"
    assert str(caught.value.cause) == "no port"
    with pytest.raises(StartFailed, match="no port"):
        run(fail)
    assert schedulers() == set()


def test_a_signal_during_the_start_ends_it() -> None:
    class Starting(LightActor):
        def on_start(self) -> Any:
            send(USR1)
            return DEFERRED

    children = [ChildSpec("starting", Starting.start)]
    assert run(lambda: Supervisor.start(children), signals=[USR1]) == Shutdown(USR1)


def test_a_root_that_ignores_is_normal() -> None:
    assert run(lambda: IGNORE) == Normal()
    assert run(lambda: Once.start(reason=Normal())) == Normal()


def test_run_takes_an_actor_that_runs_already() -> None:
    class Ends(DaemonActor):
        def on_receive(self, message: Any) -> None:
            raise message

    ref = Ends.start()
    error = ValueError("bad")
    ref.tell(error)
    assert run(ref) == Crashed(error)


def test_run_uses_a_given_scheduler(scheduler: Scheduler) -> None:
    assert run(lambda: Once.start(reason=Normal()), scheduler=scheduler) == Normal()
    assert not scheduler.stopped
    unstarted = Scheduler("unstarted")
    with pytest.raises(ValueError, match="scheduler 'unstarted' does not run: call its start"):
        run(lambda: Once.start(reason=Normal()), scheduler=unstarted)
    unstarted.stop()
    stopped = Scheduler("stopped")
    stopped.stop()
    with pytest.raises(SchedulerStopped):
        run(lambda: Once.start(reason=Normal()), scheduler=stopped)


def test_run_in_another_thread_takes_no_signals() -> None:
    results: list[Any] = []

    def target() -> None:
        for options in ({}, {"signals": ()}):
            try:
                results.append(run(lambda: Once.start(reason=Normal()), **options))
            except ValueError as error:
                results.append(str(error))

    thread = threading.Thread(target=target)
    thread.start()
    thread.join(30)
    assert results == ["only the main thread handles signals: call run() there, or with signals=()", Normal()]


@pytest.mark.parametrize("root", [None, "tree.yaml", 5])
def test_run_refuses_what_it_cannot_start(root: Any) -> None:
    with pytest.raises(TypeError, match="run takes a start function, a ChildSpec, a SupervisorSpec or a reference"):
        run(root)


def test_run_refuses_what_is_not_a_reference() -> None:
    with pytest.raises(TypeError, match="the start function must return a reference or IGNORE, not None"):
        run(lambda: None)  # type: ignore[arg-type, return-value]


def test_run_on_a_schedulers_thread_would_deadlock(manual: ManualScheduler) -> None:
    with manual.active(), pytest.raises(WouldDeadlock):
        run(lambda: Once.start(reason=Normal()))


SCRIPT = """
import sys
from supervisors import ChildSpec, DaemonActor, LightActor, Supervisor, run

class Worker(DaemonActor):
    def on_start(self):
        print("ready", flush=True)
    def on_exit(self, reason):
        print("ended with", reason.term.name, flush=True)

reason = run(lambda: Supervisor.start([ChildSpec("worker", Worker.start)]))
sys.exit(reason.term)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_script_ends_at_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"ended with {number.name}\n"
        assert process.wait(30) == number
