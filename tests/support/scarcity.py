"""What scripts need that take descriptors, processes or threads away from themselves."""

from __future__ import annotations

import textwrap
from pathlib import Path

from support import scripts

COMMON = """
import resource
from slither_actors import telemetry

ROOM = 20
fillers = [os.open(os.devnull, os.O_RDONLY) for _ in range(ROOM)]  # before anything else: the lowest numbers
assert fillers == list(range(3, 3 + ROOM)), fillers

class Descriptors:
    '''Within it, only so many can be had: those numbers are free that are below the limit, and what ends is above.'''

    def __init__(self, room):
        self.room = room

    def __enter__(self):
        self.soft, self.hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for filler in fillers[: self.room]:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 + ROOM, self.hard))
        return self

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.soft, self.hard))

    def give_back(self):
        for filler in fillers[: self.room]:
            os.dup2(fillers[-1], filler)

def descriptors():
    return len(os.listdir("/proc/self/fd"))

def pool():
    return system.statistics().pools["default"]

def wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, pool()
        time.sleep(0.002)

def numbers(items):
    return [item.payload for item in system.dispatch.run(items, module="tasks", function="naps", batch_size=1)]

class Inline:
    def execute_batch(self, batch, context, options):
        return batch

def tell(what, use):
    try:
        print(what, use())
    except DispatchError as error:
        print(what, type(error.reason).__name__, error.reason, error.unfinished[:1])
    except RuntimeError as error:
        print(what, error)

def serve():
    # Until each worker has answered a batch: after that its next start needs no pause.
    before = [executor.done for executor in pool().executors]
    while not all(executor.done > done for executor, done in zip(pool().executors, before)):
        assert numbers(range(20)) == list(range(20))
"""


def run(folder: Path, body: str) -> list[str]:
    """What the script prints; an assertion of its own is seen here."""
    done = scripts.run(folder, COMMON + textwrap.dedent(body), seconds=90)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
