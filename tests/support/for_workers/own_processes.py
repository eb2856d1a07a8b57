"""Functions that treat the process they run in as their own. Runs on Python 3.9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

CHILD = """
import signal
ignored = sorted(int(n) for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN)
print(ignored, sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))))
"""


def close_all(payloads):
    """Close what a daemonizing library closes, then open the files given."""
    kind, path, count = payloads
    if kind == "range":
        os.closerange(3, 4096)
    elif kind == "small range":
        os.closerange(3, 256)
    elif kind == "each":
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2:
                try:
                    os.close(int(name))
                except OSError:
                    pass
    elif kind == "replace":
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        for name in os.listdir("/proc/self/fd"):
            try:
                if int(name) > 2 and int(name) != fd:
                    os.dup2(fd, int(name))
            except OSError:
                pass
        import time

        time.sleep(0.001)
        return payloads
    elif kind == "with stderr":
        os.closerange(2, 4096)
    for _ in range(count):
        os.open(path, os.O_WRONLY | os.O_CREAT)
    return payloads


def ignored_by_children(payloads):
    """What signals a program ignores or blocks that is started here."""
    return [subprocess.run([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, check=True).stdout.decode()] * len(
        payloads
    )


def interrupt_a_fork(payloads):
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.alarm(20)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        except KeyboardInterrupt:
            os._exit(7)
    return [os.waitpid(child, 0)[1] >> 8] * len(payloads)


def interrupts_itself(payloads):
    os.kill(os.getpid(), signal.SIGINT)
    return payloads


kept = []


def dies_with_a_child(payload):
    kept.append(subprocess.Popen(["sleep", "600"]))
    os.kill(os.getpid(), signal.SIGKILL)


def leaves_an_orphan(payload):
    """Its grandchild has another parent as soon as the child in between is gone, and ends at once."""
    child = os.fork()
    if not child:
        if not os.fork():
            import time

            time.sleep(0.05)
        os._exit(0)
    os.waitpid(child, 0)
    return payload


def hangs(payload):
    signal.pause()


def double(payload):
    return 2 * payload
