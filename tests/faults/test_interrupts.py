"""A signal handler that raises, at any bytecode of a caller's: it comes out as itself, and the System goes on.

A sample of the bytecodes; all of them are in tests/chaos/test_interrupts.py.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import scripts
from support.interrupts import (
    KINDS,
    Bytecodes,
    Interrupt,
    Kind,
    bytecodes_of,
    bytecodes_of_a_tree,
    interrupt,
    interrupt_a_tree,
    interrupted,
    run,
)
from support.leaks import held, left_behind

from slither_actors import DispatchError, PoolSpec, StreamClosed, System
from slither_actors.strategies import WeightedBatch
from supervisors import LightActor, Scheduler
from supervisors.runtime.interrupts import Event, locked, raised_by_handler

SAMPLES = 120
"""Bytecodes of each kind of run; some thousands are all."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1)}, name="interrupted") as running:
        yield running


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("error", [Interrupt, KeyboardInterrupt, TimeoutError])
def test_a_run_interrupted_at_any_bytecode(system: System, kind: Kind, error: Any) -> None:
    total = bytecodes_of(system, kind)
    for sample in range(SAMPLES // 3):
        interrupt(system, kind, (sample * total * 3 + total) // SAMPLES, error)


def test_a_start_interrupted_at_any_bytecode() -> None:
    def start(made: list[System]) -> None:
        system = System({"default": PoolSpec(size=1)})
        made.append(system)
        system.start()

    with Bytecodes() as codes:
        start(made := [])
    made[0].stop()
    for sample in range(12):
        before, made = held(), []
        where = interrupted((sample * codes.count + codes.count // 2) // 12, partial(start, made))
        for one in made:
            one.stop()
        assert not left_behind(before), where


def test_a_stop_interrupted_at_any_bytecode_ends_by_itself() -> None:
    with System({"default": PoolSpec(size=1)}) as system, Bytecodes() as codes:
        system.stop()
    for sample in range(12):
        before = held()
        system = System({"default": PoolSpec(size=1)}).start()
        where = interrupted((sample * codes.count + codes.count // 2) // 12, system.stop)
        if not system.stopped:  # it was interrupted before its first step
            system.stop()
        assert not left_behind(before), where


def test_a_tree_interrupted_at_any_bytecode_leaves_nothing() -> None:
    total = bytecodes_of_a_tree()
    for sample in range(SAMPLES):
        interrupt_a_tree((sample * total + total // 2) // SAMPLES)


def test_a_drain_interrupted_at_any_bytecode_can_be_repeated() -> None:
    with System({"default": PoolSpec(size=1)}) as system, Bytecodes() as codes:
        system.drain()
    for sample in range(12):
        with System({"default": PoolSpec(size=1)}) as system:
            run(system)
            where = interrupted((sample * codes.count + codes.count // 2) // 12, system.drain)
            report = system.drain()
            assert (report.dropped, report.stopped) == (0, True), where


RANDOM = """
import ctypes
import random
from _thread import interrupt_main
sys.path.insert(0, {tests!r})
from support.interrupts import *
from support.leaks import held, left_behind

class SoftTimeLimitExceeded(Exception):
    pass

def soft(number, frame):
    raise SoftTimeLimitExceeded

chance = random.Random({seed})
kinds = KINDS
before = held()
interrupted = 0
with System({{"default": PoolSpec(size=1)}}) as system:
    for kind in kinds:
        kind(system)
    threads = set(threading.enumerate())
    for trial in range({trials}):
        kind = kinds[trial % len(kinds)]
        signal.signal(signal.SIGALRM, soft if trial % 2 else signal.default_int_handler)
        came = None
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00002, 0.004))
                result = kind(system)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                # CPython may put off the handler of a signal that came while another thread ran: not beyond here.
                ctypes.pythonapi.PyErr_CheckSignals()
        except (SoftTimeLimitExceeded, KeyboardInterrupt) as error:
            interrupted += 1
        else:
            assert result == expected(kind), (kind, result)
        check_it_goes_on(system, threads)
print("interrupted", interrupted, "left", left_behind(before))
"""


# The interpreter's own: a signal in a weakref callback, as of `threading` for a thread that has ended, is printed and
# lost.
DROPPED = re.compile(
    r"Exception ignored in: <function WeakSet\.__init__\.<locals>\._remove.*?\n[A-Za-z]\w+: ?\n", re.DOTALL
)


def ignored_by_python(stderr: str) -> str:
    """What was printed besides interrupts that struck where no code can catch them."""
    return DROPPED.sub("", stderr)


def random_interrupts(folder: Path, trials: int, seed: int) -> int:
    """Real signals at random moments: how many of them came in time."""
    tests = str(scripts.ROOT / "tests")
    done = scripts.run(folder, RANDOM.format(tests=tests, trials=trials, seed=seed), seconds=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ignored_by_python(done.stderr) == ""
    _, interrupted, _, left = done.stdout.strip().split(maxsplit=3)
    assert left == "[]"
    return int(interrupted)


def test_signals_at_random_moments(tmp_path: Path) -> None:
    assert random_interrupts(tmp_path, 300, seed=1) > 50


# -- what a handler raises is distinguished from what a callback raises


class Limit(Exception):
    """A soft time limit."""


@pytest.fixture
def limit() -> Iterator[Callable[[], None]]:
    """``limit()``: as if the time were over now; what the handler raises comes from here."""

    def over(number: int, frame: Any) -> None:
        raise Limit("the time is over")

    before = signal.signal(signal.SIGUSR1, over)
    yield lambda: signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


DOUBLE: dict[str, Any] = {"module": "operator", "function": "neg", "each": True}


def test_a_time_limit_within_a_strategys_callback(system: System, limit: Callable[[], None]) -> None:
    def weigh(item: Any) -> int:
        limit()
        return 1

    with pytest.raises(Limit, match="the time is over"):
        system.dispatch.run([1, 2], **DOUBLE, strategy=WeightedBatch, weight_fn=weigh)
    run(system)


def test_a_time_limit_while_a_payload_is_encoded(system: System, limit: Callable[[], None]) -> None:
    class Text:
        def __repr__(self) -> str:
            limit()
            return "text"

    with pytest.raises(Limit):
        system.dispatch.run([Text()], **DOUBLE, batch_size=Text())
    with pytest.raises(Limit):  # the message about what cannot be sent shows the key
        system.dispatch.run([{"x": {Text(): 1}}], **DOUBLE)


def test_a_callbacks_own_error_is_still_the_runs(system: System) -> None:
    def weigh(item: Any) -> int:
        raise Limit("its own")

    with pytest.raises(DispatchError) as failed:
        system.dispatch.run([1, 2], **DOUBLE, strategy=WeightedBatch, weight_fn=weigh)
    assert isinstance(failed.value.reason, Limit)


def test_a_time_limit_closes_the_stream(system: System, limit: Callable[[], None]) -> None:
    def weigh(item: Any) -> int:
        limit()
        return 1

    stream = system.dispatch.stream([1, 2], **DOUBLE, strategy=WeightedBatch, weight_fn=weigh)
    with pytest.raises(Limit):
        next(stream)
    with pytest.raises(StreamClosed):
        next(stream)
    with pytest.raises(StreamClosed):
        list(stream)


def test_a_timeout_error_of_a_handlers_is_no_timeout_of_ours(system: System) -> None:
    def over(number: int, frame: Any) -> None:
        raise TimeoutError("the handler's")

    before = signal.signal(signal.SIGUSR1, over)
    scheduler = system._scheduler
    held_up, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held_up.set()
        go_on.wait(20)

    scheduler.post(hold)
    try:
        assert held_up.wait(20)
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
        with pytest.raises(TimeoutError, match="the handler's"):
            system.statistics(timeout=20)
    finally:
        go_on.set()
        signal.signal(signal.SIGUSR1, before)
    assert system.statistics().runs == 0


def test_handlers_of_every_kind_are_told_from_callbacks() -> None:
    def plain(number: int, frame: Any) -> None:
        raise Limit

    def rest(*arguments: Any) -> None:
        raise Limit

    class Callable_:  # noqa: N801
        def __call__(self, number: int, frame: Any) -> None:
            inner()

        def method(self, number: int, frame: Any) -> None:
            del frame  # as linters ask for
            raise Limit

    def inner() -> None:
        raise Limit

    def callback(number: int) -> None:
        raise Limit

    before = signal.getsignal(signal.SIGUSR1)
    try:
        for handler in (plain, rest, Callable_(), Callable_().method, lambda number, frame: inner()):
            signal.signal(signal.SIGUSR1, handler)
            with pytest.raises(Limit) as raised:
                signal.raise_signal(signal.SIGUSR1)
            assert raised_by_handler(raised.value), handler
        with pytest.raises(Limit) as raised:
            callback(1)
        assert not raised_by_handler(raised.value)
    finally:
        signal.signal(signal.SIGUSR1, before)


# -- what all of that is made of


class Counting(LightActor):
    """Counts its messages."""

    def __init__(self, seen: list[Any], enough: threading.Event, number: int) -> None:
        super().__init__()
        self.seen, self.enough, self.number = seen, enough, number

    def on_receive(self, message: Any) -> None:
        self.seen.append(message)
        if len(self.seen) >= self.number:
            self.enough.set()


def test_a_message_of_an_interrupted_sender_is_handled() -> None:
    scheduler = Scheduler("interrupted-senders")
    scheduler.start()
    try:
        sent = 0
        while True:
            seen: list[Any] = []
            enough = threading.Event()
            ref = Counting.start(seen, enough, 2, scheduler=scheduler)
            with Bytecodes():  # CPython 3.13 traces the opcodes of code that it has traced before
                ref.tell("another message")
            while not scheduler._asleep:
                pass
            codes = Bytecodes(sent)
            try:
                with codes:
                    ref.tell("message")
            except Interrupt:
                pass
            if codes.raised is None:
                break
            codes.raised = None
            delivered = enough.wait(0.05) or not scheduler._ready
            assert delivered, f"it lies in the mailbox: {codes.where}"
            ref.stop()
            sent += 1
        assert sent > 5
    finally:
        scheduler.stop()


def test_one_wake_up_a_sleep_however_many_send(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler("wake-ups")
    scheduler.start()
    try:
        enough = threading.Event()
        ref = Counting.start([], enough, 101, scheduler=scheduler)
        inside, go_on = threading.Event(), threading.Event()
        ref.tell("first")
        scheduler.post(lambda: (inside.set(), go_on.wait(20)))
        assert inside.wait(20)
        rung: list[None] = []
        wake = scheduler._poller.wake
        monkeypatch.setattr(scheduler._poller, "wake", lambda: (rung.append(None), wake()))
        scheduler._asleep = [True]  # as in a sleep that goes on
        for number in range(100):
            ref.tell(number)
        assert len(rung) == 1
        go_on.set()
        assert enough.wait(20)
    finally:
        scheduler.stop()


def test_an_interrupted_waiter_leaves_an_event_that_can_be_set() -> None:
    event = Event()
    with Bytecodes() as codes:
        event.wait(0.001)
    for at in range(codes.count):
        event = Event()
        with pytest.raises(Interrupt), Bytecodes(at) as codes:
            event.wait(0.001)
        setter = threading.Thread(target=event.set)
        setter.start()
        setter.join(20)
        assert not setter.is_alive(), codes.where
        assert event.wait(0)


def test_an_interrupted_call_leaves_its_lock_free() -> None:
    lock = threading.RLock()
    with Bytecodes() as codes:
        locked(lock, abs, -1)
    for at in range(codes.count):
        with pytest.raises(Interrupt), Bytecodes(at):
            locked(lock, abs, -1)
        assert not lock._is_owned()  # type: ignore[attr-defined]
    assert locked(lock, abs, -1) == 1
