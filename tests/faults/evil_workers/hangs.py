"""Never ends. Each writes its pid to the file that the first payload names."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time


def note(payloads):
    with open(payloads[0], "a") as file:
        file.write(f"{os.getpid()}\n")


def in_python(payloads):
    note(payloads)
    while True:
        time.sleep(3600)


def in_a_busy_loop(payloads):
    note(payloads)
    while True:
        pass


def in_c_with_the_interpreter_lock(payloads):
    note(payloads)
    ctypes.PyDLL(None).sleep(3600)


def and_ignores_signals(payloads):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    in_python(payloads)


def and_blocks_signals(payloads):
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    in_python(payloads)


def stops_itself(payloads):
    note(payloads)
    os.kill(os.getpid(), signal.SIGSTOP)


def catches_everything(payloads):
    note(payloads)
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass


def with_children(payloads):
    """A child and a child of that child, all of whose pids are written to the file."""
    script = (
        "import os, sys, time\n"
        "if pid := os.fork():\n"
        "    with open(sys.argv[1], 'a') as file:\n"
        "        file.write(f'{os.getpid()}\\n{pid}\\n')\n"
        "time.sleep(3600)\n"
    )
    note(payloads)
    os.posix_spawn(sys.executable, [sys.executable, "-c", script, payloads[0]], os.environ)
    time.sleep(3600)


def ignores_the_end(payloads):
    """Not in this batch: when it is asked to stop."""
    import atexit

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    atexit.register(time.sleep, 3600)
    return [os.getpid()] * len(payloads)
