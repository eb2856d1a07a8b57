"""Functions for workers in the tests of whole runs; imported there by name. Gates are files: see support.gates."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

from slither_actors.worker import Adapter, command, session


def double(payloads):
    return [2 * payload for payload in payloads]


def square(payload):
    return payload * payload


def square_slowly(payload):
    time.sleep(0.005)
    return payload * payload


def sizes(payloads):
    """For each item, how many were in its batch."""
    return [len(payloads)] * len(payloads)


def pids(payloads):
    return [os.getpid()] * len(payloads)


def sleeps(payloads):
    time.sleep(max(payloads))
    return payloads


def naps(payloads):
    time.sleep(0.002)
    return payloads


def naps_for(pairs):
    """Pairs of a number and the seconds that a batch with it naps; gives the numbers."""
    time.sleep(max(seconds for _, seconds in pairs))
    return [number for number, _ in pairs]


def _pass(gate):
    """Say that this gate was reached, and wait until it is open."""
    with open(gate + ".begun", "a") as file:
        file.write(f"{os.getpid()}\n")
    while not os.path.exists(gate):
        time.sleep(0.002)


def through_gates(payloads):
    """Each payload is a value, or a pair of a value and the gate that is to be passed first."""
    values = []
    for payload in payloads:
        if isinstance(payload, tuple):
            payload, gate = payload
            _pass(gate)
        values.append(payload)
    return values


def negative_ones_fail(payloads):
    """As through_gates; then a negative value is an error of the whole batch."""
    values = through_gates(payloads)
    for value in values:
        if value < 0:
            raise ValueError(f"negative: {value}")
    return values


def negative_fails(payload):
    if payload < 0:
        raise ValueError(f"negative: {payload}")
    return payload


def negative_ones_are_exceptions(payloads):
    return [ValueError(f"negative: {payload}") if payload < 0 else payload for payload in payloads]


def log_and_fail(payload):
    """A pair (log, times): writes the pid to the log, fails while it has at most `times` lines."""
    log, times = payload
    with open(log, "a") as file:
        file.write(f"{os.getpid()}\n")
    with open(log) as file:
        lines = len(file.readlines())
    if lines <= times:
        raise RuntimeError(f"attempt {lines}")
    return lines


def log_and_fail_all(payloads):
    return [log_and_fail(payload) for payload in payloads]


def log_and_crash(payloads):
    """As log_and_fail_all, but it is the worker that fails."""
    try:
        return log_and_fail_all(payloads)
    except RuntimeError:
        os.kill(os.getpid(), signal.SIGKILL)


def one_too_few(payloads):
    return payloads[1:]


def none_at_all(payloads):
    return None


def unsendable(payloads):
    return [object() for _ in payloads]


def counts(payloads):
    store = session()
    store["n"] = store.get("n", 0) + len(payloads)
    return [store["n"]] * len(payloads)


def dispatches(payloads):
    """Tries what is refused in a worker."""
    from slither_actors import Dispatch, SlitherError

    try:
        Dispatch.run([1, 2], module="tasks", function="double")
    except SlitherError as error:
        return [str(error)] * len(payloads)
    return ["not refused"] * len(payloads)


# --- evil ones


def crashes_on_negative(payloads):
    if min(payloads) < 0:
        os.abort()
    return payloads


def exits_at_once(payloads):
    os._exit(payloads[0])


def hangs(payloads):
    """Writes its pid to the file that the first payload names, then sleeps without end."""
    with open(payloads[0], "w") as file:
        file.write(f"{os.getpid()}\n")
    while True:
        time.sleep(3600)


def hangs_with_the_interpreter_lock(payloads):
    with open(payloads[0], "w") as file:
        file.write(f"{os.getpid()}\n")
    ctypes.PyDLL(None).sleep(3600)


def has_children_and_hangs(payloads):
    """A child and a child of that child, all of whose pids are written to the file."""
    script = (
        "import os, sys, time\n"
        "if pid := os.fork():\n"
        "    with open(sys.argv[1], 'a') as file: file.write(f'{os.getpid()}\\n{pid}\\n')\n"
        "time.sleep(3600)"
    )
    with open(payloads[0], "a") as file:
        file.write(f"{os.getpid()}\n")
    child = subprocess.Popen([sys.executable, "-c", script, payloads[0]], close_fds=False)
    time.sleep(3600)
    child.wait()  # until then it is held on to: one that is dropped while it runs is warned of


def ignores_terminate(payloads):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return [os.getpid()] * len(payloads)


def ignores_terminate_and_hangs(payloads):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hangs(payloads)


def prints(payloads):
    for payload in payloads:
        print("said:", payload)
    return payloads


class Scorer(Adapter):
    def init(self, factor=10):
        self.factor = factor

    @command
    def score(self, request):
        return {"items": [item * self.factor for item in request["items"]]}

    @command
    def refuse(self, request):
        raise LookupError("no")


class Refusing(Adapter):
    def init(self):
        raise RuntimeError("no model there")


class NoAdapter:
    pass
