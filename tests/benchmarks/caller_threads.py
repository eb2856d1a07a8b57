"""Workload O: single requests from threads, as those of a threaded web server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from slither_actors import PoolSpec, System

from . import work
from .contenders import Unavailable
from .figures import BOUND, PPE, RUN, Figures
from .load_figures import load_figures
from .request_load import BlockingCall, Load, from_threads
from .rounds import run_rounds
from .settings import Settings
from .task_contenders import WORKERS, asked, loky_pool, pebble_pool, process_pool
from .workloads import Task

TITLE = "single requests of a trivial function from 1 to 32 threads, two workers"
THREADS = (1, 8, 32)
MILLISECONDS, WARM_MILLISECONDS = 500, 300
TASK = Task(work.identity, work.identity_one, 64, each=True)

Open = Callable[[], AbstractContextManager[BlockingCall]]


def with_threads(threads: int) -> str:
    """How a number of callers is named."""
    return f"{threads} threads" if threads != 1 else "1 thread"


@contextlib.contextmanager
def _executor() -> Iterator[BlockingCall]:
    with process_pool() as executor:
        yield lambda payload: executor.submit(TASK.one, payload).result()


@contextlib.contextmanager
def _loky() -> Iterator[BlockingCall]:
    with loky_pool() as executor:
        yield lambda payload: executor.submit(TASK.one, payload).result()


@contextlib.contextmanager
def _pebble() -> Iterator[BlockingCall]:
    with pebble_pool() as pool:
        yield lambda payload: pool.schedule(TASK.one, args=(payload,)).result()


@contextlib.contextmanager
def _run() -> Iterator[BlockingCall]:
    options = asked(TASK)
    with System({"default": PoolSpec(size=WORKERS)}) as system:
        run = system.dispatch.run
        yield lambda payload: run([payload], **options)[0].payload


@contextlib.contextmanager
def _bound() -> Iterator[BlockingCall]:
    with System({"default": PoolSpec(size=WORKERS)}) as system:
        call_batch = system.dispatch.bind(**asked(TASK)).call_batch
        yield lambda payload: call_batch([payload])[0].payload


OPEN: dict[str, Open] = {PPE: _executor, "loky": _loky, "Pebble": _pebble, RUN: _run, BOUND: _bound}


def measure(settings: Settings) -> list[Figures]:
    """O: requests a second, their times and the host's processor time."""
    wanted = {PPE, RUN, BOUND, *settings.among(["loky", "Pebble"])}
    ways: dict[str, Open] = {}
    skipped: dict[str, str] = {}
    for name, way in OPEN.items():
        if name in wanted:
            try:
                with way():
                    ways[name] = way
            except Unavailable as reason:
                skipped[name] = str(reason)

    def once(way: Open) -> list[Load]:
        with way() as call:
            call(0)
            from_threads(call, 4, settings.scaled(WARM_MILLISECONDS, 5) / 1e3)
            return [from_threads(call, threads, settings.scaled(MILLISECONDS, 5) / 1e3) for threads in THREADS]

    values = run_rounds(ways, settings.rounds, once, lambda way: None)
    figures = []
    for place, threads in enumerate(THREADS):
        by_name = {name: [rounds[place] for rounds in each] for name, each in values.items()}
        title = f"single requests from {with_threads(threads)}"
        figures += load_figures("O", title, with_threads(threads), by_name, skipped)
    return figures
