"""Functions and adapters for workers under test; imported there by name. Runs on Python 3.9."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading

from slither_actors.worker import Adapter, command, in_worker, session

NOT_A_FUNCTION = 7


class Odd(Exception):
    def __str__(self):
        raise SystemExit(9)


class Holder:
    @staticmethod
    def triple(payloads):
        return [3 * payload for payload in payloads]


def double(payloads):
    return [2 * payload for payload in payloads]


def echo(payloads):
    return payloads


def types(payloads):
    return [type(payload).__name__ for payload in payloads]


def as_tuple(payloads):
    return tuple(payloads)


def as_generator(payloads):
    yield from payloads


def as_none(payloads):
    return None


def as_text(payloads):
    return "abc"


def as_coroutine(payloads):
    return awaited(payloads)


async def awaited(payloads):
    return payloads


def raises(payloads):
    inner()


def inner():
    raise LookupError("nothing here")


def raises_odd(payloads):
    raise Odd


def raises_long(payloads):
    raise ValueError("x" * 1_000_000)


def recurses(payloads):
    return recurses(payloads)


def odd_ones_fail(payload):
    if payload % 2:
        raise ValueError(f"odd: {payload}")
    return payload * 10


def odd_ones_are_exceptions(payloads):
    return [ValueError(f"odd: {payload}") if payload % 2 else payload for payload in payloads]


def unsendable(payloads):
    return [1, {"deep": [object()]}]


def unsendable_and_exceptions(payloads):
    return [ValueError(), 1, object()]


def exits(payloads):
    sys.exit(payloads[0])


def interrupts(payloads):
    raise KeyboardInterrupt


def exits_with_a_thread(payloads):
    threading.Thread(target=threading.Event().wait).start()
    sys.exit(5)


def prints(payloads):
    print("from print")
    sys.stdout.write("no newline")
    sys.stdout.flush()
    libc = ctypes.CDLL(None)
    libc.printf(b"from C\n")
    libc.fflush(None)
    os.write(1, b"from fd 1\n")
    return payloads


def reads_stdin(payloads):
    return [sys.stdin.read(), os.read(0, 10).decode()]


def descriptors_of_a_child(payloads):
    script = "import os; print([fd for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')])"
    out = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, close_fds=False)
    return [out.stdout.decode().strip()]


def forks_and_both_return(payloads):
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return [pid != 0]


def forks_a_child_that_stays(payloads):
    pid = os.fork()
    if not pid:
        threading.Event().wait(20)
        os._exit(0)
    return [pid]


def surroundings(payloads):
    main = sys.modules["__main__"]
    return [
        in_worker(),
        sys.argv,
        sorted(name for name in vars(main) if not name.startswith("__")),
        sorted(name for name in sys.modules if name.split(".")[0] in ("pykka", "yaml", "msgspec", "supervisors")),
        sys.path,
        os.getpid() == os.getsid(0),
    ]


def counts(payloads):
    store = session()
    store["n"] = store.get("n", 0) + len(payloads)
    return [store["n"]] * len(payloads)


def waits(payloads):
    """Until the file of this name is there; says by another that it has begun."""
    begun, wanted = payloads
    open(begun, "w").close()
    while not os.path.exists(wanted):
        pass
    return [1, 2]


def zeros(payloads):
    import numpy as np

    payloads[0][0] = 5.0  # arrays that come can be written to
    return [payloads[0], np.zeros((3, 100_000)), np.float32(1.5)]


class Scorer(Adapter):
    def init(self, factor=1, marker=None):
        self.factor = factor
        self.marker = marker

    def terminate(self):
        if self.marker:
            open(self.marker, "w").close()

    @command
    def score(self, request):
        return {"items": [item * self.factor for item in request["items"]], "note": request.get("note")}

    @command("other-name")
    def renamed(self, request):
        self.session["seen"] = self.session.get("seen", 0) + 1
        return {"items": (self.session_id, self.session["seen"])}

    @command()
    def partly(self, request):
        return {"items": odd_ones_are_exceptions(request["items"]), "more": 1}

    @command
    def wrong(self, request):
        return {"results": []}

    @command
    def wrong_items(self, request):
        return {"items": "abc"}


class Refusing(Adapter):
    def init(self):
        raise RuntimeError("no model there")


class NoAdapter:
    pass


def flags(payloads):
    names = [name for name in dir(sys.flags) if not name.startswith(("_", "n_", "count", "index"))]
    found = {name: getattr(sys.flags, name) for name in names}
    return [str({**found, "x": sys._xoptions, "W": sys.warnoptions}) for _ in payloads]
