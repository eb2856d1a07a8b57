"""Ends its worker in mid-batch, in all the ways there are."""

from __future__ import annotations

import ctypes
import os
import sys
import threading


def exits_in_c(payloads):
    """As os._exit does: no exception, no cleaning up."""
    os._exit(payloads[0])


def exits(payloads):
    sys.exit(payloads[0])


def exits_beside_a_thread(payloads):
    """A thread of the user's that is no daemon would keep the interpreter from ending."""
    threading.Thread(target=threading.Event().wait).start()
    sys.exit(payloads[0])


def raises_base(payloads):
    class Odd(BaseException):
        pass

    raise Odd("no Exception")


def interrupts_itself(payloads):
    raise KeyboardInterrupt


def segfaults(payloads):
    ctypes.string_at(0)


def segfaults_deep(payloads, depth=900):
    """With a stack and a stderr that are to be bounded where they are kept."""
    if depth:
        segfaults_deep(payloads, depth - 1)
    for _ in range(10_000):
        os.write(2, b"w" * 999 + b"\n")
    segfaults(payloads)


def aborts_on_negative(payloads):
    if min(payloads) < 0:
        os.abort()
    return payloads
