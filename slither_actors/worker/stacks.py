"""Where a worker is: the Python frames of all its threads, on a signal, for a host that is about to kill it.

``faulthandler`` writes them from inside the signal's handler. It needs neither the interpreter lock nor memory, so this
works even if a C function never releases the lock, and it writes files, lines and names of functions, never values.
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


def tell_stack(lifeline_fd: int) -> None:
    """Write the stacks of all threads into the lifeline whenever the signal comes.

    Args:
        lifeline_fd: a high number: a function that closes what it does not know and then opens a file gets a low one,
            and must not find a stack in its file.
    """
    if not STACK_SIGNAL:
        return
    faulthandler.register(STACK_SIGNAL, file=lifeline_fd, all_threads=True, chain=False)
    os.register_at_fork(after_in_child=lambda: faulthandler.unregister(STACK_SIGNAL))
