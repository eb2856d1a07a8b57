"""Never end, with a family: a child and a child of that child, which ignore all signals that can be ignored.

The first payload names a file; all three pids are written to it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

CHILD = """
import os, signal, sys, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
child = os.fork()
if child:
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n{child}\\n")
time.sleep(3600)
"""


def _found_a_family(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")
    os.posix_spawn(sys.executable, [sys.executable, "-c", CHILD, path], os.environ)
    while True:
        with open(path) as file:
            if file.read().count("\n") >= 3:
                return
        time.sleep(0.002)


def spins(payloads):
    _found_a_family(payloads[0])
    while True:
        pass


def hangs_in_c(payloads):
    """With the interpreter lock, so that no thread of the worker's could do anything."""
    _found_a_family(payloads[0])
    ctypes.PyDLL(None).sleep(3600)
