"""An interrupt at a chosen bytecode: what a signal handler raises there, at every place where there can be one.

A trace function raises at the n-th bytecode that the main thread executes in code of ours. That is more than signals
can do, which come in behind calls and at the beginnings of functions and loops only, and it is the same each time.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, ClassVar, Self
from unittest.mock import patch

from slither_actors import Retry, System
from supervisors import LightActor, Normal, Scheduler
from supervisors import run as run_tree

from .leaks import held, left_behind

OURS = ("/slither_actors/", "/supervisors/")


class Interrupt(Exception):
    """Like a soft time limit: an Exception, which no code of ours knows."""


class Bytecodes:
    """Counts the bytecodes of ours that this thread executes within its block, and raises at one of them.

    Args:
        at: the number of the bytecode at which it raises, from 0; None: it only counts.
        error: what it raises.
    """

    def __init__(self, at: int | None = None, error: Callable[[], BaseException] = Interrupt) -> None:
        self.at = at
        self.count = 0
        self.where: tuple[str, int, int] | None = None
        """Code, line and offset of the bytecode at which it raised."""
        self.raised: BaseException | None = None
        self._error = error

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        file = frame.f_code.co_filename
        if "/tests/" in file or not any(part in file for part in OURS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._local

    def _local(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            number, self.count = self.count, self.count + 1
            if number == self.at:
                code = frame.f_code
                self.where = (code.co_qualname, frame.f_lineno, frame.f_lasti)
                self.raised = self._error()
                sys.settrace(None)
                raise self.raised
        return self._local

    def __enter__(self) -> Self:
        assert threading.current_thread() is threading.main_thread()
        self._before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # CPython 3.12 looks whether anybody has, and only in settrace
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)


def forget_handled() -> None:
    """Have no exception being handled, for a test in which an interrupt met one of our own.

    At the first bytecodes of an ``except``, where no signal comes in, an interrupt leaves that exception being handled
    for all that follows.
    """
    ctypes.pythonapi.PyErr_SetHandledException(ctypes.py_object(None))
    assert sys.exception() is None


def interrupted(at: int, work: Callable[[], object]) -> tuple[str, int, int] | None:
    """Interrupt `work` at one bytecode: what is raised comes out as itself. Where that was; None if it took fewer."""
    codes = Bytecodes(at)
    came: BaseException | None = None
    try:
        with codes:
            work()
    except Interrupt as error:
        came = error
    assert came is codes.raised
    return codes.where


ITEMS = 10
OPTIONS: dict[str, Any] = {"module": "operator", "function": "neg", "each": True, "batch_size": 2}
SECONDS = 5.0
"""No wait of these takes as long, unless a wake-up was lost."""


def lazy() -> Iterator[int]:
    yield from range(ITEMS)


def run(system: System) -> list[Any]:
    return [item.payload for item in system.dispatch.run(list(range(ITEMS)), **OPTIONS)]


def run_lazily(system: System) -> list[Any]:
    return [item.payload for item in system.dispatch.run(lazy(), **OPTIONS)]


def stream(system: System) -> list[Any]:
    return [item.payload for item in system.dispatch.stream(list(range(ITEMS)), **OPTIONS)]


def stream_lazily(system: System) -> list[Any]:
    with system.dispatch.stream(lazy(), **OPTIONS) as results:
        return [item.payload for item in results]


def close_early(system: System) -> list[Any]:
    with system.dispatch.stream(list(range(ITEMS)), **OPTIONS) as results:
        return [next(results).payload]


def close_a_lazy_one_early(system: System) -> list[Any]:
    with system.dispatch.stream(lazy(), **OPTIONS) as results:
        for item in results:
            return [item.payload]
    return []


def with_a_budget(system: System) -> list[Any]:
    options = OPTIONS | {"max_in_flight_bytes": 4, "on_error": Retry(split=True), "ordering": "as_completed"}
    return sorted((item.payload for item in system.dispatch.run(lazy(), **options)), reverse=True)


def chunks(system: System) -> list[Any]:
    return list(system.dispatch.bind(module="builtins", function="iter").stream_one([-n for n in range(ITEMS)]))


def leave_chunks_early(system: System) -> list[Any]:
    with system.dispatch.bind(module="builtins", function="iter").stream_one(list(range(ITEMS)), max_ahead=2) as stream:
        for chunk in stream:
            return [chunk]
    return []


EARLY = (close_early, close_a_lazy_one_early, leave_chunks_early)
KINDS = (run, run_lazily, stream, stream_lazily, *EARLY, with_a_budget, chunks)
Kind = Callable[[System], list[Any]]


def expected(kind: Kind) -> list[Any]:
    return [0] if kind in EARLY else [-n for n in range(ITEMS)]


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for what comes by itself: nothing is sent meanwhile that would make up for a wake-up that was lost."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {SECONDS} s"
        time.sleep(0.0005)


def check_it_goes_on(system: System, threads: set[threading.Thread]) -> None:
    """Nothing of an interrupted run is left, and the next one is whole.

    Args:
        system: where it was.
        threads: those there were before it.
    """
    live = system._opener.live
    wait_until(lambda: not live.count, "the end of the interrupted run")
    wait_until(lambda: set(threading.enumerate()) <= threads, "the end of its threads")
    finished = live.finished
    began = time.monotonic()
    assert run(system) == expected(run)
    assert time.monotonic() - began < SECONDS
    wait_until(lambda: not live.count, "the end of the next run")
    assert live.finished == finished + 1  # each run once, interrupted or not: what a drain counts by


def interrupt(system: System, kind: Kind, at: int, error: Callable[[], BaseException]) -> None:
    """Interrupt a run at one bytecode; what is raised comes out as itself, and all goes on."""
    threads = set(threading.enumerate())
    codes = Bytecodes(at, error)
    came: BaseException | None = None
    try:
        with codes:
            results = kind(system)
    except BaseException as raised:
        came = raised
    if codes.raised is None:  # it took fewer this time
        assert came is None
        assert results == expected(kind)
        return
    where = codes.where
    try:
        assert came is codes.raised, f"{came!r} in place of what was raised"
        codes.raised = came = None
        check_it_goes_on(system, threads)
    except AssertionError as wrong:
        wrong.add_note(f"interrupted at bytecode {at} of {kind.__name__}: {where}")
        raise


def bytecodes_of(system: System, kind: Kind) -> int:
    """How many a run takes."""
    kind(system)  # what is made or loaded once is there
    with Bytecodes() as codes:
        assert kind(system) == expected(kind)
    return codes.count


class KeptScheduler(Scheduler):
    """One that its user does not finalize: what is raised in a finalizer has no caller."""

    kept: ClassVar[list[Scheduler]] = []

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.kept.append(self)


SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EndsSoon(LightActor):
    """Ends in the turn after its start."""

    def on_start(self) -> None:
        self.call_later(0, self.exit, Normal())


def run_a_tree() -> None:
    """`supervisors.run` of a tree, on a scheduler of its own."""
    assert run_tree(EndsSoon.start) == Normal()


def as_signals_are() -> list[object]:
    """Return the handlers and the wake-up descriptor of this process."""
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    return [*map(signal.getsignal, SIGNALS), descriptor]


def interrupt_a_tree(at: int) -> None:
    """Interrupt `run_a_tree` at one bytecode: nothing of it is left."""
    before, signals = held(), as_signals_are()
    gc.disable()  # nor does an earlier one's finalizer run meanwhile
    try:
        with patch("supervisors.supervision.run.Scheduler", KeptScheduler):
            where = interrupted(at, run_a_tree)
    finally:
        gc.enable()
        KeptScheduler.kept.clear()
    assert as_signals_are() == signals, where
    assert not left_behind(before), where


def bytecodes_of_a_tree() -> int:
    """How many `run_a_tree` takes."""
    run_a_tree()  # what is made or loaded once is there
    with Bytecodes() as codes:
        run_a_tree()
    return codes.count
