from __future__ import annotations

import threading
from collections import deque
from typing import Any

import pykka
import pytest

from supervisors import (
    DEFERRED,
    IGNORE,
    Crashed,
    Down,
    Killed,
    LightActor,
    Normal,
    Scheduler,
    Shutdown,
    SupervisorError,
    WouldDeadlock,
    monitor,
)
from supervisors.actors.lifecycle import Ignored, Started, lifecycle_of
from supervisors.testing import ManualScheduler


class Probe(LightActor):
    def __init__(self, answer: Any = None) -> None:
        super().__init__()
        self.answer = answer
        self.calls: list[Any] = []

    def on_start(self) -> object:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def on_receive(self, message: Any) -> Any:
        self.calls.append(message)
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message(self)
        return message

    def on_stop(self) -> None:
        self.calls.append("on_stop")

    def on_failure(self, *info: Any) -> None:
        self.calls.append("on_failure")

    def on_exit(self, reason: Any) -> None:
        self.calls.append(reason)


def start(scheduler: Scheduler, answer: Any = None) -> tuple[Any, Any, list[Any], list[Any]]:
    """The reference, the actor, its start outcomes, its Downs."""
    ref = Probe.start(answer, scheduler=scheduler)
    outcomes: list[Any] = []
    downs: list[Any] = []
    lifecycle_of(ref).start.listen(outcomes.append)  # type: ignore[union-attr]
    monitor(ref, downs.append)
    return ref, ref._actor, outcomes, downs


def test_a_start_is_reported(manual: ManualScheduler) -> None:
    ref, _, outcomes, downs = start(manual)
    assert outcomes == []
    manual.run_until_idle()
    assert outcomes == [Started()]
    assert downs == []
    assert ref.is_alive()


def test_a_start_that_raises_has_failed_and_calls_only_on_exit(manual: ManualScheduler) -> None:
    error = ValueError("bad")
    ref, actor, outcomes, downs = start(manual, error)
    manual.run_until_idle()
    assert outcomes == [Crashed(error)]
    assert downs == [Down(ref, Crashed(error))]
    assert actor.calls == [Crashed(error)]


def test_a_start_that_answers_ignore_ends_at_once(manual: ManualScheduler) -> None:
    ref, actor, outcomes, downs = start(manual, IGNORE)
    manual.run_until_idle()
    assert outcomes == [Ignored()]
    assert downs == [Down(ref, Normal())]
    assert actor.calls == [Normal()]


def test_a_deferred_start_gets_messages_and_is_reported_later(manual: ManualScheduler) -> None:
    ref, actor, outcomes, _ = start(manual, DEFERRED)
    ref.tell("meanwhile")
    manual.run_until_idle()
    assert outcomes == []
    assert actor.calls == ["meanwhile"]
    ref.tell(lambda actor: actor.started())
    manual.run_until_idle()
    assert outcomes == [Started()]


def test_a_deferred_start_may_fail_later(manual: ManualScheduler) -> None:
    error = ValueError("bad")
    ref, _, outcomes, downs = start(manual, DEFERRED)
    ref.tell(lambda actor: actor.start_failed(error))
    manual.run_until_idle()
    assert outcomes == [Crashed(error)]
    assert downs == [Down(ref, Crashed(error))]


def test_an_exit_before_the_start_is_a_failed_start(manual: ManualScheduler) -> None:
    ref, _, outcomes, _ = start(manual, DEFERRED)
    ref.tell(lambda actor: actor.exit(Shutdown("changed my mind")))
    manual.run_until_idle()
    assert outcomes == [Shutdown("changed my mind")]


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1)])
def test_raising_under_tell_is_a_crash(manual: ManualScheduler, error: BaseException) -> None:
    ref, actor, _, downs = start(manual)
    ref.tell(error)
    ref.tell("never seen")
    manual.run_until_idle()
    assert downs == [Down(ref, Crashed(error))]
    assert actor.calls == [error, "on_failure", Crashed(error)]


def test_raising_under_ask_reaches_the_caller_only(scheduler: Scheduler) -> None:
    ref = Probe.start(scheduler=scheduler)
    with pytest.raises(ValueError, match="bad"):
        ref.ask(ValueError("bad"), timeout=10)
    assert ref.ask("alive", timeout=10) == "alive"


def test_a_system_exit_under_ask_is_a_crash_too(manual: ManualScheduler) -> None:
    ref, _, _, downs = start(manual)
    error = SystemExit(1)
    future = ref.ask(error, block=False)
    manual.run_until_idle()
    assert downs == [Down(ref, Crashed(error))]
    with pytest.raises(SystemExit):
        future.get(timeout=1)


def test_pykkas_stop_ends_it_after_earlier_messages(scheduler: Scheduler) -> None:
    ref = Probe.start(scheduler=scheduler)
    actor: Any = ref._actor
    ref.tell("before")
    assert ref.stop(timeout=10) is True
    assert ref.stop(timeout=10) is False
    assert actor.calls == ["before", "on_stop", Normal()]


def test_an_actor_may_stop_itself_as_in_pykka(manual: ManualScheduler) -> None:
    ref, _, _, downs = start(manual)
    ref.tell(lambda actor: actor.stop())
    manual.run_until_idle()
    assert downs == [Down(ref, Normal())]


def test_a_proxy_works_as_in_pykka(scheduler: Scheduler) -> None:
    class Greeter(LightActor):
        name = "you"

        def greet(self, greeting: str) -> str:
            return f"{greeting}, {self.name}"

    proxy: Any = Greeter.start(scheduler=scheduler).proxy()
    assert proxy.greet("Hello").get(timeout=10) == "Hello, you"
    proxy.name = "all"
    assert proxy.name.get(timeout=10) == "all"
    proxy.greet.defer("Hello")
    assert proxy.greet("Bye").get(timeout=10) == "Bye, all"


def test_exit_in_a_handler_is_at_once_and_only_the_first_counts(manual: ManualScheduler) -> None:
    def leave(actor: Any) -> None:
        actor.exit(Shutdown("first"))
        actor.exit(Normal())
        raise ValueError("after the end: logged")

    ref, actor, _, downs = start(manual)
    ref.tell(leave)
    manual.run_until_idle()
    assert downs == [Down(ref, Shutdown("first"))]
    assert actor.calls[1:] == ["on_stop", Shutdown("first")]
    assert actor.exit_reason == Shutdown("first")


def test_a_killed_actor_releases_its_resources_unasked(manual: ManualScheduler) -> None:
    ref, actor, _, downs = start(manual)
    manual.run_until_idle()
    lifecycle_of(ref).kill()  # type: ignore[union-attr]
    manual.run_until_idle()
    assert downs == [Down(ref, Killed())]
    assert actor.calls == [Killed()]


def test_a_shutdown_may_be_finished_later(manual: ManualScheduler) -> None:
    class Slow(Probe):
        def on_shutdown(self, reason: Any) -> None:
            self.call_later(1.0, self.exit, reason)

    ref = Slow.start(scheduler=manual)
    lifecycle_of(ref).ask_shutdown(Shutdown("please"))  # type: ignore[union-attr]
    manual.run_until_idle()
    assert ref.is_alive()
    manual.advance(1.0)
    assert not ref.is_alive()


def test_a_failing_on_exit_still_tells_the_monitors(manual: ManualScheduler) -> None:
    class Broken(Probe):
        def on_exit(self, reason: Any) -> None:
            raise SystemExit("broken")

    ref = Broken.start(scheduler=manual)
    downs: list[Down] = []
    monitor(ref, downs.append)
    ref.tell(lambda actor: actor.exit(Normal()))
    manual.run_until_idle()
    assert downs == [Down(ref, Normal())]


def test_a_monitoring_actor_gets_one_down_for_each_monitor(manual: ManualScheduler) -> None:
    watched = Probe.start(scheduler=manual)
    watcher = Probe.start(scheduler=manual)._actor
    assert watcher is not None
    monitor(watched, watcher)
    monitor(watched, watcher)
    manual.run_until_idle()
    watched.tell(lambda actor: actor.exit(Normal()))
    manual.run_until_idle()
    monitor(watched, watcher)  # dead already
    manual.run_until_idle()
    assert watcher.calls == [Down(watched, Normal())] * 3


def test_a_cancelled_monitor_drops_a_down_on_its_way(manual: ManualScheduler) -> None:
    watched = Probe.start(scheduler=manual)
    watcher = Probe.start(scheduler=manual)._actor
    assert watcher is not None
    heard: list[Down] = []
    monitors = [monitor(watched, watcher), monitor(watched, heard.append), monitor(watched, watcher)]
    manual.run_until_idle()
    monitors[0].cancel()
    assert watched._actor is not None
    watched._actor.exit(Normal())
    monitors[1].cancel()
    monitors[2].cancel()
    manual.run_until_idle()
    assert watcher.calls == []
    assert heard == []


def test_monitors_set_while_the_actor_ends_hear_exactly_once(scheduler: Scheduler) -> None:
    for _ in range(50):
        ref = Probe.start(scheduler=scheduler)
        heard: list[Down] = []
        seen = threading.Semaphore(0)

        def hear(down: Down, heard: list[Down] = heard, seen: threading.Semaphore = seen) -> None:
            heard.append(down)
            seen.release()

        ref.tell(lambda actor: actor.exit(Normal()))
        for _ in range(20):
            monitor(ref, hear)
        for _ in range(20):
            assert seen.acquire(timeout=10)
        assert len(heard) == 20


@pytest.mark.fault(24)
def test_a_monitor_is_called_though_the_scheduler_ends() -> None:
    scheduler = Scheduler("ends")
    scheduler.start()
    ref = Probe.start(scheduler=scheduler)
    heard: list[Down] = []
    ended = threading.Event()
    monitor(ref, lambda down: ended.set())
    ref.tell(lambda actor: actor.exit(Normal()))
    assert ended.wait(10)

    class TooLate(deque[Any]):
        """Its first entry comes behind the scheduler's last look."""

        def append(self, entry: Any) -> None:
            assert scheduler.stop(10)
            super().append(entry)

    scheduler._ready = TooLate()
    monitor(ref, heard.append)
    assert [down.reason for down in heard] == [Normal()]


@pytest.mark.fault(24)
def test_all_monitors_are_called_though_one_stops_the_scheduler() -> None:
    scheduler = Scheduler("ends")
    scheduler.start()
    ref = Probe.start(scheduler=scheduler)
    heard: list[int] = []
    stop = threading.Event()

    def first(down: Down) -> None:
        heard.append(1)
        stop.set()
        while not scheduler.stopped:  # its last turn is this one
            pass

    monitor(ref, first)
    for number in (2, 3):
        monitor(ref, lambda down, number=number: heard.append(number))
    ref.tell(lambda actor: actor.exit(Normal()))
    assert stop.wait(10)
    assert scheduler.stop(10)
    assert heard == [1, 2, 3]


def test_a_plain_pykka_actor_cannot_be_monitored() -> None:
    ref = pykka.ThreadingActor.start()
    try:
        with pytest.raises(TypeError, match="supervise_threading"):
            monitor(ref, print)
    finally:
        ref.stop()


def test_a_blocking_ask_on_the_scheduler_would_deadlock(scheduler: Scheduler) -> None:
    other = Probe.start(scheduler=scheduler)

    def wait(actor: Any) -> list[str]:
        caught = []
        for attempt in (
            lambda: other.ask("x"),
            lambda: other.ask("x", block=False).get(timeout=1),
            other.stop,
            lambda: other.stop(block=False).get(),
        ):
            try:
                attempt()
            except WouldDeadlock as exc:
                caught.append(type(exc).__name__)
        return caught

    assert Probe.start(scheduler=scheduler).ask(wait, timeout=10) == ["WouldDeadlock"] * 4


def test_light_actors_stay_out_of_pykkas_registry(manual: ManualScheduler) -> None:
    ref = Probe.start(scheduler=manual)
    assert ref not in pykka.ActorRegistry.get_all()


def test_an_actor_needs_a_scheduler(manual: ManualScheduler) -> None:
    with pytest.raises(SupervisorError, match="scheduler="):
        Probe.start()
    with pytest.raises(SupervisorError, match=r"Probe\.start"):
        Probe()
    with manual.active():
        assert Probe.start().is_alive()


def test_every_exit_is_one_log_record_and_one_event(manual: ManualScheduler, caplog: pytest.LogCaptureFixture) -> None:
    events: list[Any] = []
    manual.on_event = lambda name, data: events.append((name, data["actor"], data["reason"]))
    ref = Probe.start(scheduler=manual)
    error = ValueError("bad")
    ref.tell(error)
    manual.run_until_idle()
    assert events == [("exit", "Probe", Crashed(error))]
    records = [record for record in caplog.records if record.name == "supervisors"]
    assert [record.event for record in records] == ["exit"]  # type: ignore[attr-defined]
    assert records[0].exc_info is not None
    assert records[0].exc_info[1] is error


def test_a_failing_event_hook_harms_nobody(manual: ManualScheduler) -> None:
    def fail(name: str, data: dict[str, Any]) -> None:
        raise SystemExit("hook")

    manual.on_event = fail
    ref, _, _, downs = start(manual)
    ref.tell(lambda actor: actor.exit(Normal()))
    manual.run_until_idle()
    assert downs == [Down(ref, Normal())]
