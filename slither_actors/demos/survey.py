"""The host's half of the demonstration: every Python file below a folder, through workers, into a report."""

from __future__ import annotations

import contextlib
import os
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slither_actors import Item, PoolSpec, Retry, System
from slither_actors.demos.killer import Killer
from slither_actors.demos.measure import measure_files
from slither_actors.demos.report import Report
from slither_actors.executors import SnakeBridge
from slither_actors.strategies import WeightedBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH_BYTES = 256 * 1024
"""Source bytes in a batch: a quarter of a second's work. Files differ in size by a factor of ten thousand, so that
batches of equally many files would not take equally long."""

NOT_SOURCES = frozenset({"__pycache__", "site-packages", "dist-packages"})
"""Folders below the standard library that are not part of it."""

# A single file is parsed this often before it is given up: with --kill, a worker may die over an innocent one, though
# hardly this many times in a row. The pauses between are short, for a worker that was killed is back at once.
POLICY = Retry(max_attempts=6, backoff=0.02, max_backoff=0.2, split=True, then="skip")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a survey found, and what it went through."""

    report: Report
    retries: int
    killed: int


def standard_library() -> str:
    """Return the folder of this interpreter's standard library."""
    return sysconfig.get_path("stdlib")


def find_sources(directory: str) -> list[Item]:
    """Return the Python source files below a folder, in a fixed order: the path as payload, its size as weight."""
    return list(_walk(directory))


def survey(
    directory: str,
    files: list[Item],
    *,
    workers: int,
    kill: bool = False,
    watch: Callable[[Any, Report], None] = lambda stream, report: None,
) -> Outcome:
    """Measure `files` (of `find_sources`) and add up what there is.

    Args:
        directory: that the report's paths are relative to.
        files: what to measure.
        workers: how many worker processes.
        kill: kill workers at random meanwhile.
        watch: called once, with the stream and the growing report, before the first result.

    Raises:
        DispatchError: the run failed as a whole; a file that does not parse is no reason for that.
    """
    report = Report()
    # With a killer about, deaths are no sign that something is wrong with the pool: its restart budget is lifted.
    pool = PoolSpec(size=workers, max_restarts=None) if kill else PoolSpec(size=workers)
    with System(pools={"default": pool}) as system:
        stream = system.dispatch.stream(
            files,
            executor=SnakeBridge,
            function=measure_files,
            strategy=WeightedBatch,
            weight_fn=lambda item: item.meta["bytes"],
            max_weight=BATCH_BYTES,
            ordering="as_completed",
            on_error=POLICY,
        )
        with stream, contextlib.ExitStack() as context:
            killer = context.enter_context(Killer(system)) if kill else None
            watch(stream, report)
            for item in stream:
                file = os.path.relpath(item.id, directory)
                if item.meta.get("skipped"):
                    report.add_unparsed(file, _reason(item.meta["error"], item.id))
                else:
                    report.add(file, item.payload)
            return Outcome(report, stream.statistics().retries, killer.killed if killer is not None else 0)


def _walk(directory: str) -> Iterator[Item]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name not in NOT_SOURCES)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith(".py") and os.path.isfile(path):  # a dangling link is not one
                yield Item(path, path, {"bytes": os.path.getsize(path)})


def _reason(error: Any, path: str) -> str:
    """Return the failure in one line, without the path, which is shown beside it."""
    kind = getattr(error, "type", type(error).__name__).removeprefix("builtins.")
    message = str(getattr(error, "message", "") or error).partition("\n")[0]
    return f"{kind}: {message}".replace(path, os.path.basename(path))
