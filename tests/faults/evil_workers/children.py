"""Leaves a child behind that keeps all descriptors of the worker open, and dies or waits to be killed.

The payload is a file that the child's pid is written to, and what the worker does then.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

WAIT = "import time; time.sleep(3600)"


def _inherit_all():
    for fd in range(3, 64):
        try:
            os.set_inheritable(fd, True)
        except OSError:
            pass


def _start(script, setsid=False):
    """Not a Popen, whose end it would be warned of."""
    return os.posix_spawn(sys.executable, [sys.executable, "-c", script], os.environ, setsid=setsid)


def _note(path, pid):
    with open(path + ".new", "w") as file:
        file.write(f"{pid}\n")
    os.rename(path + ".new", path)


def _program(path):
    _inherit_all()
    _note(path, _start(WAIT))


def _in_a_session_of_its_own(path):
    """It left the worker's group, so that no signal to the group reaches it."""
    _inherit_all()
    _note(path, _start(WAIT, setsid=True))


def _forked_in_c(path):
    """Not by os.fork, whose hooks would close what is the worker's."""
    pid = ctypes.PyDLL(None).fork()
    if not pid:
        while True:
            time.sleep(3600)
    _note(path, pid)


def _that_prints_for_ever(path):
    script = "import os\nwhile True: os.write(2, b'x' * 65536)"
    _inherit_all()
    _note(path, _start(script, setsid=True))


KINDS = {
    "program": _program,
    "session": _in_a_session_of_its_own,
    "fork in C": _forked_in_c,
    "prints": _that_prints_for_ever,
}


def leaves(payloads):
    """A payload (kind, path, signal): and then kills itself with that signal; with 0 it exits, with None it returns."""
    for kind, path, number in payloads:
        KINDS[kind](path)
        if number == 0:
            os._exit(0)
        elif number is not None:
            os.kill(os.getpid(), number)
    return payloads


def replies_late(payloads):
    """A child in a session of its own waits for its parent's death and for a gate, then writes into the reply pipe."""
    from scribbles import reply_pipes

    path, gate, data = payloads[0]
    worker = os.getpid()
    pid = ctypes.PyDLL(None).fork()
    if pid:
        _note(path, pid)
        time.sleep(3600)
    os.setsid()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    while os.getppid() == worker or not os.path.exists(gate):
        time.sleep(0.002)
    said = "wrote"
    for fd in reply_pipes():
        try:
            os.write(fd, data)
        except BrokenPipeError:
            said = "broken"
    _note(path + ".said", said)
    os._exit(0)
