"""The ends of a worker's pipes as a host sees them: reset sockets, and descriptors that other code has closed."""

from __future__ import annotations

import errno
import os
import socket
import types
from collections.abc import Iterator
from typing import Any

import pytest

from slither_actors import PoolSpec
from slither_actors.pools.hosts.base import SpawnFailed
from slither_actors.pools.hosts.local import LocalHost
from slither_actors.pools.processes.spawner import GuardianLink
from slither_actors.wire.ends import is_end
from slither_actors.wire.header import ProtocolError


class Seen:
    """A host over the given descriptors, and what it says."""

    def __init__(self, request: int, reply: int) -> None:
        self.broken: list[Exception] = []
        self.later: list[Any] = []
        executor = types.SimpleNamespace(
            scheduler=None,
            call_later=lambda seconds, what: self.later.append(what),
            remove_reader=lambda fd: True,
        )
        sink = types.SimpleNamespace(on_broken=self.broken.append)
        self.host = LocalHost(executor, sink, None, PoolSpec(), None, None, None)  # type: ignore[arg-type]
        self.host._worker = types.SimpleNamespace(request=request, reply=reply, stderr=reply)  # type: ignore[assignment]
        self.host._reading = True


@pytest.fixture
def reset() -> Iterator[socket.socket]:
    """A socket whose other side has gone without having read what it was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()
        with ours:
            yield ours


def test_a_reset_is_the_end_of_the_replies(reset: socket.socket) -> None:
    seen = Seen(reset.fileno(), reset.fileno())
    seen.host.read()
    assert (len(seen.later), seen.broken) == (1, [])


def test_a_reset_ends_what_is_to_be_written(reset: socket.socket) -> None:
    seen = Seen(reset.fileno(), reset.fileno())
    for size in (1, 1 << 17):
        seen.host.send([b"x" * size])
        seen.host.flush()
        assert not seen.host._out
    assert seen.broken == []


@pytest.mark.parametrize("what", ["read", "flush"])
def test_descriptor_that_program_has_closed_is_told_with_remedy(what: str) -> None:
    closed = os.dup(0)
    os.close(closed)
    seen = Seen(closed, closed)
    seen.host.send([b"x"])
    getattr(seen.host, what)()
    (error,) = seen.broken
    assert isinstance(error, ProtocolError)
    assert "closed the host's end of a pipe" in str(error)
    assert "start the System after that" in str(error)


def test_stderr_that_the_program_has_closed_is_at_its_end() -> None:
    closed = os.dup(0)
    os.close(closed)
    assert not Seen(closed, closed).host._read_stderr()


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (errno.EPIPE, True),
        (errno.ECONNRESET, True),
        (errno.ENOTCONN, True),
        (errno.ESHUTDOWN, True),
        (errno.ECONNABORTED, True),
        (errno.EBADF, False),
        (errno.EIO, False),
        (errno.EAGAIN, False),
    ],
)
def test_which_errors_are_ends(code: int, end: bool) -> None:
    assert is_end(OSError(code, "")) is end


def test_guardian_that_has_ended_is_told_of_when_it_is_replaced() -> None:
    told: list[Any] = []
    link = GuardianLink(lambda call, *args: told.append(args))
    link.start()
    try:
        popen: Any = link._popen
        link.start()
        assert told == []
        popen.kill()
        os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        link.start()
        ((text, pid, code),) = told
        assert ("has ended with code" in text, pid, code) == (True, popen.pid, -9)
    finally:
        link.close()


@pytest.mark.parametrize(("alive", "reports"), [(True, 0), (False, 1)], ids=["alive", "dead"])
def test_a_start_that_a_dead_spawner_owes_ends_when_killed(alive: bool, reports: int) -> None:
    told: list[object] = []
    executor = types.SimpleNamespace(scheduler=None, actor_ref=types.SimpleNamespace(tell=told.append))
    spawner = types.SimpleNamespace(tell=lambda message: None, is_alive=lambda: alive)
    host = LocalHost(executor, None, spawner, PoolSpec(), None, None, None)  # type: ignore[arg-type]
    host.kill()  # nothing was asked of it yet
    host.start()
    host.kill()
    host.kill()
    assert [type(message) for message in told] == [SpawnFailed] * reports
