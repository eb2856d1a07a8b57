"""Functions that hang at a line that is known by the name of its function. Each writes its pid to the first payload."""

import ctypes
import faulthandler
import os
import signal
import threading
import time

from slither_actors.worker import Adapter, command


def note(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")


def waits_in_python(secret):
    while True:
        time.sleep(3600)


def waits_in_c(secret):
    ctypes.PyDLL(None).sleep(3600)


def in_python(payloads):
    note(payloads[0])
    waits_in_python("a secret")


def one_in_python(payload):
    in_python([payload])


def in_c(payloads):
    note(payloads[0])
    waits_in_c("a secret")


def in_a_thread_too(payloads):
    begun = threading.Event()

    def waits_beside():
        begun.set()
        waits_in_python("a secret")

    threading.Thread(target=waits_beside, daemon=True).start()
    begun.wait()
    in_c(payloads)


def deep(payloads, depth=400):
    if depth:
        deep(payloads, depth - 1)
    in_python(payloads)


def with_the_signal_blocked(payloads):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    in_python(payloads)


def with_the_signal_at_its_default(payloads):
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        signal.signal(number, signal.SIG_DFL)
    in_python(payloads)


def with_a_handler_of_its_own(payloads):
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        faulthandler.register(number, file=2)
    in_python(payloads)


def answers_at_the_signal(payloads):
    """What comes after the deadline does not count, also if it is the answer."""

    def over(number, frame):
        raise TimeoutError

    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        signal.signal(number, over)
    try:
        in_python(payloads)
    except TimeoutError:
        return payloads


def over_closed_descriptors(payloads):
    """Its files get the numbers that it has closed: nothing of ours is to be written into them."""
    note(payloads[0])
    os.closerange(3, 100)
    files = [open(f"{payloads[0]}.{number}", "w") for number in range(20)]  # noqa: SIM115
    waits_in_python(files)


class Hangs(Adapter):
    def init(self, path):
        note(path)
        waits_in_python(path)

    @command
    def never(self, batch):
        return batch
