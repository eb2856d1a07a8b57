from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from typing import Any

import pykka
import pytest

from supervisors import LightActor, Scheduler, WouldDeadlock
from supervisors.actors.light_actor import monitor
from supervisors.errors import SchedulerStopped
from supervisors.exits import Crashed, Shutdown
from supervisors.testing import ManualScheduler


class Recorder(LightActor):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.exits: list[Any] = []

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        self.seen.append(message)
        return message

    def on_exit(self, reason: Any) -> None:
        self.exits.append(reason)


def actor_of(ref: Any) -> Any:
    return ref._actor_weakref()


def test_messages_arrive_in_order_from_one_sender(scheduler: Scheduler) -> None:
    ref = Recorder.start(scheduler=scheduler)
    for number in range(1000):
        ref.tell(number)
    assert ref.ask("last", timeout=10) == "last"
    assert actor_of(ref).seen == [*range(1000), "last"]


def test_no_message_is_lost_when_many_threads_wake_it(scheduler: Scheduler) -> None:
    class Counter(LightActor):
        count = 0

        def on_receive(self, message: Any) -> Any:
            self.count += 1
            if self.count == 8000:
                done.set()

    done = threading.Event()
    ref = Counter.start(scheduler=scheduler)

    def send() -> None:
        for number in range(1000):
            ref.tell(number)
            if number % 50 == 0:
                time.sleep(0.0005)  # lets the scheduler fall asleep

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done.wait(10)


@pytest.mark.parametrize(
    ("timeout", "error"), [("x", TypeError), (Shutdown(), TypeError), (-1, ValueError), (float("nan"), ValueError)]
)
def test_a_wrong_limit_of_a_stop_stops_nothing(scheduler: Scheduler, timeout: Any, error: type[Exception]) -> None:
    ref = Recorder.start(scheduler=scheduler)
    with pytest.raises(error, match="timeout must be"):
        scheduler.stop(timeout)
    assert ref.ask("still there", timeout=10) == "still there"


def test_timers_run_in_order_of_their_deadlines(manual: ManualScheduler) -> None:
    ran: list[str] = []
    manual.call_later(2.0, ran.append, "c")
    manual.call_later(1.0, ran.append, "a")
    manual.call_later(1.0, ran.append, "b")
    manual.call_later(0.0, ran.append, "now")
    manual.run_until_idle()
    assert ran == ["now"]
    manual.advance(1.0)
    assert ran == ["now", "a", "b"]
    manual.advance(1.0)
    assert ran == ["now", "a", "b", "c"]


def test_a_timer_cancelled_by_another_in_its_turn_does_not_run(manual: ManualScheduler) -> None:
    ran: list[str] = []
    manual.call_later(1.0, lambda: second.cancel())  # noqa: PLW0108
    second = manual.call_later(1.0, ran.append, "second")
    manual.advance(1.0)
    assert ran == []
    assert not second.cancel()


def test_a_cancelled_timer_holds_its_owner_no_longer(manual: ManualScheduler) -> None:
    ref = Recorder.start(scheduler=manual)
    manual.run_until_idle()
    owner = weakref.ref(actor_of(ref))
    owner().call_later(1000.0, print).cancel()
    assert len(manual._timers) == 1  # its entry is still there
    ref.stop(block=False)
    manual.run_until_idle()
    del ref
    gc.collect()
    assert owner() is None


def test_mostly_cancelled_timers_do_not_pile_up(manual: ManualScheduler) -> None:
    for _ in range(10_000):
        manual.call_later(1000.0, print).cancel()
    assert len(manual._timers) < 200


def test_a_timer_that_is_not_a_number_is_refused(manual: ManualScheduler) -> None:
    with pytest.raises(ValueError, match="not a number"):
        manual.call_later(float("nan"), print)


def test_a_timer_wakes_a_sleeping_scheduler(scheduler: Scheduler) -> None:
    done = threading.Event()
    scheduler.post(lambda: scheduler.call_later(0.02, done.set))
    assert done.wait(10)


@pytest.mark.parametrize("exception", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_of_a_timer_crashes_its_owner_only(manual: ManualScheduler, exception: BaseException) -> None:
    def fail() -> None:
        raise exception

    ref, other = Recorder.start(scheduler=manual), Recorder.start(scheduler=manual)
    actor = actor_of(ref)
    actor.call_later(1.0, fail)
    manual.call_later(1.0, fail)  # no owner: logged
    manual.advance(1.0)
    assert actor.exits == [Crashed(exception)]
    assert other.is_alive()


def test_a_posted_bound_method_belongs_to_its_actor(manual: ManualScheduler) -> None:
    ref = Recorder.start(scheduler=manual)
    actor = actor_of(ref)
    error = ValueError("bad")
    manual.post(actor.on_receive, error)
    manual.post(actor.on_receive, "too late")
    manual.run_until_idle()
    assert actor.exits == [Crashed(error)]
    assert actor.seen == []


def test_reader_and_writer_of_one_descriptor_are_independent(manual: ManualScheduler) -> None:
    import socket

    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        got: list[Any] = []
        fd = left.fileno()

        def write() -> None:
            got.append("writable")
            manual.remove_writer(fd)

        manual.add_reader(fd, lambda: got.append(left.recv(10)))
        manual.add_writer(fd, write)
        manual.run_until_idle()
        assert got == ["writable"]
        right.send(b"x")
        manual.run_until_idle()
        assert got == ["writable", b"x"]
        assert manual.remove_reader(fd)
        assert not manual.remove_reader(fd)
        assert not manual.remove_writer(fd)
        right.send(b"y")
        manual.run_until_idle()
        assert got == ["writable", b"x"]


def test_a_reader_removed_in_the_same_turn_is_not_called(manual: ManualScheduler) -> None:
    pipes = [os.pipe() for _ in range(2)]
    called: list[int] = []

    def first_come(mine: int, other: int) -> None:
        called.append(mine)
        manual.remove_reader(other)
        os.read(mine, 1)

    (a, a_write), (b, b_write) = pipes
    manual.add_reader(a, lambda: first_come(a, b))
    manual.add_reader(b, lambda: first_come(b, a))
    os.write(a_write, b"x")
    os.write(b_write, b"x")
    manual.run_until_idle()
    assert len(called) == 1
    for fd in (a, a_write, b, b_write):
        manual.remove_reader(fd)
        os.close(fd)


def test_the_end_of_an_actor_removes_its_timers_and_descriptors(manual: ManualScheduler) -> None:
    ref = Recorder.start(scheduler=manual)
    actor = actor_of(ref)
    read, write = os.pipe()
    actor.add_reader(read, lambda: actor.seen.append("read"))
    actor.call_later(1.0, actor.seen.append, "timer")
    os.write(write, b"x")
    actor.exit(Shutdown())
    manual.advance(2.0)
    assert actor.seen == []
    assert manual._poller.count == 0
    assert manual.pending_timers == 0
    os.close(read)
    os.close(write)


def test_a_closed_descriptor_can_still_be_removed(manual: ManualScheduler) -> None:
    read, write = os.pipe()
    manual.add_reader(read, print)
    manual.add_writer(read, print)
    os.close(read)
    assert manual.remove_reader(read)
    assert manual.remove_writer(read)
    os.close(write)


def test_a_descriptor_that_cannot_be_polled_is_refused(manual: ManualScheduler, tmp_path: Any) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(OSError):  # noqa: PT011
        manual.add_reader(file.fileno(), print)
    assert manual._poller.count == 0


def test_timers_and_descriptors_are_for_the_own_thread_only(scheduler: Scheduler) -> None:
    with pytest.raises(RuntimeError, match="use post"):
        scheduler.call_later(1.0, print)
    with pytest.raises(RuntimeError, match="use post"):
        scheduler.add_reader(0, print)


def test_stop_ends_every_actor_and_answers_what_waits() -> None:
    scheduler = Scheduler("stopping")
    ref = Recorder.start(scheduler=scheduler)  # never started: nothing has run yet
    future = ref.ask("unread", block=False)
    actor = actor_of(ref)
    downs: list[Any] = []
    monitor(ref, lambda down: downs.append(down.reason))
    assert scheduler.stop()
    assert scheduler.stop()
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=5)
    assert actor.exits == [Shutdown()]
    assert downs == [Shutdown()]
    ref.tell("dropped")
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("dead", timeout=5)
    with pytest.raises(SchedulerStopped):
        Recorder.start(scheduler=scheduler)
    scheduler.post(print)


def test_stop_on_the_scheduler_thread_would_deadlock(scheduler: Scheduler) -> None:
    caught: list[BaseException] = []
    done = threading.Event()

    def stop() -> None:
        try:
            scheduler.stop()
        except WouldDeadlock as exc:
            caught.append(exc)
        done.set()

    scheduler.post(stop)
    assert done.wait(10)
    assert len(caught) == 1


def test_no_future_stays_unresolved_when_ask_races_with_stop() -> None:
    for _ in range(30):
        scheduler = Scheduler("racing")
        scheduler.start()
        ref = Recorder.start(scheduler=scheduler)
        futures: list[Any] = []
        begin = threading.Event()

        def ask(ref: Any = ref, futures: list[Any] = futures, begin: threading.Event = begin) -> None:
            begin.wait()
            futures.extend(ref.ask(number, block=False) for number in range(200))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        begin.set()
        assert scheduler.stop(10)
        for thread in threads:
            thread.join()
        for future in futures:
            try:
                future.get(timeout=5)
            except pykka.ActorDeadError:
                pass
        assert len(futures) == 600


def test_an_ask_after_the_schedulers_last_look_is_answered() -> None:
    scheduler = ManualScheduler()
    ref = Recorder.start(scheduler=scheduler)
    scheduler._closed = True  # the moment between the flag and the end of the actor
    future = ref.ask("late", block=False)
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=5)
    scheduler._closed = False
    assert scheduler.stop()


def test_a_dead_actor_is_garbage_though_its_reference_lives(manual: ManualScheduler) -> None:
    ref = Recorder.start(scheduler=manual)
    gone = weakref.ref(actor_of(ref))
    assert gone() is not None
    manual.run_until_idle()
    gone().exit(Shutdown())  # type: ignore[union-attr]
    manual.run_until_idle()
    gc.collect()
    assert gone() is None
    assert not ref.is_alive()


def test_a_message_is_not_kept_alive_after_it_was_handled(manual: ManualScheduler) -> None:
    class Payload:
        pass

    class Forgetful(LightActor):
        def on_receive(self, message: Any) -> None:
            return

    ref = Forgetful.start(scheduler=manual)
    payload = Payload()
    gone = weakref.ref(payload)
    ref.tell(payload)
    del payload
    manual.run_until_idle()
    assert gone() is None


def test_a_forked_child_does_not_disturb_its_parent(scheduler: Scheduler) -> None:
    ref = Recorder.start(scheduler=scheduler)
    assert ref.ask("before", timeout=10) == "before"
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            scheduler.abandon_after_fork()
            scheduler.post(print)
            code = 0 if scheduler.stop(0.1) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    time.sleep(0.01)  # asleep again
    assert ref.ask("after", timeout=10) == "after"


def test_a_message_storm_does_not_starve_timers_and_descriptors(scheduler: Scheduler) -> None:
    class Storm(LightActor):
        def on_receive(self, message: Any) -> Any:
            if not done.is_set():
                self.actor_ref.tell(message)
                self.actor_ref.tell(message) if len(self.scheduler._ready) < 100 else None

    done = threading.Event()
    read, write = os.pipe()
    ref = Storm.start(scheduler=scheduler)
    ref.tell("storm")

    def readable() -> None:
        scheduler.remove_reader(read)
        scheduler.call_later(0.01, done.set)

    scheduler.post(lambda: scheduler.add_reader(read, readable))
    os.write(write, b"x")
    assert done.wait(10)
    os.close(read)
    os.close(write)


@pytest.mark.fault(24)
def test_a_reused_thread_number_is_not_the_schedulers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scheduler = Scheduler("ended")
    scheduler.start()
    number: list[int] = []
    known = threading.Event()
    scheduler.post(lambda: (number.append(threading.get_ident()), known.set()))
    assert known.wait(10)
    assert scheduler.stop(10)
    monkeypatch.setattr("supervisors.runtime.scheduler.get_ident", lambda: number[0])
    assert not scheduler.on_thread()
    assert not scheduler.owns_thread()


def test_a_scheduler_runs_from_its_start_to_its_stop() -> None:
    scheduler = Scheduler("runs")
    assert not scheduler.running
    scheduler.start()
    assert scheduler.running
    scheduler.stop()
    assert not scheduler.running


def test_what_is_for_before_sleep_runs_after_all_messages(manual: ManualScheduler) -> None:
    done: list[str] = []

    def first() -> None:
        manual.before_sleep(lambda: done.append("late"))
        manual.post(done.append, "second")
        done.append("first")

    manual.post(first)
    manual.run_until_idle()
    assert done == ["first", "second", "late"]


def test_what_raises_before_sleep_is_logged_and_the_rest_runs(
    manual: ManualScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("before sleep")

    manual.post(manual.before_sleep, fail)
    manual.post(manual.before_sleep, lambda: done.append("other"))
    manual.run_until_idle()
    assert manual.background.flush()
    assert done == ["other"]
    assert "before sleep" in caplog.text
