"""`run`: a tree as a program, until its root ends or a signal asks it to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
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
    Supervisor,
    WouldDeadlock,
    run,
)
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
