"""Workload I: what the coordinator costs as its workers become many."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence

from . import peers, work
from .contenders import Contender
from .figures import IMAP, Figures, with_workers
from .rounds import WrongResults, nth, run_rounds, timed
from .settings import Settings
from .workloads import Task

TITLE = "128 workers, 50 ms a batch"
SIZES = (8, 32, 128)
BATCH_SECONDS = 0.050
BATCHES = 40
"""Batches a worker: two seconds, in which what the first and the last batch wait for does not count."""
DESCRIPTORS = 4096
"""Two pools of 128 workers are more than the usual 1,024 suffice for."""


def measure(settings: Settings) -> list[Figures]:
    """I: pools of three sizes in turn, whose workers sleep. Two cores suffice for that."""
    _allow_descriptors()
    task = Task(work.rest, work.rest_one, 1)
    batches = settings.scaled(BATCHES, 4)
    contenders: dict[str, tuple[Contender, int]] = {}
    skipped: dict[str, str] = {}

    def once(case: tuple[Contender, int]) -> tuple[float, float]:
        contender, size = case
        data: Sequence[float] = [BATCH_SECONDS] * (size * batches)
        before = time.process_time()  # of all threads of this process
        seconds, results = timed(contender, task, data)
        used = time.process_time() - before
        if results != data:
            raise WrongResults(f"{contender.name} on I")
        return BATCH_SECONDS * batches / seconds, 1e6 * used / len(data)

    def warm(case: tuple[Contender, int]) -> None:
        timed(case[0], task, [0.001] * (8 * case[1]))

    try:
        for size in SIZES:
            there, why = peers.started(settings.among([IMAP]), size)
            skipped.update(why)
            contenders.update({with_workers(name, size): (there[name], size) for name in there})
        both = run_rounds(contenders, settings.rounds, once, warm)
    finally:
        peers.stop({name: contender for name, (contender, _) in contenders.items()})
    return [
        Figures("I", "efficiency", TITLE, "share", nth(both, 0), skipped),
        Figures(
            "I",
            "CPU a batch",
            TITLE,
            "us",
            nth(both, 1),
            skipped,
            f"CPU time of the host's process, all its threads, over {batches} batches a worker.",
        ),
    ]


def _allow_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
