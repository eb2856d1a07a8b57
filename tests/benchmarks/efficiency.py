"""Workloads G and H: how much of the time is the workers' own work."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

from . import peers, work
from .contenders import Contender
from .figures import Figures
from .rounds import WrongResults, nth, run_rounds, timed
from .settings import FEW, Settings
from .workloads import Task

G = "2,000 items of about 2 ms of pure Python, two workers, batch 8"
H = "8 workers, 10 ms a batch, while a thread of the host computes in pure Python"
ITEM_SECONDS = 0.002
BATCH_SECONDS = 0.010


def loops_in(seconds: float) -> int:
    """How often `work.count_up_one` loops in so many seconds, on this machine when nothing disturbs it."""
    loops = 20_000
    return round(seconds * loops / min(work.count_up_one(loops)[1] for _ in range(30)))


def computing(settings: Settings) -> list[Figures]:
    """G: two workers that compute all the time, as far as there is something for them."""
    workers = 2
    loops = loops_in(ITEM_SECONDS)
    rng = random.Random(1)
    data = [round(loops * rng.uniform(0.75, 1.25)) for _ in range(settings.scaled(2_000, 16))]
    expected = [total for total, _ in work.count_up(data)]
    task = Task(work.count_up, work.count_up_one, 8)

    def once(contender: Contender) -> tuple[float, float]:
        seconds, results = timed(contender, task, data)
        if [total for total, _ in results] != expected:
            raise WrongResults(f"{contender.name} on G")
        return seconds, sum(busy for _, busy in results) / (workers * seconds)

    contenders, skipped = peers.started(settings.among(FEW), workers)
    try:
        both = run_rounds(contenders, settings.rounds, once, lambda each: timed(each, task, data[:64]))
    finally:
        peers.stop(contenders)
    note = "Busy is a worker between begin and end of an item, by its own clock; of two workers' elapsed time."
    return [
        Figures("G", "time", G, "s", nth(both, 0), skipped),
        Figures("G", "efficiency", G, "share", nth(both, 1), skipped, note),
    ]


@contextlib.contextmanager
def a_busy_thread() -> Iterator[None]:
    """A thread of this process that computes in pure Python as long as this lasts."""
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            work.count_up_one(1_000)

    thread = threading.Thread(target=compute, name="busy")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def beside_a_busy_thread(settings: Settings) -> list[Figures]:
    """H: the host's interpreter lock is always wanted by a thread that computes."""
    workers = 8
    data = [BATCH_SECONDS] * settings.scaled(1_200, 16)
    ideal = len(data) * BATCH_SECONDS / workers
    task = Task(work.rest, work.rest_one, 1)

    def once(contender: Contender) -> float:
        with a_busy_thread():
            seconds, results = timed(contender, task, data)
        if results != data:
            raise WrongResults(f"{contender.name} on H")
        return ideal / seconds

    contenders, skipped = peers.started(settings.among(FEW), workers)
    try:
        values = run_rounds(contenders, settings.rounds, once, lambda each: timed(each, task, [0.0] * 64))
    finally:
        peers.stop(contenders)
    note = "Ideal: all workers at work all the time, and no sleep longer than it was asked to be."
    return [Figures("H", "efficiency", H, "share", values, skipped, note)]
