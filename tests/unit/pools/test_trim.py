"""What host and worker do to give back the memory of large frames, over real pipes."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.parsing import read_in

from slither_actors import PoolSpec
from slither_actors.pools.hosts.local import LocalHost
from slither_actors.wire.frames import CALL, FREED, FROM_HOST, REPLY, FrameParser, pack_frame
from slither_actors.worker.channel import Channel

LARGE = b"x" * 1_000_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    with ExitStack() as stack:
        ends = os.pipe()
        for fd in ends:
            stack.callback(os.close, fd)
            os.set_blocking(fd, False)
        yield ends


class Worker:
    """Reads what the host has sent, when it is asked to."""

    def __init__(self, host: LocalHost, pipe: tuple[int, int]) -> None:
        self._requests, host._worker = pipe[0], types.SimpleNamespace(request=pipe[1])  # type: ignore[assignment]
        self._parser = FrameParser(accepts=FROM_HOST)
        self._host = host

    def hears(self) -> list[tuple[int, bytes]]:
        frames = []
        while True:
            try:
                frames += self._parser.received(os.readv(self._requests, [self._parser.buffer()]))
            except BlockingIOError:
                if not self._host._out:
                    return [(frame.kind, frame.body[:5]) for frame in frames]
                self._host.flush()


@pytest.fixture
def host() -> LocalHost:
    executor = types.SimpleNamespace(scheduler=None, add_writer=lambda *_: None, remove_writer=lambda *_: None)
    return LocalHost(executor, None, None, PoolSpec(), None, None, None)  # type: ignore[arg-type]


def test_a_worker_is_told_once_and_only_after_something_large(host: LocalHost, pipe: tuple[int, int]) -> None:
    worker = Worker(host, pipe)
    host.send([pack_frame(CALL, 1, b"small")])
    host.flush()
    host.trim()
    assert worker.hears() == [(CALL, b"small")]
    host.send([pack_frame(CALL, 2, LARGE)])
    host.flush()
    host.trim()
    host.trim()
    assert worker.hears() == [(CALL, b"xxxxx"), (FREED, b"")]
    host.trim()
    assert worker.hears() == []


def test_after_a_large_reply_the_host_keeps_nothing(host: LocalHost, pipe: tuple[int, int]) -> None:
    worker = Worker(host, pipe)
    read_in(host._parser, pack_frame(REPLY, 1, LARGE, count=1), 1 << 20)
    assert host._parser.spares == 1
    host.trim()
    assert host._parser.spares == 0
    assert worker.hears() == [(FREED, b"")]


def test_a_worker_that_is_told_keeps_nothing(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    channel = Channel(reading, writing)
    os.set_blocking(reading, False)
    frames = read_in(channel._parser, pack_frame(CALL, 1, LARGE) + pack_frame(FREED, 0), 1 << 20)
    assert channel._parser.spares == 1
    channel.freed(frames[1])
    assert channel._parser.spares == 0
