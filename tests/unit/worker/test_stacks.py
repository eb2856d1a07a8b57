"""The signal that makes a process write where its threads are, sent by the test to itself."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from slither_actors.worker import stacks
from slither_actors.worker.stacks import STACK_SIGNAL, tell_stack

pytestmark = pytest.mark.skipif(
    not {"SIGRTMAX", "SIGINFO"} & vars(signal).keys(), reason="the system has no signal for it"
)


@pytest.fixture
def in_forks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What is done in a forked child."""
    callbacks: list[Callable[[], object]] = []
    monkeypatch.setattr(os, "register_at_fork", lambda *, after_in_child: callbacks.append(after_in_child))
    return callbacks


@pytest.fixture
def lifeline(in_forks: object) -> Iterator[tuple[int, int]]:
    """Both ends of a pipe: where it is read, and what the stacks are written to."""
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    faulthandler.unregister(STACK_SIGNAL)
    for fd in ends:
        os.close(fd)


def asked(fd: int) -> str:
    """Return what is written at one signal."""
    signal.raise_signal(STACK_SIGNAL)
    return written(fd)


def written(fd: int) -> str:
    try:
        return os.read(fd, 1 << 16).decode()
    except BlockingIOError:
        return ""


def test_the_signal_has_files_lines_and_functions_written(lifeline: tuple[int, int]) -> None:
    tell_stack(lifeline[1])
    assert written(lifeline[0]) == ""
    line = asked.__code__.co_firstlineno + 2
    text = asked(lifeline[0])
    assert f'File "{__file__}", line {line} in asked' in text or f"line {line} in asked" in text
    assert "in test_the_signal_has_files_lines_and_functions_written" in text


def test_each_signal_has_the_stacks_written_again(lifeline: tuple[int, int]) -> None:
    tell_stack(lifeline[1])
    assert ["in asked" in asked(lifeline[0]) for _ in range(3)] == [True] * 3


def test_values_are_not_written(lifeline: tuple[int, int]) -> None:
    tell_stack(lifeline[1])

    def inner(secret: str) -> str:
        return asked(lifeline[0])

    text = inner("a value of the user's")
    assert "in inner" in text
    assert "a value" not in text


def test_all_threads_are_written(lifeline: tuple[int, int]) -> None:
    go, there = threading.Event(), threading.Event()

    def waits_beside() -> None:
        there.set()
        go.wait()

    tell_stack(lifeline[1])
    thread = threading.Thread(target=waits_beside)
    thread.start()
    there.wait()
    text = asked(lifeline[0])
    go.set()
    thread.join()
    assert "in waits_beside" in text
    assert "in asked" in text


def test_what_handled_the_signal_before_is_not_called(lifeline: tuple[int, int]) -> None:
    called: list[int] = []
    before = signal.signal(STACK_SIGNAL, lambda number, frame: called.append(number))
    try:
        tell_stack(lifeline[1])
        assert "in asked" in asked(lifeline[0])
        faulthandler.unregister(STACK_SIGNAL)
        assert called == []
        assert asked(lifeline[0]) == ""
        assert called == [STACK_SIGNAL]
    finally:
        signal.signal(STACK_SIGNAL, before)


def test_a_forked_child_does_not_write_for_its_parent(
    lifeline: tuple[int, int], in_forks: list[Callable[[], object]]
) -> None:
    tell_stack(lifeline[1])
    (in_a_child,) = in_forks
    in_a_child()
    assert not faulthandler.unregister(STACK_SIGNAL)  # it was already


def test_without_a_signal_nothing_is_registered(
    in_forks: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "STACK_SIGNAL", 0)
    tell_stack(-1)
    assert in_forks == []


@pytest.mark.skipif(not hasattr(signal, "SIGRTMAX"), reason="there are no real-time signals")
def test_the_signal_is_one_that_programs_do_not_use() -> None:
    assert STACK_SIGNAL == signal.SIGRTMAX - 2
    assert STACK_SIGNAL not in (signal.SIGUSR1, signal.SIGUSR2)
