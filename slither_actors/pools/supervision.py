"""A pool's part of the supervision tree: one_for_all [Pool, Executors]."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from slither_actors.pools.bounded_pool import BoundedPool
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.hosts.base import FrameSink
from slither_actors.pools.hosts.local import LocalHost
from slither_actors.pools.hosts.stderr import StderrLog
from slither_actors.pools.pool import Pool
from slither_actors.pools.processes.spawner import SpawnerMessage
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.worker.concurrent_executor import ConcurrentExecutor
from slither_actors.pools.worker.executor import Executor
from slither_actors.pools.worker.restart_budget import PoolRestarts
from slither_actors.wire.messages import Hello
from supervisors import ChildSpec, DynamicSupervisor, LightActor, LightRef, Ref, StartChild, Supervisor

MAX_FAILED_STARTS = 8
"""Starts in a row, for each worker, that came to nothing and make a pool give up: by then its pauses are at their
longest, and the window of the restart budget too short for what they leave."""
SHUTDOWN_MARGIN = 1.0
"""Seconds for an Executor beyond its worker's `shutdown`: for the kill, and for reaping."""


def pool_child(link: PoolHandle, spec: PoolSpec, spawner: Callable[[], Ref[SpawnerMessage]]) -> ChildSpec:
    """Return the child spec of a pool.

    Args:
        link: of this pool; outlives its actors.
        spec: what it is to be.
        spawner: the System's Spawner, asked for whenever an Executor starts.
    """
    return ChildSpec(id=link.name, start=lambda: _start(link, spec, spawner), type="supervisor")


def _start(link: PoolHandle, spec: PoolSpec, spawner: Callable[[], Ref[SpawnerMessage]]) -> LightRef[Supervisor]:
    max_failed_starts = None if spec.max_restarts is None else MAX_FAILED_STARTS * spec.size
    # max_restarts=0: a Pool's crash, or executors over their budget, end this pool as a whole. Its runs then hear
    # PoolUnavailable, and the supervisor of pools begins it again after its own back-off.
    return Supervisor.start(
        [
            ChildSpec(id="pool", start=lambda: _pool(link, spec, max_failed_starts)),
            ChildSpec(id="executors", start=lambda: _start_executors(link, spec, spawner), type="supervisor"),
        ],
        strategy="one_for_all",
        max_restarts=0,
        name=link.name,
    )


def _pool(link: PoolHandle, spec: PoolSpec, max_failed_starts: int | None) -> LightRef[Pool] | LightRef[BoundedPool]:
    if spec.max_waiting is None and spec.queue_timeout is None:
        return Pool.start(link.name, spec.size, link, max_failed_starts, spec.concurrency)
    bounds = spec.max_waiting, spec.queue_timeout
    return BoundedPool.start(link.name, spec.size, link, max_failed_starts, spec.concurrency, *bounds)


def _start_executors(
    link: PoolHandle, spec: PoolSpec, spawner: Callable[[], Ref[SpawnerMessage]]
) -> LightRef[DynamicSupervisor]:
    # Dynamic, as those stop all at once: eight hung workers must not take eight times `shutdown`.
    budget = spec.max_restarts if spec.max_restarts != "auto" else None
    restarts = link.restarts = PoolRestarts(budget, spec.max_seconds, spec.restart_backoff, link.counters.completed)
    supervisor = DynamicSupervisor.start(name=f"{link.name} executors", policy=restarts)
    if spec.shares:
        link.share(supervisor)
    for index in range(spec.size):
        hello = _hello(link.name, spec, index)
        supervisor.tell(StartChild(_executor_child(index, link, spec, spawner, hello)))
    return supervisor


def _executor_child(
    index: int, link: PoolHandle, spec: PoolSpec, spawner: Callable[[], Ref[SpawnerMessage]], hello: bytes
) -> ChildSpec:
    log = StderrLog(f"{link.name}[{index}]")
    made = link.counters.worker(index).made
    kind = Executor if spec.concurrency == 1 else ConcurrentExecutor

    def make_host(executor: LightActor, sink: FrameSink) -> LocalHost:
        return LocalHost(executor, sink, spawner(), spec, log, made, link.counters.exited, link.arena)

    return ChildSpec(
        id=index,
        start=lambda: kind.start(index, spec, link, make_host, hello),
        shutdown=spec.shutdown + SHUTDOWN_MARGIN,
    )


def _hello(name: str, spec: PoolSpec, index: int) -> bytes:
    """Return the greeting: the pool's path, then the host's; another interpreter keeps its own behind the pool's."""
    path = list(spec.path)
    if spec.python is None:
        # '' stands for the working directory, which the worker shares at its start and user code may leave.
        path += [entry or os.getcwd() for entry in sys.path]
    return Hello(
        path=[os.path.abspath(entry) for entry in path],
        keep_path=spec.python is not None,
        preload=list(spec.preload),
        adapter=spec.adapter,
        init=dict(spec.init),
        host_pid=os.getpid(),
        max_frame=spec.max_frame,
        name=name,
        max_batches=spec.max_batches,
        max_rss=spec.max_rss,
        memory_limit=spec.memory_limit,
        index=index,
        concurrency=spec.concurrency,
    ).to_body()
