"""SignalQueue: one wait for events of other threads and for signals."""

from __future__ import annotations

import os
import select
import signal
import threading
import traceback
from collections.abc import Callable

import pytest
from support.interrupts import Bytecodes, Interrupt, interrupted

from supervisors.runtime import signal_queue
from supervisors.runtime.interrupts import with_cleanup
from supervisors.runtime.signal_queue import SignalQueue

USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def test_events_come_in_their_order() -> None:
    with SignalQueue[str]([]) as queue:
        queue.put("a")
        queue.put("b")
        assert [queue.get(), queue.get(), queue.get(timeout=0)] == ["a", "b", None]


def test_a_put_of_another_thread_ends_the_wait() -> None:
    with SignalQueue[str]([]) as queue:
        threading.Timer(0.01, queue.put, ["late"]).start()
        assert queue.get(timeout=30) == "late"


def test_a_signal_is_an_event() -> None:
    with SignalQueue[str]([USR1, USR2]) as queue:
        send(USR1)
        assert queue.get(timeout=30) is USR1
        threading.Timer(0.01, send, [USR2]).start()
        assert queue.get(timeout=30) is USR2


def test_a_signal_that_another_thread_receives_ends_the_wait() -> None:
    """As one in the gap before the wait: no call of this thread is interrupted, so only the descriptor can wake it."""
    with SignalQueue[str]([USR1]) as queue:
        threading.Timer(0.05, lambda: signal.pthread_kill(threading.get_ident(), USR1)).start()
        assert queue.get(timeout=30) is USR1


def test_a_long_timeout_fits_the_platform() -> None:
    with SignalQueue[str]([]) as queue:
        threading.Timer(0.01, queue.put, ["soon"]).start()
        assert queue.get(timeout=threading.TIMEOUT_MAX) == "soon"


def test_handlers_and_wake_up_descriptor_are_restored() -> None:
    before = signal.getsignal(USR1)
    with SignalQueue[str]([USR1]):
        assert signal.getsignal(USR1) is not before
        descriptor = signal.set_wakeup_fd(-1)
        assert descriptor != -1
        signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    assert signal.getsignal(USR1) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_that_cannot_be_handled_changes_nothing() -> None:
    before = signal.getsignal(USR1)
    with pytest.raises(OSError, match="Invalid argument"), SignalQueue[str]([USR1, signal.SIGKILL]):
        raise AssertionError("not reached")
    assert signal.getsignal(USR1) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_put_after_the_exit_writes_nowhere() -> None:
    queue = SignalQueue[str]([])
    with queue:
        pass
    reader, writer = os.pipe()  # very likely the numbers of its own
    try:
        queue.put("too late")
        assert not select.select([reader], [], [], 0)[0]
    finally:
        os.close(reader)
        os.close(writer)


def test_a_full_pipe_loses_no_event() -> None:
    with SignalQueue[int]([]) as queue:
        for number in range(70_000):  # more than a pipe has room for
            queue.put(number)
        assert [queue.get(timeout=0) for _ in range(70_000)] == list(range(70_000))
        assert queue.get(timeout=0) is None


def wakeup_descriptor() -> int:
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    return descriptor


def wait_once() -> None:
    queue = SignalQueue[int]([USR1, USR2])

    def wait() -> None:
        with queue:
            queue.put(1)
            assert queue.get() == 1

    with_cleanup(wait, queue.close)


def test_an_interrupt_at_any_bytecode_leaves_nothing() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    try:
        before = [signal.getsignal(USR1), signal.getsignal(USR2)]
        wait_once()
        descriptors = os.listdir("/dev/fd")
        at = 0
        while (where := interrupted(at, wait_once)) is not None:
            assert wakeup_descriptor() == writer, where
            assert [signal.getsignal(USR1), signal.getsignal(USR2)] == before, where
            assert os.listdir("/dev/fd") == descriptors, where
            at += 1
        assert at > 100
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("error", [Interrupt, KeyboardInterrupt, TimeoutError])
def test_a_block_interrupted_in_its_exit_is_left_whole(error: type[BaseException]) -> None:
    def count(at: int | None) -> Bytecodes:
        codes = Bytecodes(at, error)
        queue = SignalQueue[int]([USR1]).__enter__()
        try:
            with codes:
                queue.close()
        except error:
            assert codes.raised is not None
        finally:
            handler, descriptor = signal.getsignal(USR1), wakeup_descriptor()
            queue.close()
        first = codes.where is not None and codes.where[0] == "SignalQueue.close"  # before its first step
        assert first or (handler, descriptor) == (before, -1), codes.where
        assert (at is None) == (codes.raised is None)
        return codes

    before = signal.getsignal(USR1)
    for at in range(count(None).count):
        count(at)


def test_a_closed_wake_up_descriptor_is_not_restored() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    before = len(os.listdir("/dev/fd"))
    with SignalQueue[int]([USR1]):
        os.close(writer)
        os.close(reader)
    assert signal.set_wakeup_fd(-1) == -1
    assert len(os.listdir("/dev/fd")) == before - 2


def test_a_number_given_twice_is_restored_once() -> None:
    before = signal.getsignal(USR1)
    with SignalQueue[int]([USR1, USR1]):
        pass
    assert signal.getsignal(USR1) is before


def ends_in_a_child(check: Callable[[], object]) -> int:
    """Return the status of a forked child that sends itself SIGUSR1, unless `check` raises there."""
    child = os.fork()
    if child == 0:
        try:
            check()
            send(USR1)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@FORKS
def test_a_forked_child_dies_of_its_parents_signals() -> None:
    def check() -> None:
        assert signal.getsignal(USR1) is signal.getsignal(USR2) is signal.SIG_DFL
        assert signal.set_wakeup_fd(-1) == -1
        assert set(os.listdir("/dev/fd")) <= descriptors  # a child closes those of running Systems, too

    descriptors = set(os.listdir("/dev/fd"))
    with SignalQueue[int]([USR1, USR2]) as outer, SignalQueue[int]([USR1]) as inner:
        status = ends_in_a_child(check)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == USR1
        assert (inner.get(timeout=0), outer.get(timeout=0)) == (None, None)
        send(USR1)
        assert inner.get(timeout=30) is USR1
    assert signal_queue._entered == []


@FORKS
def test_a_signal_before_the_childs_hook_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with SignalQueue[int]([USR1, USR2]), SignalQueue[int]([USR1]), monkeypatch.context() as patch:
        patch.setattr(signal_queue, "_entered", [])
        status = ends_in_a_child(lambda: None)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == USR1
