"""Ways to send one request from a task: other pools, ours, a batcher by hand, and the floor. Two workers each."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any

from slither_actors import PoolSpec, System

from . import work
from .by_hand import ByHand
from .contenders import Unavailable
from .figures import ARUN, BOUND, BY_HAND, CALL_BATCH, FLOOR, FLOOR_BATCHED, FRONT, PPE
from .peers import AIOMULTIPROCESS, installed
from .request_floor import Floor
from .request_load import Call
from .workloads import Task

WORKERS = 2

Opened = AbstractAsyncContextManager[Call]
Open = Callable[[Task], Opened]
"""Starts workers, in the running loop, for a task; `batch` of it is the most rows a batch. Raises Unavailable."""


@contextlib.contextmanager
def process_pool() -> Iterator[Executor]:
    """A `ProcessPoolExecutor` that spawns."""
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@contextlib.contextmanager
def loky_pool() -> Iterator[Executor]:
    """loky's executor."""
    with installed("loky").ProcessPoolExecutor(WORKERS, timeout=None) as executor:
        yield executor


@contextlib.contextmanager
def pebble_pool() -> Iterator[Any]:
    """Pebble's pool."""
    pool = installed("pebble").ProcessPool(max_workers=WORKERS, context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


def asked(task: Task) -> dict[str, Any]:
    """Options that all our ways have in common."""
    if task.each:
        return {"module": task.one.__module__, "function": task.one.__name__, "each": True}
    return {"module": task.function.__module__, "function": task.function.__name__}


@contextlib.asynccontextmanager
async def _executor(task: Task) -> AsyncGenerator[Call]:
    loop = asyncio.get_running_loop()
    with process_pool() as executor:
        yield lambda payload: loop.run_in_executor(executor, task.one, payload)


@contextlib.asynccontextmanager
async def _loky(task: Task) -> AsyncGenerator[Call]:
    loop = asyncio.get_running_loop()
    with loky_pool() as executor:
        yield lambda payload: loop.run_in_executor(executor, task.one, payload)


@contextlib.asynccontextmanager
async def _pebble(task: Task) -> AsyncGenerator[Call]:
    with pebble_pool() as pool:
        yield lambda payload: asyncio.wrap_future(pool.schedule(task.one, args=(payload,)))


@contextlib.asynccontextmanager
async def _aiomultiprocess(task: Task) -> AsyncGenerator[Call]:
    assert task.one is work.identity_one, "it takes coroutine functions, of which there is one"
    async with installed("aiomultiprocess").Pool(WORKERS) as pool:
        yield lambda payload: pool.apply(work.identity_awaited, (payload,))


@contextlib.asynccontextmanager
async def _by_hand(task: Task) -> AsyncGenerator[Call]:
    with process_pool() as executor:
        yield ByHand(executor, task.function, task.batch).call


@contextlib.asynccontextmanager
async def _system() -> AsyncGenerator[System]:
    async with System({"default": PoolSpec(size=WORKERS)}) as system:
        yield system


@contextlib.asynccontextmanager
async def _arun(task: Task) -> AsyncGenerator[Call]:
    options = asked(task)
    async with _system() as system:
        arun = system.dispatch.arun

        async def call(payload: Any) -> Any:
            (item,) = await arun([payload], **options)
            return item.payload

        yield call


@contextlib.asynccontextmanager
async def _call_batch(task: Task) -> AsyncGenerator[Call]:
    options = asked(task)
    async with _system() as system:
        acall_batch = system.dispatch.acall_batch

        async def call(payload: Any) -> Any:
            (item,) = await acall_batch([payload], **options)
            return item.payload

        yield call


@contextlib.asynccontextmanager
async def _bound(task: Task) -> AsyncGenerator[Call]:
    async with _system() as system:
        score = system.dispatch.bind(**asked(task))
        acall_batch = score.acall_batch

        async def call(payload: Any) -> Any:
            (item,) = await acall_batch([payload])
            return item.payload

        yield call


@contextlib.asynccontextmanager
async def _front(task: Task) -> AsyncGenerator[Call]:
    async with _system() as system, system.batcher(**asked(task), max_batch_size=task.batch) as score:
        yield score


@contextlib.asynccontextmanager
async def _floor(task: Task) -> AsyncGenerator[Call]:
    with contextlib.closing(Floor(task, WORKERS, batches=False)) as floor:
        yield floor.call


@contextlib.asynccontextmanager
async def _floor_batched(task: Task) -> AsyncGenerator[Call]:
    with contextlib.closing(Floor(task, WORKERS, batches=True)) as floor:
        yield floor.call


OPEN: dict[str, Open] = {
    PPE: _executor,
    "loky": _loky,
    AIOMULTIPROCESS: _aiomultiprocess,
    "Pebble": _pebble,
    ARUN: _arun,
    CALL_BATCH: _call_batch,
    BOUND: _bound,
    FRONT: _front,
    BY_HAND: _by_hand,
    FLOOR: _floor,
    FLOOR_BATCHED: _floor_batched,
}
"""All of them, in the order of the tables; the first is what all are compared with."""


def available(names: Sequence[str], task: Task) -> tuple[dict[str, Open], dict[str, str]]:
    """Of those named, who can take part, and why the others cannot. Starts each of them once."""

    async def try_out(way: Open) -> None:
        async with way(task):
            pass

    found: dict[str, Open] = {}
    skipped: dict[str, str] = {}
    for name, way in OPEN.items():
        if name in names:
            try:
                asyncio.run(try_out(way))
                found[name] = way
            except Unavailable as reason:
                skipped[name] = str(reason)
    return found, skipped
