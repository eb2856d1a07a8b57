"""What the soak has its workers do: most of it good, some of it not. Runs on Python 3.9."""

from __future__ import annotations

import os
import signal
import time

from slither_actors.worker import Adapter, command, session

kept = []


def one(payload):
    """A pair of what to do and a number; gives the number, negated."""
    kind, number = payload
    if kind == "ok":
        pass
    elif kind == "naps":
        time.sleep(number % 7 / 1000)
    elif kind == "fails":
        raise ValueError(f"item {number}")
    elif kind == "dies":
        os.kill(os.getpid(), (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV)[number % 3])
    elif kind == "exits":
        os._exit(number % 2)
    elif kind == "hangs":
        time.sleep(3600)
    elif kind == "prints":
        os.write(2, b"%d of much that is printed\n" % number * 100)
    elif kind == "keeps":
        kept.append(b"\1" * 200_000)
    return -number


def all_at_once(payloads):
    return [one(payload) for payload in payloads]


def alone(payloads):
    """As all_at_once, but an item that fails does it alone."""
    results = []
    for payload in payloads:
        try:
            results.append(one(payload))
        except ValueError as error:
            results.append(error)
    return results


class Counting(Adapter):
    """Counts the batches of each session."""

    @command
    def count(self, request):
        store = session()
        store["n"] = store.get("n", 0) + 1
        if request["items"][0][0] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)
        return {"items": [store["n"]] * len(request["items"])}
