"""Waits while it is imported, for the file that the environment names."""

from __future__ import annotations

import os
import time

GATE = os.environ["IMPORT_GATE"]
with open(GATE + ".begun", "a") as file:
    file.write(f"{os.getpid()}\n")
while not os.path.exists(GATE):
    time.sleep(0.002)


def double(payloads):
    return [2 * payload for payload in payloads]
