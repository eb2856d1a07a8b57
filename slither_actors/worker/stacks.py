"""Where a worker is: the Python frames of all its threads, on a signal, for a host that is about to kill it.

``faulthandler`` writes them from inside the signal's handler. It needs neither the interpreter lock nor memory, so this
works while a C function holds the lock for ever, and it writes files, lines and names of functions, never values.
"""

from __future__ import annotations

import faulthandler
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

STACK_SIGNAL: Final[int] = signal.SIGRTMAX - 2 if hasattr(signal, "SIGRTMAX") else getattr(signal, "SIGINFO", 0)
"""The signal that asks for them; 0: there is none. Signal 62 on Linux, where C libraries agree on SIGRTMAX and not on
SIGRTMIN, and where libraries count upwards from SIGRTMIN and programs use SIGUSR1 and SIGUSR2. A function that installs
a handler of its own for it gets the signal, and the host gets no stack."""

_NUMBERS: Final = (1000, 250, 60)
"""Descriptors to write to, the first that can be had. High ones: a function that closes what it does not know and then
opens a file gets a low one, and must not find a stack in its file."""


def tell_stack(lifeline_fd: int) -> None:
    """Write the stacks of all threads into the lifeline whenever the signal comes."""
    if not STACK_SIGNAL:
        return
    fd = lifeline_fd
    for number in _NUMBERS:
        try:
            fd = os.dup2(lifeline_fd, number, inheritable=False)
        except OSError:  # above the limit of open files
            continue
        break
    faulthandler.register(STACK_SIGNAL, file=fd, all_threads=True, chain=False)

    def forget() -> None:
        faulthandler.unregister(STACK_SIGNAL)
        try:
            os.close(fd)
        except OSError:
            pass

    os.register_at_fork(after_in_child=forget)
