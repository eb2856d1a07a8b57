"""Writes into its own reply pipe, or closes it: a worker whose user code found the descriptor."""

from __future__ import annotations

import os
import time


def reply_pipes():
    """Descriptors of pipes that can be written to, beyond the standard ones."""
    found = []
    for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
        if fd < 3:
            continue
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
                with open(f"/proc/self/fdinfo/{fd}") as info:
                    flags = int(next(line for line in info if line.startswith("flags")).split()[1], 8)
                if flags & os.O_ACCMODE == os.O_WRONLY:
                    found.append(fd)
        except OSError:
            pass
    return found


def writes(payloads):
    for fd in reply_pipes():
        os.write(fd, payloads[0])
    return payloads


def writes_and_dies(payloads):
    writes(payloads)
    os._exit(0)


def writes_and_is_silent(payloads):
    writes(payloads)
    time.sleep(3600)


def closes_it_and_lives_on(payloads):
    for fd in reply_pipes():
        os.close(fd)
    time.sleep(3600)


def closes_it_and_dies(payloads):
    for fd in reply_pipes():
        os.close(fd)
    os._exit(5)


def closes_it_and_returns(payloads):
    for fd in reply_pipes():
        os.close(fd)
    return payloads


def writes_later_on(triples):
    """A thread writes once the batch is done and the gate is open: (result, gate, data)."""
    import threading

    result, gate, data = triples[0]

    def wait():
        while not os.path.exists(gate):
            time.sleep(0.002)
        for fd in reply_pipes():
            os.write(fd, data)

    threading.Thread(target=wait, daemon=True).start()
    return [result]
