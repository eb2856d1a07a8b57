"""Kills the worker that imports it."""

from __future__ import annotations

import os
import signal

os.kill(os.getpid(), signal.SIGKILL)


def function(payloads):
    return payloads
