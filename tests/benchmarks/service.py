"""Workload P: a web service that has a millisecond of work a request, beside the pool that does it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from importlib import import_module

from . import work
from .efficiency import loops_in
from .figures import ARUN, BOUND, FRONT, PPE, Figures
from .load_figures import load_figures
from .processes import ChildFailed, environment, kill_group, module_command, run
from .request_load import Load
from .rounds import run_rounds
from .settings import Settings
from .task_contenders import available
from .workloads import Task

TITLE = "a FastAPI service under uvicorn, 64 clients on loopback, 1 ms of pure Python a request, two workers"
CLIENTS = 64
MILLISECONDS, WARM_MILLISECONDS = 2_000, 500
WORK_SECONDS = 0.001
ROWS = 4
"""Of the front, 1 ms each: no caller waits for more than those of its batch."""
TASK = Task(work.count_up, work.count_up_one, ROWS, each=True)
GRACE = 20.0


def measure(settings: Settings) -> list[Figures]:
    """P: services in turn, each in a process of its own that only answers while it is its turn."""
    for module in ("fastapi", "uvicorn", "httptools", "uvloop"):
        import_module(module)  # or say that it is missing before anything is started
    loops = loops_in(WORK_SECONDS)
    score = int(work.count_up_one(loops)[0])
    ways, skipped = available((PPE, ARUN, BOUND, FRONT), TASK)

    def once(port: int, milliseconds: int = MILLISECONDS) -> Load:
        seconds = settings.scaled(milliseconds, 20) / 1e3
        return Load(
            **json.loads(run(module_command("service_load", *map(str, (port, CLIENTS, seconds, loops, score)))))
        )

    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(_service(name)) for name in ways}
        values = run_rounds(ports, settings.rounds, once, lambda port: once(port, WARM_MILLISECONDS))
    return load_figures("P", TITLE, "", values, skipped)


@contextlib.contextmanager
def _service(way: str) -> Iterator[int]:
    process = subprocess.Popen(
        module_command("service_app", way), stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline()
        if not port:
            raise ChildFailed(f"the service with {way} did not start")
        yield int(port)
        process.send_signal(signal.SIGTERM)
        process.wait(GRACE)
    finally:
        kill_group(process)
        assert process.stdout is not None
        process.stdout.close()
