"""Descriptors: one selector, a reader and a writer for each descriptor, and a pipe that wakes it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import selectors
from collections.abc import Callable, Iterator
from itertools import chain, repeat, starmap
from typing import Any

from supervisors.runtime.descriptors import close_all, lowest
from supervisors.runtime.mailbox import MailboxTarget

__all__ = ["Poller"]

_Slot = tuple[Callable[[], object], MailboxTarget | None]
# [reader, writer]; the index is the direction, and 1 << direction the selector's event bit.
_Slots = list[_Slot | None]

assert (selectors.EVENT_READ, selectors.EVENT_WRITE) == (1, 2)

# Longer waits are cut: epoll takes its timeout as an int of milliseconds; and if other code has closed the selector's
# descriptor, which nothing reports to the thread that waits for it, the next wait finds out.
_LONGEST = 5.0


_CLOSED = "a descriptor of this scheduler was closed by other code of this process (os.closerange after its start?)"


def _selector() -> selectors.BaseSelector:
    """Return the best selector of the system, on a high descriptor if possible."""
    selector = selectors.DefaultSelector()
    epoll: Any = getattr(selector, "_selector", None)
    kind: Any = getattr(select, "epoll", None)
    if kind is not None and type(epoll) is kind:
        with contextlib.suppress(OSError):
            (selector._selector,) = map(kind.fromfd, _copies([epoll.fileno()]))  # type: ignore[attr-defined]
            epoll.close()
    return selector


def _copies(descriptors: list[int]) -> Iterator[int]:
    """Return copies with high numbers."""
    return map(fcntl.fcntl, descriptors, repeat(fcntl.F_DUPFD_CLOEXEC), repeat(lowest()))


# `os.write` gives the interpreter lock away between its look at the descriptor's number and its use.
_write = ctypes.PyDLL(None, use_errno=True).write
_write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_write.restype = ctypes.c_ssize_t


class Poller:
    """A selector with a wake-up pipe. All but `wake` on one thread only. Owns: the selector's descriptor, the pipe."""

    OWN = 3
    """How many descriptors it has itself."""

    def __init__(self) -> None:
        self._selector = _selector()
        self._slots: dict[int, _Slots] = {}
        self._wake_read = -1
        self._wake_write = ctypes.c_int(-1)
        self._low: list[int] = []
        self._ends: list[int] = []
        try:
            # Within one call of C code, with the list: an interrupt comes before it or after, and loses none.
            self._low.extend(chain.from_iterable(starmap(os.pipe, [()])))
            try:
                self._ends.extend(_copies(self._low))
            except OSError:  # no descriptor, or no high one, is left
                close_all(self._ends)
                self._ends, self._low = self._low, self._ends
            close_all(self._low)
            self._wake_read, self._wake_write.value = self._ends
            os.set_blocking(self._wake_read, False)
            os.set_blocking(self._wake_write.value, False)
            self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """The number of registered descriptors, without its own."""
        return len(self._slots)

    def add(self, fd: int, direction: int, fn: Callable[[], object], owner: MailboxTarget | None) -> None:
        """Set the reader (direction 0) or writer (1) of fd.

        Raises:
            OSError: the descriptor is closed, or of a kind that cannot be polled (a regular file).
            ValueError: it is not a descriptor.
        """
        slots = self._slots.get(fd)
        if slots is None:
            slots = [None, None]
            slots[direction] = (fn, owner)
            self._selector.register(fd, 1 << direction, slots)
            self._slots[fd] = slots
        else:
            before = slots[direction]
            if before is None:
                self._selector.modify(fd, 3, slots)
            slots[direction] = (fn, owner)
            if before is not None and before[1] is not owner:
                self._forget_owner(fd, slots, before[1])
        if owner is not None:
            if owner._descriptors is None:
                owner._descriptors = set()
            owner._descriptors.add(fd)

    def remove(self, fd: int, direction: int) -> bool:
        """Remove the reader (0) or writer (1) of fd. False if there is none."""
        slots = self._slots.get(fd)
        if slots is None:
            return False
        slot = slots[direction]
        if slot is None:
            return False
        slots[direction] = None
        if slots[1 - direction] is None:
            del self._slots[fd]
            # KeyError: a modify that failed has unregistered it.
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)
        else:
            # OSError: closed before it was removed; the kernel has forgotten it already.
            with contextlib.suppress(OSError, KeyError):
                self._selector.modify(fd, 1 << (1 - direction), slots)
        self._forget_owner(fd, slots, slot[1])
        return True

    def remove_owner(self, owner: MailboxTarget) -> None:
        """Remove all readers and writers of one owner."""
        descriptors = owner._descriptors
        owner._descriptors = None
        for fd in descriptors or ():
            slots = self._slots.get(fd)
            if slots is not None:
                for direction in (0, 1):
                    slot = slots[direction]
                    if slot is not None and slot[1] is owner:
                        self.remove(fd, direction)

    def poll(self, timeout: float | None) -> list[tuple[_Slots, int]]:
        """Wait up to `timeout` seconds (None, or very long: some seconds). Returns what is ready but its own pipe."""
        if timeout is None or timeout > _LONGEST:
            timeout = _LONGEST
        found: list[tuple[_Slots, int]] = []
        try:
            ready = self._selector.select(timeout)
        except OSError as error:
            if error.errno == errno.EBADF:
                raise OSError(error.errno, _CLOSED) from None
            raise
        for key, mask in ready:
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            else:
                found.append((key.data, mask))
        return found

    def wake(self) -> None:
        """End a `poll` that waits, or the next one. From any thread, never blocks, takes no lock.

        C code looks at the number and writes while it holds the interpreter lock, so `close` comes before or after:
        nothing is written to what has the number next. A pipe that is full of wake-ups needs no further one. If other
        code has closed it, the thread that waits finds out when its wait is over.
        """
        _write(self._wake_write, b"\0", 1)

    def close(self) -> None:
        """Close the selector and the pipe. The registered descriptors stay open: their owners close them."""
        self._slots.clear()
        with contextlib.suppress(OSError):  # other code has closed it
            self._selector.close()
        self._close_pipe()

    def _close_pipe(self) -> None:
        self._wake_write.value = self._wake_read = -1
        close_all(self._ends)
        close_all(self._low)

    def __del__(self) -> None:
        if hasattr(self, "_ends"):  # else it was interrupted before there were any
            self._close_pipe()

    def close_raw(self) -> None:
        """In a forked child: only os.close. To unregister there would edit the parent's epoll set."""
        self.close()

    @staticmethod
    def _forget_owner(fd: int, slots: _Slots, owner: MailboxTarget | None) -> None:
        if owner is not None and owner._descriptors is not None and all(s is None or s[1] is not owner for s in slots):
            owner._descriptors.discard(fd)
