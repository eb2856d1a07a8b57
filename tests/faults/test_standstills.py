"""Standstill is not slowness: a host that was stopped, alone or with its workers, kills no worker for that."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.gates import Gates, alive, pids_in
from support.hosts import Host, host

pytestmark = pytest.mark.fault(6)

STANDS = 4.0
"""Seconds that a standstill takes: more than twice the timeouts here, so that who counts it as time kills."""

RUN = """
    with System({"default": PoolSpec(size=1, path=sys.path[:2])}) as system:
        system.dispatch.run([1], module="tasks", function="through_gates")
        print("ready", os.getpid(), *system.statistics().pids, flush=True)
        try:
            results = system.dispatch.run(**RUN)
            print("results", *[item.payload for item in results], flush=True)
        except DispatchError as error:
            print("error", type(error.reason).__name__, flush=True)
        counts = system.statistics().pools["default"].counts
        print("kills", dict(counts.kills), "started", counts.started, flush=True)
"""


def script(**options: object) -> str:
    return RUN.replace("**RUN", ", ".join(f"{name}={value!r}" for name, value in options.items()))


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Within it these processes stand still; it takes its time, which is what this is about."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
        threading.Event().wait(STANDS)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def started(running: Host) -> tuple[int, list[int]]:
    """Its pid, and those of its workers."""
    word, own, *pids = running.line().split()
    assert word == "ready"
    return int(own), [int(pid) for pid in pids]


@pytest.mark.parametrize("together", [True, False], ids=["with its workers", "alone"])
def test_a_host_that_goes_on_has_killed_nobody(tmp_path: Path, together: bool) -> None:
    gates = Gates(tmp_path)
    body = script(items=[(7, gates["a"])], module="tasks", function="through_gates", timeout=1.5)
    with host(tmp_path, body) as running:
        own, workers = started(running)
        gates.wait_begun("a")
        with stopped(own, *(workers if together else [])):
            gates.open("a")  # a worker that is not stopped is done long before its host goes on
        assert running.line() == "results 7"
        assert running.line() == "kills {} started 1"


def test_worker_that_hangs_is_killed_after_standstill_all_same(tmp_path: Path) -> None:
    body = script(items=[str(tmp_path / "pid")], module="hangs", function="in_python", timeout=1.5)
    with host(tmp_path, body) as running:
        own, workers = started(running)
        (pid,) = pids_in(tmp_path / "pid")
        with stopped(own, *workers):
            assert alive(pid)
        assert running.line() == "error BatchTimeout"
        assert running.line().startswith("kills {'timeout': 1}")


START = """
    from supervisors import ChildSpec, DaemonActor

    class Slow(DaemonActor):
        def on_start(self):
            if SLOW == "actor":
                import gated_import

        def on_receive(self, message):
            pass

    os.environ["IMPORT_GATE"] = GATE
    spec = PoolSpec(size=1, path=sys.path[:1], preload=["gated_import"] if SLOW == "worker" else [], start_timeout=2.5)
    with System({"default": spec}, children=[ChildSpec("slow", Slow.start)]) as system:
        print("kills", dict(system.statistics().pools["default"].counts.kills), flush=True)
"""


@pytest.mark.parametrize("together", [True, False], ids=["with its worker", "alone"])
@pytest.mark.parametrize("slow", ["worker", "actor"])
def test_a_start_outlives_a_standstill(tmp_path: Path, slow: str, together: bool) -> None:
    gates = Gates(tmp_path)
    body = START.replace("SLOW", repr(slow)).replace("= GATE", f"= {gates['import']!r}")
    with host(tmp_path, body) as running:
        own = running.process.pid
        (begun,) = gates.wait_begun("import")
        assert (begun == own) == (slow == "actor")
        with stopped(*({own, *(running.family() if together else [])})):
            pass
        gates.open("import")
        assert running.line() == "kills {}"
