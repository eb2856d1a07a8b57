"""Files that are longer than one screen after the other can be read at once."""

from __future__ import annotations

from .circles import PACKAGES
from .imports import ROOT, files_of

LINES = 300

# Why a file is longer. A test fails if one is listed that is not. "To be split" is a debt, not a reason.
LONGER = {
    "slither_actors/cli/arguments.py": "one parser: every option of every command, with its help",
    "slither_actors/cli/map_command.py": "one command from its arguments to its exit code",
    "slither_actors/errors.py": "every error of the package, each a few lines",
    "slither_actors/pools/hosts/local.py": "one host: what must be closed in which order is read in one place",
    "slither_actors/pools/pool.py": "one actor: who owns a job, from its submission to its outcome",
    "slither_actors/pools/processes/spawner.py": "the one module that makes processes; one thread, one loop",
    "slither_actors/pools/processes/table.py": "one table, whose methods hold one lock",
    "slither_actors/pools/spec.py": "every key of a pool, declared once",
    "slither_actors/pools/worker/executor.py": "the states of one worker process, in one machine",
    "slither_actors/runs/batch_book.py": "one pure decision: what is delivered next, and when a run is over",
    "slither_actors/runs/input/batcher.py": "one role: what a strategy is given and gives, and that no run stalls",
    "slither_actors/system/supervision.py": "one tree: its start, its drain and its end in one order",
    "slither_actors/system/system.py": "the facade of a System: each method a few lines, and its documentation",
    "slither_actors/wire/frames.py": "one parser of untrusted bytes, without I/O",
    "slither_actors/wire/messages.py": "the sections of every kind of frame, a record each",
    "slither_actors/worker/channel.py": "both directions of one pipe, and the memory beside it",
    "slither_actors/worker/execution.py": "every way to execute a request in the worker",
    "supervisors/actors/light_actor.py": "one actor's life on the scheduler's thread",
    "supervisors/actors/thread_loop.py": "one loop",
    "supervisors/config/loader.py": "one loader of untrusted YAML, event by event",
    "supervisors/runtime/scheduler.py": "one loop, and what may be done to it from other threads",
    "supervisors/supervision/dynamic_supervisor.py": "one actor: OTP's dynamic supervisor",
    "supervisors/supervision/supervisor.py": "one actor: OTP's supervisor with its three strategies",
}


def long_files() -> dict[str, int]:
    """Return the files with more lines than that, and how many they have, the longest first."""
    files = [file for package in PACKAGES for file in files_of(package)]
    counted = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in files}
    return dict(sorted(((name, n) for name, n in counted.items() if n > LINES), key=lambda pair: -pair[1]))
