"""A worker whose own code closes descriptors, and the signals of what its code starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.worker import WorkerProcess, results

from slither_actors.wire import frames
from slither_actors.worker import boot, guard
from slither_actors.worker.channel import Channel, HostGoneError

LINUX = sys.platform == "linux"


@pytest.mark.skipif(not LINUX, reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "count"), [("range", 1), ("range", 300), ("each", 8), ("replace", 0), ("with stderr", 9)]
)
def test_a_reply_never_goes_into_a_file_of_the_users(tmp_path: Path, kind: str, count: int) -> None:
    file = tmp_path / "file"
    with WorkerProcess() as worker:
        worker.ready()
        worker.load(1, "close_all", module="own_processes")
        worker.request(1, [kind, str(file), count])
        with pytest.raises(EOFError):
            worker.receive()
        assert worker.ended() == guard.TORN
        assert file.read_bytes() == b""
        assert ("closed descriptors that are not its own" in worker.stderr) is (kind != "with stderr")


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_closing_low_descriptors_does_not_hurt_a_worker(tmp_path: Path) -> None:
    with WorkerProcess() as worker:
        worker.ready()
        worker.load(1, "close_all", module="own_processes")
        for _ in range(3):
            assert results(worker.call("close_all", ["small range", str(tmp_path / "file"), 5], module="own_processes"))
        assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_closed_descriptors_are_noticed_before_memory_is_mapped(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"mine" * 10_000)
    with open(file, "r+b") as other, open(os.devnull, "wb") as null:
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            channel = Channel(reads, writes, -1, null.fileno())
            os.dup2(other.fileno(), null.fileno())
            try:
                channel._put([memoryview(b"x" * 100_000)], 100_000)
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] >> 8 == guard.TORN
        os.close(reads)
        os.close(writes)
    assert file.read_bytes() == b"mine" * 10_000


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_programs_of_a_function_ignore_and_block_nothing() -> None:
    """Also where the host ignores and blocks: SIGHUP under nohup, SIGINT and SIGQUIT behind `&` of a shell."""
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGPIPE})
    try:
        worker = WorkerProcess()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2, signal.SIGPIPE})
        for number in numbers:  # the suite itself may run under nohup
            signal.signal(number, signal.SIG_DFL)
        usual = subprocess.run([sys.executable, "-c", _ignored()], capture_output=True, text=True, check=True).stdout
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2, signal.SIGPIPE})
        for number, handler in before.items():
            signal.signal(number, handler)
    with worker:
        worker.ready()
        assert results(worker.call("ignored_by_children", [1], module="own_processes")) == [usual]


def _ignored() -> str:
    from support.for_workers.own_processes import CHILD

    return CHILD


def test_a_fork_in_a_worker_heeds_sigint_and_worker_does_not() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        assert results(worker.call("interrupts_itself", [1], module="own_processes")) == [1]
        assert results(worker.call("interrupt_a_fork", [1], module="own_processes")) == [7]
        assert results(worker.call("interrupts_itself", [2], module="own_processes")) == [2]


# --- wrappers


def script(folder: Path, text: str) -> str:
    path = folder / "wrapper"
    path.write_text(text.replace("PYTHON", sys.executable))
    path.chmod(0o755)
    return str(path)


SHELL = '#!/bin/sh\n"PYTHON" "$@"\nexit $?\n'
CLOSES = "#!PYTHON\nimport subprocess, sys\nsys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)\n"
EXEC_CLOSES = """#!PYTHON
import os, sys
os.closerange(3, 4096)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
HANDS_OVER = '#!/bin/sh\nexec "PYTHON" "$@"\n'


@pytest.mark.parametrize(
    ("text", "said"), [(SHELL, "not its host"), (CLOSES, "has not got descriptor"), (EXEC_CLOSES, "not got descriptor")]
)
def test_a_wrapper_that_does_not_hand_over_is_told_with_remedy(tmp_path: Path, text: str, said: str) -> None:
    with WorkerProcess(python=script(tmp_path, text)) as worker:
        assert worker.ended() == guard.WRAPPED
        assert said in worker.stderr
        assert 'exec python "$@"' in worker.stderr


def test_a_wrapper_that_hands_over_is_as_good_as_interpreter(tmp_path: Path) -> None:
    with WorkerProcess(python=script(tmp_path, HANDS_OVER)) as worker:
        worker.ready()


# --- ends of sockets


def test_a_reset_socket_is_an_end_for_the_worker() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    with listener, ours, theirs:
        channel = Channel(ours.fileno(), ours.fileno())
        channel.write(frames.LOADED, 1)  # stays unread: closing is a reset
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()
        with pytest.raises(HostGoneError):
            channel.read()
        with pytest.raises(HostGoneError):
            channel.write(frames.LOADED, 2)


def test_the_flags_are_before_the_program() -> None:
    argv = boot.command("python", 3, 4, 5, flags=["-O", "-X", "dev"])
    assert argv[:5] == ["python", "-O", "-X", "dev", "-c"]
