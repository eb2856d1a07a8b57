"""Reads and writes of small pieces that keep the interpreter lock.

`os.read` and `os.write` give the lock away for the time of the call. For a kilobyte on a non-blocking pipe the call
takes a microsecond or two, while a thread that computes takes the lock at once and gives it back after a switch
interval, 5 ms. With a busy thread in the host each call of the scheduler would cost that much. Called by way of
`ctypes.PyDLL` the same functions keep the lock, so that a turn of the scheduler waits for it once, however many workers
it reads and writes.

Large pieces are another matter: while the kernel copies a megabyte other threads should run. They go through `os`.
"""

from __future__ import annotations

import ctypes
import errno
import os

_libc = ctypes.PyDLL(None, use_errno=True)
_read = _libc.read
_read.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_read.restype = ctypes.c_ssize_t
_write = _libc.write
_write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_write.restype = ctypes.c_ssize_t

LARGE = 64 * 1024
"""Bytes from which on a copy by the kernel takes so long (10 us) that other threads should run meanwhile."""


def address_of(buffer: bytearray) -> int:
    """Where a bytearray is in memory; it cannot be resized as long as the caller keeps what `pinned` gives."""
    return ctypes.addressof(pinned(buffer))


def pinned(buffer: bytearray) -> ctypes.Array[ctypes.c_char]:
    """Return an object that keeps a bytearray where it is."""
    return (ctypes.c_char * len(buffer)).from_buffer(buffer)


def read_to(fd: int, address: int, size: int) -> int:
    """Read up to `size` bytes from a non-blocking descriptor.

    Returns:
        How many came; 0 at the end of the file.

    Raises:
        BlockingIOError: there is nothing at the moment.
        OSError: as `os.read` would.
    """
    while True:
        count: int = _read(fd, address, size)
        if count >= 0:
            return count
        _raise_unless_interrupted()


def write(fd: int, data: bytes) -> int:
    """Write to a non-blocking descriptor.

    Returns:
        How many bytes went.

    Raises:
        BlockingIOError: there is no room at the moment.
        BrokenPipeError: the read end is closed.
        OSError: as `os.write` would.
    """
    while True:
        count: int = _write(fd, data, len(data))
        if count >= 0:
            return count
        _raise_unless_interrupted()


def _raise_unless_interrupted() -> None:
    code = ctypes.get_errno()
    if code != errno.EINTR:
        raise OSError(code, os.strerror(code))
