"""Who takes part: ours, the standard library's pools, and a plain call in this process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any, Protocol

from slither_actors import PoolSpec, System

from .figures import IMAP, IN_PROCESS, OURS
from .workloads import Task


class Unavailable(Exception):
    """A contender cannot take part; says why."""


class Contender(Protocol):
    """A pool of workers behind what the benchmark needs of it. Made by ``cls(workers)``, which starts it, or raises
    Unavailable.
    """

    name: str

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        """The results of all payloads as they come, in order or as they are completed."""

    def payloads(self, results: Iterable[Any]) -> list[Any]:
        """A list of the bare results, got in the way that one would write it: what every contender ends with."""

    def stop(self) -> None:
        """End the workers."""


class Pool:
    """What those have in common whose results are the bare ones."""

    def payloads(self, results: Iterable[Any]) -> list[Any]:
        return list(results)


class Ours:
    """With default settings: order kept, backpressure, a timeout a batch, supervision."""

    name = OURS

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._system = System(pools={"default": PoolSpec(size=workers)})
        self._system.start()

    def results(self, task: Task, data: Iterable[Any], *, ordered: bool = True) -> Iterable[Any]:
        options: dict[str, Any] = {} if ordered else {"ordering": "as_completed"}
        if self._workers > 8:
            options["max_in_flight"] = self._workers
        return self._system.dispatch.stream(data, function=task.function, batch_size=task.batch, **options)

    def payloads(self, results: Iterable[Any]) -> list[Any]:
        return [item.payload for item in results]

    def stop(self) -> None:
        self._system.stop()


class Imap(Pool):
    """`multiprocessing.Pool`, with `imap` and `imap_unordered`."""

    name = IMAP

    def __init__(self, workers: int) -> None:
        self._pool = multiprocessing.get_context("spawn").Pool(workers)

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        imap = self._pool.imap if ordered else self._pool.imap_unordered
        return imap(task.one, data, chunksize=task.batch)

    def stop(self) -> None:
        self._pool.terminate()
        self._pool.join()


class Executor(Pool):
    """`concurrent.futures.ProcessPoolExecutor`, with `map` and `as_completed`."""

    name = "ProcessPoolExecutor"

    def __init__(self, workers: int) -> None:
        self._executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterable[Any]:
        if ordered:
            return self._executor.map(task.one, data, chunksize=task.batch)
        return completed(self._executor.submit, task, data)

    def stop(self) -> None:
        self._executor.shutdown()


class InProcess(Pool):
    """No pool at all: what the functions cost by themselves."""

    name = IN_PROCESS

    def __init__(self, workers: int) -> None:
        pass

    def results(self, task: Task, data: Sequence[Any], *, ordered: bool = True) -> Iterator[Any]:
        for start in range(0, len(data), task.batch):
            yield from task.function(list(data[start : start + task.batch]))

    def stop(self) -> None:
        pass


def completed(submit: Callable[..., Future[Any]], task: Task, data: Sequence[Any]) -> Iterator[Any]:
    """Results as they come from an executor that takes one payload at a time."""
    assert task.batch == 1, "an executor's as_completed has no chunks"
    return (future.result() for future in as_completed([submit(task.one, payload) for payload in data]))
