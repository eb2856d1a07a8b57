"""Functions that kill their worker for some items."""

from __future__ import annotations

import os
import signal

signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # without faulthandler's trace, of which a test needs no hundreds


def kills(payload):
    """One at a time: (number, whether it is poison)."""
    number, poison = payload
    if poison:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def kills_list(payloads):
    """A whole batch."""
    return [kills(payload) for payload in payloads]


def fails_or_kills(payload):
    number, poison = payload
    if poison:
        os.kill(os.getpid(), signal.SIGSEGV)
    raise ValueError(number)
