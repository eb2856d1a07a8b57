"""The memory that a pool and its workers share, from both sides in one process."""

from __future__ import annotations

import gc
import os
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

from slither_actors import PoolSpec
from slither_actors.pools import shared_memory as arenas
from slither_actors.pools.hosts.local import LocalHost
from slither_actors.pools.shared_memory import Lease, ReplyArena, RequestArena, memory_file
from slither_actors.wire import shared_memory
from slither_actors.wire.frames import REPLY, SHARED, Frame, ProtocolError, pack_header
from slither_actors.wire.shared_memory import Arena, Mapped, freed_body, freed_parts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no such files elsewhere")
MIB = 1 << 20


def reply(offset: int, size: int) -> Frame:
    frame = Frame(REPLY, SHARED, 1, 7, 1, 0, b"", b"\x90", memoryview(offset.to_bytes(8, "little")))
    frame.shared_size = size
    return frame


@pytest.fixture
def requests() -> Iterator[RequestArena]:
    arena = RequestArena(8 * MIB)
    yield arena
    arena.close()


@pytest.fixture
def worker_file() -> Iterator[int]:
    fd = memory_file(4 * MIB)
    yield fd
    os.close(fd)


def test_a_worker_finds_what_was_put_and_cannot_write_it(requests: RequestArena) -> None:
    lease = requests.put([b"abc", memoryview(b"defg")], 7)
    assert lease is not None
    fd = requests.for_workers()
    try:
        frame = reply(lease.offset, lease.size)
        Mapped(fd).look_up(frame)
        assert bytes(frame.buffers) == b"abcdefg"
        assert frame.buffers.readonly
        with pytest.raises(OSError):  # noqa: PT011  # EBADF, or EPERM
            os.write(fd, b"x")
        with pytest.raises(PermissionError):
            Arena(fd)
        with pytest.raises(OSError):  # noqa: PT011  # EINVAL or EPERM: the size is sealed
            os.ftruncate(fd, 0)
    finally:
        del frame
        os.close(fd)


def test_a_place_is_free_again_when_nobody_holds_its_lease(requests: RequestArena) -> None:
    leases = [requests.put([bytes(MIB)], MIB) for _ in range(8)]
    assert all(lease is not None for lease in leases)
    assert requests.put([b"x"], 1) is None  # full: the pipe has to do
    offset = leases[3].offset if leases[3] is not None else -1
    leases[3] = None
    again = requests.put([b"y" * MIB], MIB)
    assert again is not None
    assert again.offset == offset


def test_leases_may_end_in_any_thread_also_inside_a_put(requests: RequestArena) -> None:
    def work() -> None:
        for _ in range(300):
            lease = requests.put([b"z" * 5000], 5000)
            assert lease is None or len(lease) == 5000

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    requests.trim()
    assert requests.used == 0


def test_what_is_trimmed_can_be_used_again(requests: RequestArena) -> None:
    lease = requests.put([b"abc"], 3)
    requests.trim()  # that is in use, and stays
    fd = requests.for_workers()
    mapped = Mapped(fd)
    os.close(fd)
    assert lease is not None
    frame = reply(lease.offset, 3)
    mapped.look_up(frame)
    assert bytes(frame.buffers) == b"abc"
    del lease
    requests.trim()
    assert bytes(frame.buffers) == b"\0\0\0"  # the memory is the system's again
    assert requests.put([b"def"], 3) is not None
    assert bytes(frame.buffers) == b"def"


def test_what_is_not_in_use_is_trimmed_between_what_is(worker_file: int) -> None:
    arena = Arena(worker_file)
    places = [arena.put([bytes([number]) * MIB], MIB) for number in range(1, 4)]
    assert None not in places
    held = os.fstat(worker_file).st_blocks
    arena.extents.give(places[1] or 0, MIB)
    arena.trim()
    assert os.fstat(worker_file).st_blocks * 3 == held * 2
    assert [os.pread(worker_file, MIB, place or 0) for place in places] == [b"\1" * MIB, b"\0" * MIB, b"\3" * MIB]


def test_where_pages_are_larger_only_whole_ones_are_trimmed(worker_file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "PAGESIZE", 4 * 4096)  # to the real one as one of 16 KiB is to ours
    arena = Arena(worker_file)
    places = [arena.put([bytes([number]) * 4096], 4096) for number in range(1, 17)]
    for place in places[1:14]:  # from the second page of the first large one to the second of the fourth
        arena.extents.give(place or 0, 4096)
    arena.trim()
    assert [os.pread(worker_file, 1, place or 0)[0] for place in places] == [1, 2, 3, 4, *[0] * 8, 13, 14, 15, 16]


def test_where_the_system_refuses_to_trim_nothing_happens(worker_file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "_MADV_REMOVE", 12345)
    arena = Arena(worker_file)
    place = arena.put([b"abc"], 3)
    arena.extents.give(place or 0, 3)
    arena.trim()
    assert os.pread(worker_file, 3, 0) == b"abc"


def test_closed_arena_takes_nothing_and_its_descriptor_is_gone() -> None:
    arena = RequestArena(MIB)
    fds = arena.descriptors()
    assert len(fds) == 2
    arena.close()
    arena.close()
    assert arena.put([b"x"], 1) is None
    assert arena.for_workers() == -1
    assert arena.descriptors() == []
    for fd in fds:
        with pytest.raises(OSError):  # noqa: PT011
            os.fstat(fd)


def test_without_a_worker_that_can_read_it_there_is_no_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_proc(path: str, flags: int) -> int:
        raise FileNotFoundError(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", no_proc)
        arena = RequestArena(MIB)
    assert arena.descriptors() == []
    assert arena.for_workers() == -1
    assert arena.put([b"x"], 1) is None


def test_a_reply_that_cannot_be_mapped_is_a_protocol_error() -> None:
    read, write = os.pipe()  # which cannot be mapped
    try:
        frames = [reply(0, 1)]
        error = ReplyArena(read).resolve(frames)
        assert isinstance(error, ProtocolError)
        assert frames == []
    finally:
        os.close(read), os.close(write)


def test_what_came_before_the_broken_place_is_looked_up_too(worker_file: int) -> None:
    heard: list[Any] = []
    sink = types.SimpleNamespace(
        on_frames=lambda frames: heard.extend(bytes(frame.buffers) for frame in frames), on_broken=heard.append
    )
    executor = types.SimpleNamespace(scheduler=None, remove_reader=lambda fd: None)
    host = LocalHost(executor, sink, None, PoolSpec(), None, None, None)  # type: ignore[arg-type]
    worker = Arena(worker_file)
    offset = worker.put([b"abc"], 3)
    assert offset is not None
    read, write = os.pipe()
    try:
        header = pack_header(REPLY, 7, flags=SHARED, count=1, body_len=1, buffers_len=3)
        os.write(write, header + b"\x90" + offset.to_bytes(8, "little") + b"a stray word")
        host._worker, host._reading = types.SimpleNamespace(reply=read), True  # type: ignore[assignment]
        host._replies = ReplyArena(worker_file)
        host.read()
    finally:
        os.close(read), os.close(write)
    assert heard[0] == b"abc"
    assert isinstance(heard[1], ProtocolError)
    assert heard[1].reason == "magic"


def test_where_the_system_has_no_such_files_there_is_no_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    arena = RequestArena()
    assert arena.for_workers() == -1
    assert arena.put([b"x"], 1) is None
    assert arena.descriptors() == []
    arena.trim()
    arena.close()


def test_a_file_that_cannot_be_sealed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no seals here")

    monkeypatch.setattr(arenas.fcntl, "fcntl", refuse)
    before = os.listdir("/proc/self/fd")
    assert memory_file(MIB) == -1
    assert os.listdir("/proc/self/fd") == before


def test_places_of_replies_are_returned_once_with_the_frame(worker_file: int) -> None:
    theirs = Arena(worker_file)
    offset = theirs.put([b"result"], 6)
    assert offset is not None
    arena = ReplyArena(worker_file)
    plain = Frame(REPLY, 0, 1, 6, 1, 0, b"", b"\x90")
    frames = [plain, reply(offset, 6)]
    assert arena.resolve(frames) is None
    assert bytes(frames[1].buffers) == b"result"
    assert frames[1].buffers.readonly
    assert arena.take_back() == []
    del frames[1]
    parts = arena.take_back()
    assert parts == [(offset, 6)]
    assert arena.take_back() == []
    for part in freed_parts(freed_body(parts)):
        theirs.extents.give(*part)
    assert theirs.extents.used == 0


@pytest.mark.parametrize(("offset", "size"), [(4 * MIB, 1), (0, 4 * MIB + 1), (2**64 - 1, 1), (1, 4 * MIB)])
def test_a_reply_outside_the_arena_is_a_protocol_error(worker_file: int, offset: int, size: int) -> None:
    arena = ReplyArena(worker_file)
    frames = [reply(0, 8), reply(offset, size), reply(0, 8)]
    error = arena.resolve(frames)
    assert isinstance(error, ProtocolError)
    assert error.reason == "body"
    assert len(frames) == 1


def test_a_shared_reply_without_sharing_is_a_protocol_error() -> None:
    assert isinstance(ReplyArena(-1).resolve([reply(0, 8)]), ProtocolError)


def test_a_list_of_freed_parts_has_whole_pairs() -> None:
    with pytest.raises(ProtocolError):
        freed_parts(b"x" * 17)


def test_a_lease_tells_its_size() -> None:
    assert len(Lease(0, 5, arenas.deque())) == 5
