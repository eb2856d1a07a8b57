"""The memory that a pool shares with its workers, as the host holds it; see `slither_actors.wire.shared_memory`."""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, final

from slither_actors.wire.header import SHARED, Frame, ProtocolError
from slither_actors.wire.shared_memory import Arena, Mapped
from supervisors.runtime.descriptors import close, raised

REQUESTS = 64 << 20
"""Bytes of address space for the requests of a pool. Memory is used for what is in flight, and only for large buffers;
beyond that they go through the pipe."""
REPLIES = 64 << 20
"""The same for the replies of one worker."""


def memory_file(size: int) -> int:
    """Return the descriptor of a file without a name and of a sealed size; -1 where the system has none (macOS)."""
    try:
        fd = os.memfd_create("slither_actors", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):
        return -1
    fd = raised(fd)
    try:
        os.ftruncate(fd, size)
        # Without these seals a worker could shorten the file, and reading what is gone is a SIGBUS for the host.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(fd)
        return -1
    return fd


@final
class Lease:
    """A part of an arena in use; free again once the last reference to this is gone."""

    __slots__ = ("_freed", "offset", "size")

    def __init__(self, offset: int, size: int, freed: deque[tuple[int, int]]) -> None:
        self.offset = offset
        self.size = size
        self._freed = freed

    def __len__(self) -> int:
        return self.size

    def __del__(self) -> None:
        # From any thread, within anything: an append is all that may be done here.
        self._freed.append((self.offset, self.size))


class RequestArena:
    """Where the large buffers of a pool's requests are put. Workers can only read it. Thread-safe.

    Args:
        size: bytes; no memory is used before something is put there.
    """

    def __init__(self, size: int = REQUESTS) -> None:
        self._fd = memory_file(size)
        self._read_only = -1
        if self._fd >= 0:
            try:
                self._read_only = raised(os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC))
            except OSError:  # no /proc, or no descriptor left: then nothing is shared
                os.close(self._fd)
                self._fd = -1
        self._arena: Arena | None = None
        self._freed: deque[tuple[int, int]] = deque()
        self._lock = threading.Lock()
        self._closed = self._fd < 0
        self._touched = False  # since it was trimmed

    @property
    def used(self) -> int:
        """Bytes in use, or freed so recently that it was not noticed yet."""
        arena = self._arena
        return arena.extents.used if arena is not None else 0

    def descriptors(self) -> list[int]:
        """For a forked child to close."""
        return [fd for fd in (self._fd, self._read_only) if fd >= 0]

    def for_workers(self) -> int:
        """Return a new descriptor, for reading, that a worker inherits; -1 where nothing is shared, for any worker.

        Raises:
            OSError: no descriptor is left.
        """
        with self._lock:
            return os.dup(self._read_only) if self._read_only >= 0 else -1

    def put(self, buffers: Sequence[Any], size: int) -> Lease | None:
        """Copy buffers, `size` bytes together, to where workers find them; None where there is no room for them."""
        if self._closed:
            return None
        with self._lock:
            arena = self._arena
            if arena is None:
                try:
                    arena = self._arena = Arena(self._fd)
                except (OSError, ValueError):  # no address space left, say: the pipe will do
                    self._closed = True
                    return None
            self._touched = True
            self._take_back(arena)
            offset = arena.extents.take(size)
        if offset is None:
            return None
        lease = Lease(offset, size, self._freed)
        arena.fill(offset, buffers)
        return lease

    def trim(self) -> None:
        """Give the memory back that nothing is in."""
        with self._lock:
            if self._arena is not None and self._touched:
                self._take_back(self._arena)
                self._arena.trim()
                self._touched = self._arena.extents.used > 0

    def close(self) -> None:
        """Nothing more is put; what is in use stays until it is not."""
        self._closed = True
        with self._lock:
            self._arena = None
            fds = self.descriptors()
            self._fd = self._read_only = -1
        for fd in fds:
            close(fd)

    def _take_back(self, arena: Arena) -> None:
        freed = self._freed
        while freed:
            arena.extents.give(*freed.popleft())


class ReplyArena:
    """Where one worker puts the large buffers of its replies. For the scheduler's thread; leases end in any.

    Args:
        fd: of its file, which stays its owner's; -1: there is none.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._mapped: Mapped | None = None
        self.touched = False
        """Whether the worker has used it since it was last trimmed."""
        self.leased = 0
        """Parts that are looked at, or were and the worker has not heard of it."""
        self._freed: deque[tuple[int, int]] = deque()

    def resolve(self, frames: list[Frame]) -> ProtocolError | None:
        """Have the frames with shared buffers show them, and keep those in use as long as the frame is there.

        Returns:
            What is wrong with a frame; it and those behind it are then gone from the list.
        """
        for index, frame in enumerate(frames):
            if frame.flags & SHARED:
                try:
                    self._resolve(frame)
                except ProtocolError as error:
                    del frames[index:]
                    return error
        return None

    def _resolve(self, frame: Frame) -> None:
        if self._mapped is None:
            if self._fd < 0:
                raise ProtocolError("body", "a frame with shared buffers, and no memory is shared with this worker")
            try:
                self._mapped = Mapped(self._fd)
            except (OSError, ValueError) as error:  # no address space left, say
                raise ProtocolError("too_large", f"shared memory cannot be mapped: {error}") from error
        self.touched = True
        offset = self._mapped.look_up(frame)
        self.leased += 1
        frame.lease = Lease(offset, frame.shared_size, self._freed)

    def take_back(self) -> list[tuple[int, int]]:
        """Return the parts that are not looked at any more, each once: the worker is to be notified of them."""
        freed = self._freed
        count = len(freed)
        self.leased -= count
        return [freed.popleft() for _ in range(count)]
