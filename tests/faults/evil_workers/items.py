"""Functions that crash or hang at one item, and those of batches that say at which item they are."""

from __future__ import annotations

import ctypes
import os
import signal
import time

from slither_actors.worker import Adapter, command, progress


def _raise():
    raise ValueError("no")


DEEDS = {
    "raise": _raise,
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "hang": lambda: time.sleep(3600),
    "hang_in_c": lambda: ctypes.PyDLL(None).sleep(3600),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}


def does(payload):
    """A number is given back; a text names the deed."""
    return payload if isinstance(payload, int) else DEEDS[payload]()


def logs_and_does(pair):
    """A log and a payload: each execution leaves a line in the log."""
    log, payload = pair
    with open(log, "a") as file:
        file.write(f"{payload}\n")
    return does(payload)


def once(pair):
    """A marker and a payload: the deed is done where there is no marker yet."""
    marker, payload = pair
    if isinstance(payload, int):
        return payload
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 0
    return DEEDS[payload]()


def naps(seconds):
    time.sleep(seconds)
    return seconds


def pass_gate(pair):
    """A value and a gate or None: say that it was reached, and wait until it is open."""
    value, gate = pair
    if gate is not None:
        with open(gate + ".begun", "a") as file:
            file.write(f"{os.getpid()}\n")
        while not os.path.exists(gate):
            time.sleep(0.002)
    return value


def deed_behind_gate(pair):
    """As pass_gate; then a text is a deed, and a negative value is an error."""
    value = does(pass_gate(pair))
    if value < 0:
        raise ValueError(value)
    return value


def forks(payload):
    """A child goes on where its parent was: it must not say where the parent is."""
    if payload == "fork" and not os.fork():
        return payload
    if payload == "fork":
        os.wait()
        return 0
    return does(payload)


# --- of batches


def does_all(payloads):
    return [does(payload) for payload in payloads]


def says_and_does_all(payloads):
    results = []
    for index, payload in enumerate(payloads):
        progress(index)
        results.append(does(payload))
    return results


def says_and_naps(payloads):
    for index, payload in enumerate(payloads):
        progress(index)
        time.sleep(payload)
    return payloads


def says_wrongly(payloads):
    """The second payload is what is said of the first."""
    progress(payloads[0])
    return payloads


class Says(Adapter):
    @command
    def does(self, batch):
        return {"items": says_and_does_all(batch["items"])}
