"""A System's supervision tree: what stands in it, its start and its end, and the way to what is inside."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any

from slither_actors.errors import SlitherError, StartTimeout
from slither_actors.pools import interpreter
from slither_actors.pools.link import PoolLink
from slither_actors.pools.messages import WhenReady
from slither_actors.pools.processes import Processes
from slither_actors.pools.spawner import Spawner
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.tree import SHUTDOWN_MARGIN, pool_child
from supervisors import (
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    LightRef,
    Scheduler,
    StartFailed,
    Supervisor,
    monitor,
    wait_started,
    which_children,
)
from supervisors import (
    stop as stop_actor,
)

POOL_RESTART = Backoff(base=1.0, factor=2.0, maximum=30.0, jitter=0.0)
"""A pool that gave up comes back, as a service would have it; each time later, as it will probably give up again."""


class SystemTree:
    """The Spawner, the pools, the runs and the actors beside them, under one root; each needs those before it.

    Args:
        scheduler: the System's; the root has its name.
        processes: what the Spawner makes.
        links: to the pools.
        specs: of the pools.
        children: actors and supervisors beside the pools.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        processes: Processes,
        links: Mapping[str, PoolLink],
        specs: Mapping[str, PoolSpec],
        children: Sequence[ChildSpec],
    ) -> None:
        self._scheduler = scheduler
        self._processes = processes
        self._links = links
        self._specs = specs
        self._children = tuple(children)
        self._spawner: Any = None
        self._spawner_actor: Spawner | None = None
        self.root: LightRef[Supervisor] | None = None
        """None until it is started."""
        self.runs: Any = None
        """The supervisor of runs; another one after a restart."""

    def start(self) -> None:
        """Start all of it and wait until every worker is ready. The scheduler runs.

        Raises:
            LoadError, StartTimeout, OSError: a worker cannot be started, and why.
            StartFailed: one of the actors cannot be started, or is stopped while it starts.
            OptionError: a pool has no interpreter, or this process was started in the place of one.
        """
        interpreter.check(self._specs)
        self.root = Supervisor.start(
            [
                ChildSpec(id="spawner", start=self._start_spawner),
                ChildSpec(id="pools", start=self._start_pools, type="supervisor"),
                ChildSpec(id="runs", start=self._start_runs, type="supervisor"),
                *([ChildSpec(id="tree", start=self._start_children, type="supervisor")] if self._children else []),
            ],
            strategy="rest_for_one",
            name=self._scheduler.name,
            scheduler=self._scheduler,
        )
        patience = max(spec.start_timeout for spec in self._specs.values()) + SHUTDOWN_MARGIN
        try:
            wait_started(self.root, patience)
        except StartFailed as error:
            cause: BaseException = error
            while isinstance(cause, StartFailed) and cause.__cause__ is not None:
                cause = cause.__cause__
            raise cause from None
        deadline = time.monotonic() + patience
        for name, answer in [(name, _when_ready(link)) for name, link in self._links.items()]:
            try:
                error_or_none = answer.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                error_or_none = StartTimeout(patience)
                error_or_none.__cause__ = self._links[name].last_error
            if error_or_none is not None:
                if isinstance(error_or_none, SlitherError):
                    error_or_none.add_note(f"while pool {name!r} was started")
                elif isinstance(error_or_none, OSError):
                    raise _cannot_start(name, self._specs[name], error_or_none) from None
                raise error_or_none

    def _start_spawner(self) -> Any:
        self._spawner = Spawner.start(self._scheduler, self._note_spawner, self._processes)
        return self._spawner

    def _note_spawner(self, actor: Spawner) -> None:
        self._spawner_actor = actor

    def _start_pools(self) -> Any:
        # One pool's end never ends another: no budget here, each comes back after its own back-off.
        return Supervisor.start(
            [pool_child(link, self._specs[name], lambda: self._spawner) for name, link in self._links.items()],
            max_restarts=None,
            restart_backoff=POOL_RESTART,
            name="pools",
        )

    def _start_runs(self) -> Any:
        self.runs = DynamicSupervisor.start(max_restarts=None, name="runs")
        return self.runs

    def _start_children(self) -> Any:
        return Supervisor.start(self._children, name="tree")

    @property
    def has_ended(self) -> bool:
        """Whether its root was started and is no more, for whatever reason."""
        return self.root is not None and not self.root.is_alive()

    def stop(self, timeout: float) -> bool:
        """End all of it, the last that was started first. False if that takes longer than `timeout` seconds."""
        return self.root is None or stop_actor(self.root, timeout=timeout)

    def begin_stop(self) -> None:
        """Have it end, and wait for nothing."""
        if self.root is not None:
            self.root.stop(block=False)

    @property
    def guardian(self) -> int | None:
        """The process id of the guardian; None while there is none."""
        return self._spawner_actor.statistics().guardian if self._spawner_actor is not None else None

    def descriptors(self) -> list[int]:
        """Of the pipes to workers and guardian, and of the memory shared with workers."""
        descriptors = self._spawner_actor.descriptors() if self._spawner_actor is not None else []
        for link in self._links.values():
            if link.arena is not None:
                descriptors += link.arena.descriptors()
        return descriptors + self._processes.descriptors()


def child_at(root: LightRef[Supervisor], path: Sequence[object]) -> Any:
    """The reference of the child with the last id in `path`, behind the ids of the supervisors that it is under.

    Raises:
        LookupError: there is none, or it does not run; the message names those there are.
    """
    ref: Any = root
    for child_id in path:
        children = {info.id: info.child for info in which_children(ref)}
        if child_id not in children:
            known = ", ".join(map(str, children)) or "none"
            raise LookupError(f"there is no child {child_id!r} of {ref}; known: {known}")
        ref = children[child_id]
        if ref is None or isinstance(ref, str):
            raise LookupError(f"the child {child_id!r} does not run at the moment")
    return ref


def _cannot_start(name: str, spec: PoolSpec, error: OSError) -> OSError:
    """The same error, which names the pool and, where it is about the interpreter, the option."""
    if error.filename is None:  # no descriptors or processes left, say
        error.add_note(f"while pool {name!r} was started")
        return error
    if error.errno == errno.E2BIG:
        text = (
            f"pool {name!r} cannot start its workers: their environment is too large for this system (Linux: 128 KiB a "
            "variable); shorten the pool's env, or what this process has in os.environ"
        )
        return OSError(error.errno, text)
    if error.filename == spec.python:
        remedy = "PoolSpec(python=...) must be the path of a Python with msgpack, or its name on PATH"
    else:
        remedy = "it is this process's own, sys.executable; PoolSpec(python=...) names another one"
    text = f"pool {name!r} cannot start its workers' python: {error.strerror}; {remedy}"
    return OSError(error.errno, text, error.filename)


def _when_ready(link: PoolLink) -> Future[Exception | None]:
    """Done once all workers of the pool are ready, with None; or one cannot be started, with the reason."""
    answer: Future[Exception | None] = Future()

    def done(error: Exception | None) -> None:
        with contextlib.suppress(InvalidStateError):
            answer.set_result(error)

    pool = link.ref
    if pool is None:
        done(link.unavailable())
    else:
        pool.tell(WhenReady(done))
        monitor(pool, lambda down: done(link.unavailable()))  # it may end before it has heard this
    return answer
