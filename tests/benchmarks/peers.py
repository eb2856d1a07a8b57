"""Pools from the package index, each of which takes part where it is installed: the extra `bench`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from .contenders import Contender, Executor, Imap, InProcess, Ours, Pool, Unavailable, completed
from .figures import FLOORS, OURS
from .raw_floor import RawLoop
from .workloads import Task


def installed(module: str) -> Any:
    """Import the module of another pool.

    Raises:
        Unavailable: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise Unavailable(f"not installed ({error})") from None


class Loky(Pool):
    """loky's executor. Its start method is its own, a fresh interpreter as with spawn."""

    name = "loky"

    def __init__(self, workers: int) -> None:
        # Not the reusable one, which by default ends workers that have been idle for 10 seconds: others take turns.
        self._executor = installed("loky").ProcessPoolExecutor(workers, timeout=None)

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        if ordered:
            results: Iterable[Any] = self._executor.map(task.one, data, chunksize=task.batch)
            return results
        return completed(self._executor.submit, task, data)

    def stop(self) -> None:
        self._executor.shutdown()


class Joblib(Pool):
    """joblib with its default backend (a loky of its own) and results as a generator."""

    name = "joblib"

    def __init__(self, workers: int) -> None:
        self._joblib = installed("joblib")
        self._workers = workers

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        parallel = self._joblib.Parallel(
            self._workers,
            batch_size=task.batch,
            # The default of two payloads a worker is less than a batch.
            pre_dispatch=2 * self._workers * task.batch,
            return_as="generator" if ordered else "generator_unordered",
        )
        one = self._joblib.delayed(task.one)
        results: Iterable[Any] = parallel(one(payload) for payload in data)
        return results

    def stop(self) -> None:
        installed("joblib.externals.loky").get_reusable_executor().shutdown(kill_workers=True)


class Mpire(Pool):
    """mpire's pool, with workers that are kept between calls."""

    name = "mpire"

    def __init__(self, workers: int) -> None:
        self._mpire = installed("mpire")
        self._workers = workers
        self._pools: dict[bool, Any] = {}

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        # Kept workers that have served one ordering fail with the other (2.10), so each has a pool of its own.
        pool = self._pools.get(ordered)
        if pool is None:
            pool = self._mpire.WorkerPool(self._workers, start_method="spawn", keep_alive=True)
            self._pools[ordered] = pool
        imap = pool.imap if ordered else pool.imap_unordered
        # Containers would be taken for the arguments themselves.
        whole = isinstance(data[0], (dict, list, tuple))
        results: Iterable[Any] = imap(
            task.one, ((each,) for each in data) if whole else data, iterable_len=len(data), chunk_size=task.batch
        )
        return results

    def stop(self) -> None:
        for pool in self._pools.values():
            pool.terminate()


class Pebble(Pool):
    """Pebble's pool."""

    name = "Pebble"

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = installed("pebble").ProcessPool(max_workers=workers, context=context)

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        if ordered:
            results: Iterable[Any] = self._pool.map(task.one, data, chunksize=task.batch, timeout=None).result()
            return results
        return completed(lambda one, payload: self._pool.schedule(one, args=(payload,)), task, data)

    def stop(self) -> None:
        self._pool.stop()
        self._pool.join()


_ALL = (Ours, Imap, Executor, Loky, Joblib, Mpire, Pebble, RawLoop, InProcess)
CONTENDERS: dict[str, Callable[[int], Contender]] = {contender.name: contender for contender in _ALL}
"""All of them, in the order of the tables."""

AIOMULTIPROCESS = "aiomultiprocess"
PEERS = (*(name for name in CONTENDERS if name != OURS and name not in FLOORS), AIOMULTIPROCESS)
"""The other pools; imap, which all are compared with, is the first, and the last is for requests from tasks only."""


def started(names: Iterable[str], workers: int) -> tuple[dict[str, Contender], dict[str, str]]:
    """Start contenders.

    Args:
        names: of those who are wanted; ours takes part whether it is named or not.
        workers: of each.

    Returns:
        Them by name, and why the others of these cannot take part.
    """
    wanted = {OURS, *names}
    there: dict[str, Contender] = {}
    skipped: dict[str, str] = {}
    try:
        for name, contender in CONTENDERS.items():
            if name in wanted:
                try:
                    there[name] = contender(workers)
                except Unavailable as reason:
                    skipped[name] = str(reason)
    except BaseException:
        stop(there)
        raise
    return there, skipped


def stop(contenders: dict[str, Contender]) -> None:
    """Stop those who were started."""
    for contender in contenders.values():
        contender.stop()
