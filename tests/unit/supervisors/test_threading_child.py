from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope

from supervisors import (
    DEFERRED,
    IGNORE,
    Crashed,
    DaemonActor,
    Killed,
    Normal,
    Scheduler,
    Shutdown,
    WouldDeadlock,
    abandoned_threads,
    monitor,
    supervise_threading,
    wait_started,
)
from supervisors.actors.futures import GuardedFuture
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.actors.thread_loop import Inbox
from supervisors.errors import StartFailed


class Plain(pykka.ThreadingActor):
    """A user's actor."""

    def __init__(self, calls: list[Any], fail: BaseException | None = None) -> None:
        super().__init__()
        self.calls, self.fail = calls, fail

    def on_start(self) -> None:
        if self.fail is not None:
            raise self.fail

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


class Daemon(DaemonActor):
    def __init__(self, calls: list[Any], answer: Any = None) -> None:
        super().__init__()
        self.calls, self.answer = calls, answer

    def on_start(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    on_receive = Plain.on_receive
    on_stop = Plain.on_stop
    on_failure = Plain.on_failure

    def on_exit(self, reason: Any) -> None:
        self.calls.append(reason)


BOTH = pytest.mark.parametrize("cls", [supervise_threading(Plain), Daemon])


def watch(ref: Any) -> Callable[[], Any]:
    """A function that waits for the end and returns its reason."""
    reasons: list[Any] = []
    ended = threading.Event()

    def down(down: Any) -> None:
        reasons.append(down.reason)
        ended.set()

    monitor(ref, down)

    def wait() -> Any:
        assert ended.wait(10)
        assert len(reasons) == 1
        return reasons[0]

    return wait


def finished(ref: Any) -> None:
    """Its thread has run its last line of the actor."""
    assert lifecycle_of(ref).ended.wait(10)  # type: ignore[union-attr]


def test_the_generated_class_looks_like_the_users() -> None:
    made = supervise_threading(Plain)
    assert (made.__name__, made.__qualname__, made.__module__) == ("Plain", "Plain", __name__)
    assert issubclass(made, Plain)
    assert supervise_threading(Plain) is made
    assert supervise_threading(made) is made
    assert supervise_threading(Daemon) is Daemon


def test_a_subclass_gets_a_generated_class_of_its_own() -> None:
    class Child(Plain):
        pass

    assert issubclass(supervise_threading(Child), Child)


def test_only_threading_actors_are_taken() -> None:
    with pytest.raises(TypeError, match="ThreadingActor"):
        supervise_threading(int)  # type: ignore[type-var]


@BOTH
def test_it_works_as_in_pykka(cls: Any) -> None:
    calls: list[Any] = []
    ref = cls.start(calls)
    assert wait_started(ref, 10)
    ended = watch(ref)
    ref.tell("told")
    assert ref.ask("asked", timeout=10) == "asked"
    assert ref.proxy().calls.get(timeout=10) == ["told", "asked"]
    with pytest.raises(ValueError, match="bad"):
        ref.ask(ValueError("bad"), timeout=10)
    assert ref.stop(timeout=10)
    assert ended() == Normal()
    finished(ref)
    assert "on_stop" in calls


@BOTH
@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1), KeyboardInterrupt()])
def test_an_exception_is_a_crash_of_this_actor_only(cls: Any, error: BaseException) -> None:
    calls: list[Any] = []
    other = supervise_threading(Plain).start([])
    ref = cls.start(calls)
    ended = watch(ref)
    ref.tell(error)
    assert ended() == Crashed(error)
    finished(ref)
    assert calls[:2] == [error, "on_failure"]
    assert not ref.is_alive()
    assert other.ask("alive", timeout=10) == "alive"
    other.stop()


@BOTH
def test_a_system_exit_under_ask_reaches_the_caller_too(cls: Any) -> None:
    ref = cls.start([])
    ended = watch(ref)
    error = SystemExit(1)
    with pytest.raises(SystemExit):
        ref.ask(error, timeout=10)
    assert ended() == Crashed(error)


@BOTH
@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1)])
def test_a_failed_start_is_reported(cls: Any, error: BaseException) -> None:
    ref = cls.start([], error)
    with pytest.raises(StartFailed) as caught:
        wait_started(ref, 10)
    assert caught.value.cause is error
    assert watch(ref)() == Crashed(error)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("x", timeout=10)


@BOTH
def test_asked_by_its_supervisor_it_ends_with_that_reason(cls: Any) -> None:
    calls: list[Any] = []
    ref = cls.start(calls)
    ended = watch(ref)
    ref.tell("before")
    lifecycle_of(ref).ask_shutdown(Shutdown("please"))  # type: ignore[union-attr]
    assert ended() == Shutdown("please")
    assert calls[:2] == ["before", "on_stop"]


@BOTH
def test_a_killed_actor_is_dead_while_its_thread_still_runs(cls: Any) -> None:
    inside, release = threading.Event(), threading.Event()

    def block(actor: Any) -> None:
        inside.set()
        release.wait(10)

    calls: list[Any] = []
    ref = cls.start(calls)
    ended = watch(ref)
    ref.tell(block)
    assert inside.wait(10)
    future = ref.ask("unread", block=False)
    lifecycle_of(ref).kill()  # type: ignore[union-attr]
    assert ended() == Killed()
    assert not ref.is_alive()
    assert len(abandoned_threads()) == 1
    release.set()
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=10)
    finished(ref)
    assert calls[1:] in ([], [Killed()])  # on_exit, in its own thread; no other hook


@BOTH
def test_no_future_stays_unresolved_when_ask_races_with_stop(cls: Any) -> None:
    for _ in range(30):
        ref = cls.start([])
        futures: list[Any] = []
        begin = threading.Event()

        def ask(ref: Any = ref, futures: list[Any] = futures, begin: threading.Event = begin) -> None:
            begin.wait()
            futures.extend(ref.ask(number, block=False) for number in range(100))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        begin.set()
        ref.stop(block=False)
        for thread in threads:
            thread.join()
        for future in futures:
            try:
                future.get(timeout=5)
            except pykka.ActorDeadError:
                pass


def test_an_inbox_answers_what_comes_after_its_last_look() -> None:
    inbox = Inbox()
    inbox.closed = True
    future: Any = GuardedFuture()
    inbox.put(Envelope("late", reply_to=future))
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=5)


@BOTH
def test_an_error_in_on_stop_is_a_crash_of_the_actor(cls: Any) -> None:
    error = SystemExit("in on_stop")

    class Bad(cls):  # type: ignore[misc]
        def on_stop(self) -> None:
            raise error

    ref = supervise_threading(Bad).start([])
    ended = watch(ref)
    assert ref.stop(timeout=10)
    assert ended() == Crashed(error)


def test_only_plain_actors_are_in_pykkas_registry() -> None:
    plain, daemon = supervise_threading(Plain).start([]), Daemon.start([])
    assert plain in pykka.ActorRegistry.get_all()
    assert daemon not in pykka.ActorRegistry.get_all()
    plain.stop()
    daemon.stop()
    assert plain not in pykka.ActorRegistry.get_all()


def test_a_users_attributes_do_not_collide_with_ours() -> None:
    class Greedy(pykka.ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            self._life = self._inbox = self._log = self._finish = self.scheduler = self.started = 1

        def on_exit(self, one: int, two: int) -> None:
            raise AssertionError("not ours to call")

        receive_timeout = 5

    ref = supervise_threading(Greedy).start()
    ended = watch(ref)
    ref.stop()
    assert ended() == Normal()


def test_a_daemon_actor_may_answer_ignore() -> None:
    calls: list[Any] = []
    ref = Daemon.start(calls, IGNORE)
    assert wait_started(ref, 10) is False
    assert watch(ref)() == Normal()
    finished(ref)
    assert calls == [Normal()]


def test_a_daemon_actor_may_defer_its_start() -> None:
    ref = Daemon.start([], DEFERRED)
    with pytest.raises(pykka.Timeout):
        wait_started(ref, 0.01)
    ref.tell(lambda actor: actor.started())
    assert wait_started(ref, 10)
    ref.stop()
    failing = Daemon.start([], DEFERRED)
    failing.tell(lambda actor: actor.start_failed(ValueError("late")))
    with pytest.raises(StartFailed, match="late"):
        wait_started(failing, 10)


def test_a_daemon_actor_exits_without_reading_on() -> None:
    calls: list[Any] = []
    go = threading.Event()
    ref = Daemon.start(calls)
    ended = watch(ref)
    ref.tell(lambda actor: go.wait(10))
    ref.tell(lambda actor: actor.exit(Shutdown("enough")))
    ref.tell("unread")
    go.set()
    assert ended() == Shutdown("enough")
    finished(ref)
    assert calls[2:] == [Shutdown("enough")]
    ref.tell("dropped")


def test_a_daemon_actor_is_told_when_its_inbox_stays_empty() -> None:
    done = threading.Event()

    class Waiting(DaemonActor):
        waits = iter([0.01, -1.0, 0.01])

        def receive_timeout(self) -> float | None:
            return next(self.waits, None)

        def on_timeout(self) -> None:
            self.count = getattr(self, "count", 0) + 1
            if self.count == 3:
                done.set()

    ref = Waiting.start()
    assert done.wait(10)
    ref.stop()


def test_asking_a_daemon_actor_on_a_scheduler_would_deadlock(scheduler: Scheduler) -> None:
    ref = Daemon.start([])
    caught: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        for attempt in (lambda: ref.ask("x"), lambda: ref.ask("x", block=False).get()):
            try:
                attempt()
            except WouldDeadlock as exc:
                caught.append(exc)
        done.set()

    scheduler.post(ask)
    assert done.wait(10)
    assert len(caught) == 2
    ref.stop()


@BOTH
def test_no_thread_left_is_a_failed_start(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    registered = len(pykka.ActorRegistry.get_all())
    with pytest.raises(RuntimeError, match="new thread"):
        cls.start([])
    assert len(pykka.ActorRegistry.get_all()) == registered
