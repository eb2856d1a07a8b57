"""The System: the root of everything that runs; owns the scheduler, the pools and the runs."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from types import TracebackType
from typing import Any, Self

from msgspec import Struct
from pykka import ActorDeadError

from slither_actors import running, telemetry
from slither_actors.dispatch import Dispatcher
from slither_actors.errors import (
    ForkedSystemError,
    OptionTypeError,
    SlitherError,
    StartTimeout,
    SystemStopped,
    UnknownCommand,
    UnknownPool,
)
from slither_actors.executors import Snakepit
from slither_actors.health import DrainReport, Health, judge
from slither_actors.options import RunOptions
from slither_actors.pipeline.consumer import Consumer, Source
from slither_actors.pipeline.open import RunOpener
from slither_actors.pools.link import PoolLink, PoolSnapshot
from slither_actors.pools.messages import WhenReady
from slither_actors.pools.processes import Processes
from slither_actors.pools.spawner import Spawner
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.tree import SHUTDOWN_MARGIN, pool_child
from slither_actors.signals import SIGNALS, run_until_signal
from supervisors import (
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    LightRef,
    Monitor,
    Scheduler,
    SchedulerStopped,
    StartFailed,
    Supervisor,
    TreeNode,
    WouldDeadlock,
    monitor,
    tree,
    wait_started,
    which_children,
)
from supervisors import (
    stop as stop_actor,
)

POOL_RESTART = Backoff(base=1.0, factor=2.0, maximum=30.0, jitter=0.0)
"""A pool that gave up comes back, as a service would have it; each time later, as it will probably give up again."""

# A library is silent unless the application configures logging; a worker's crash is in the error that reports it, too.
for _name in ("slither_actors", "supervisors"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
STATISTICS_POLL = 0.5
"""Seconds after which one who waits for statistics looks whether the scheduler that makes them is still there."""


class SystemStatistics(Struct, frozen=True):
    """What a System holds, at one moment.

    Args:
        pools: by name.
        runs: runs under way.
        stuck_threads: threads of closed runs that were still inside user code after the grace; counted, never fewer.
        dropped_events: log records and telemetry events dropped because their handlers were too slow.
        pids: of the processes that it has: workers, and the guardian that ends them should this process be killed.
        descriptors: open descriptors of its own in this process.
    """

    pools: Mapping[str, PoolSnapshot]
    runs: int
    stuck_threads: int
    dropped_events: int
    pids: tuple[int, ...]
    descriptors: int


class System:
    """Pools of workers with the supervision tree above them. A context manager; start it once, stop it once.

    Args:
        pools: PoolSpecs, or mappings of their arguments, by name. Without any: one pool "default".
        name: for thread names and logs.
        dispatch: defaults for the options of this System's runs.
        children: actors and supervisors that run beside the pools, started after them; should they end for good, the
            System ends with them.

    Raises:
        OptionError: a pool's spec is wrong; the message names pool and key.

    Example::

        with System(pools={"compute": PoolSpec(size=4)}) as system:
            results = system.dispatch.run(items, module="my_model", function="predict_batch")
    """

    def __init__(
        self,
        pools: Mapping[str, PoolSpec | Mapping[str, Any]] | None = None,
        *,
        name: str = "slither",
        dispatch: Mapping[str, Any] | None = None,
        children: Sequence[ChildSpec] = (),
    ) -> None:
        if pools is not None and not isinstance(pools, Mapping):
            raise OptionTypeError(f"pools must be a mapping from name to PoolSpec, not {pools!r}")
        wanted: Mapping[Any, Any] = pools or {"default": {}}
        for pool in wanted:
            if not isinstance(pool, str) or not pool:
                raise OptionTypeError(f"a pool's name must be text that is not empty, not {pool!r}")
        self._specs = {pool: PoolSpec.of(spec, pool) for pool, spec in wanted.items()}
        self._name = name
        self._pid = os.getpid()
        self._links = {pool: PoolLink(pool) for pool in self._specs}
        self._scheduler = Scheduler(name)
        self._scheduler.on_event = self._tell
        self._processes = Processes()
        self._scheduler.on_end = self._processes.end
        self._spawner: Any = None
        self._spawner_actor: Spawner | None = None
        self._runs: Any = None
        self._root: LightRef[Supervisor] | None = None
        self._state = "new"
        self._state_lock = threading.RLock()  # a signal handler may stop what its own thread is just starting
        self._start_lock = threading.Lock()
        self._stopper: threading.Thread | None = None
        self._opener = RunOpener(self._scheduler, lambda: self._runs, lambda: self.stopped)
        self._children = tuple(children)
        self.dispatch = Dispatcher(self, dispatch)
        running.known.add(self)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Self:
        """A System as a YAML file describes it, not started: pools, defaults of runs, a tree of actors beside them.

        Args:
            path: of the file; see docs/configuration.md.

        Raises:
            supervisors.config.ConfigError: the file is wrong; it names every place, and nothing was started.
        """
        # Imported here: most programs read no file, and need not load a YAML parser and a validator.
        from slither_actors.config import load

        config = load(path)
        return cls(config.pools or None, name=config.name, dispatch=config.dispatch, children=config.children)

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        name = f"slither.supervisor.{event}"
        if telemetry.attached(name):
            telemetry.emit(name, {}, data, self._scheduler.side.submit)

    # -- life

    def start(self) -> Self:
        """Start the pools and wait until all their workers are ready.

        Raises:
            LoadError, StartTimeout, OSError: a worker cannot be started, and why; nothing is left running.
            SystemStopped: it was stopped before. A System is started once.
        """
        self._check_fork()
        with self._start_lock:  # who comes while another thread starts it waits for that
            with self._state_lock:
                if self._state == "running":
                    return self
                if self._state != "new":
                    raise SystemStopped(f"system {self._name!r} was stopped; make a new one")
                self._state = "starting"
            try:
                self._start()
            except BaseException as error:
                if self.stopped and isinstance(error, (SlitherError, StartFailed, SchedulerStopped)):
                    raise SystemStopped(f"system {self._name!r} was stopped while it started") from error
                self.stop()
                raise
            with self._state_lock:
                if self._state != "starting":
                    raise SystemStopped(f"system {self._name!r} was stopped while it started")
                self._state = "running"
            running.started(self)
        return self

    def _start(self) -> None:
        self._scheduler.start()
        self._root = Supervisor.start(
            [
                ChildSpec(id="spawner", start=self._start_spawner),
                ChildSpec(id="pools", start=self._start_pools, type="supervisor"),
                ChildSpec(id="runs", start=self._start_runs, type="supervisor"),
                *([ChildSpec(id="tree", start=self._start_children, type="supervisor")] if self._children else []),
            ],
            strategy="rest_for_one",
            name=self._name,
            scheduler=self._scheduler,
        )
        patience = max(spec.start_timeout for spec in self._specs.values()) + SHUTDOWN_MARGIN
        try:
            wait_started(self._root, patience)
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
        self._runs = DynamicSupervisor.start(max_restarts=None, name="runs")
        return self._runs

    def _start_children(self) -> Any:
        return Supervisor.start(self._children, name="tree")

    def stop(self, timeout: float | None = None) -> bool:
        """End all runs (SystemStopped), then workers, then the rest. From any thread; may be repeated.

        From a thread of the System's own it only requests the stop and returns. User code runs on those in telemetry
        and log handlers, in actors of `children`, in inline executors, and for lazy sources in the source itself, the
        strategy and the `Route` function.

        Args:
            timeout: seconds to wait; by default what the pools' `shutdown` allows, and some. What has not ended by then
                is cut off.

        Returns:
            True if everything has ended in good order; False if some of it was cut off, or is not over yet.
        """
        if os.getpid() != self._pid:
            return True
        if timeout is None:
            timeout = max(spec.shutdown for spec in self._specs.values()) + 5 * SHUTDOWN_MARGIN
        running.stopping(self)
        with self._state_lock:
            self._state = "stopped"
        if self._may_wait():
            return self._stop(timeout)
        with self._state_lock:
            if self._stopper is None or not self._stopper.is_alive():
                self._stopper = threading.Thread(
                    target=self._stop, args=(timeout,), name=f"{self._name}-stop", daemon=True
                )
                try:
                    self._stopper.start()
                except RuntimeError:  # the system has no thread left: what follows is for the next one who stops it
                    if self._root is not None:
                        self._root.stop(block=False)
        return False

    def _stop(self, timeout: float) -> bool:
        # Whoever stops it does all of this, so that nobody depends on another one who may have been interrupted.
        deadline = time.monotonic() + timeout
        done = self._root is None or stop_actor(self._root, timeout=timeout)
        if not self._scheduler.stop(max(1.0, deadline - time.monotonic())):
            self._processes.kill()  # its thread is stuck; it reaps them should it ever go on
            return False
        return done

    def _may_wait(self) -> bool:
        """Whether this thread may wait for the System: it is not one that the System itself needs for going on."""
        return not self._scheduler.owns_thread() and Scheduler.current() is None

    def drain(self, timeout: float = 30.0) -> DrainReport:
        """Take no new runs, let those under way finish, then stop.

        Args:
            timeout: seconds for the runs; what is not finished then is cut off, and its error names what is unfinished.

        Raises:
            WouldDeadlock: called on one of the System's own threads.
        """
        self._check_fork()
        if not self._may_wait():
            raise WouldDeadlock("drain() waits for runs, and this is one of the threads that they need")
        opener = self._opener
        redelivered, finished, cut_off = self._redelivered(), opener.finished, opener.cut_off
        with self._state_lock:
            if self._state == "running":
                self._state = "draining"
        running.stopping(self)
        opener.wait_until_idle(timeout)
        redelivered = self._redelivered() - redelivered
        stopped = self.stop()
        # Looked at now: somebody else may have stopped it before the time was over.
        dropped = opener.cut_off - cut_off + opener.live
        completed = opener.finished - finished - (opener.cut_off - cut_off)
        return DrainReport(not dropped, completed, dropped, max(0, redelivered), stopped)

    def _redelivered(self) -> int:
        try:
            pools = self.statistics().pools.values()
        except (SystemStopped, TimeoutError):
            return 0
        return sum(snapshot.counts.redelivered for snapshot in pools)

    def run_until_signal(
        self, drain_timeout: float = 30.0, signals: Sequence[int] = SIGNALS
    ) -> tuple[int, DrainReport]:
        """Wait for SIGTERM or SIGINT in the main thread, then drain: `slither_actors.signals.run_until_signal`."""
        return run_until_signal(self, drain_timeout, signals)

    def when_ended(self, told: Callable[[], object]) -> Monitor:
        """Call ``told()`` once it has ended, for whatever reason; it must neither block nor raise.

        Returns:
            What cancels that.

        Raises:
            SystemStopped: it does not run.
        """
        return monitor(self._living_root(), lambda down: told())

    def health(self) -> Health:
        """Whether it is live and ready, and why not; for probes. Never raises, answers within a second or so."""
        try:
            pools: Mapping[str, PoolSnapshot] | None = self.statistics(timeout=1.0).pools
        except (SystemStopped, ForkedSystemError, TimeoutError):
            pools = None
        state = self._state
        if os.getpid() != self._pid:
            state = "forked"
        elif state in ("running", "draining") and self._root is not None and not self._root.is_alive():
            state = "ended"
        return judge(state, pools)

    def tree(self) -> TreeNode:
        """The live supervision tree; ``str()`` of it is a drawing.

        Raises:
            SystemStopped: it does not run.
        """
        root = self._living_root()
        try:
            return tree(root)
        except ActorDeadError:
            raise SystemStopped(f"system {self._name!r} has ended") from None

    def actor(self, *path: object) -> Any:
        """The reference of one of the System's own children, as it runs now; after a restart there is another one.

        Args:
            path: its id, behind the ids of the supervisors that it is under.

        Raises:
            LookupError: there is none, or it does not run; the message names those there are.
            SystemStopped: the System does not run.
        """
        ref: Any = self._living_root()
        for child_id in ("tree", *path):
            children = {info.id: info.child for info in which_children(ref)}
            if child_id not in children:
                known = ", ".join(map(str, children)) or "none"
                raise LookupError(f"there is no child {child_id!r} of {ref}; known: {known}")
            ref = children[child_id]
            if ref is None or isinstance(ref, str):
                raise LookupError(f"the child {child_id!r} does not run at the moment")
        return ref

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        from slither_actors.pipeline.aside import aside

        try:
            return await aside(self.start, f"{self._name}-start")
        except BaseException:
            # Cancelled, it is being started by a thread that nobody waits for; being stopped ends that.
            await aside(self.stop, f"{self._name}-stop", to_the_end=True)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from slither_actors.pipeline.aside import aside

        await aside(self.stop, f"{self._name}-stop", to_the_end=True)

    def _living_root(self) -> LightRef[Supervisor]:
        self._check_fork()
        if self._root is None or self._state == "stopped":
            raise SystemStopped(f"system {self._name!r} does not run")
        return self._root

    # -- runs

    def open_run(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started. For the Dispatcher.

        Raises:
            UnknownPool, UnknownCommand: naming the known ones.
            SystemStopped: it does not run (any more).
            ForkedSystemError: this process was forked from the one that started it.
        """
        self._check_fork()
        if self._state != "running":
            why = {"stopped": "was stopped", "draining": "is draining and takes no new runs"}.get(
                self._state, "was not started"
            )
            raise SystemStopped(f"system {self._name!r} {why}")
        if options.inline:
            return self._opener.inline(items, options)
        link = self._link(options.pool)
        executor = options.executor
        if isinstance(executor, Snakepit) and link.commands is not None and executor.command not in link.commands:
            raise UnknownCommand(executor.command, link.commands, link.name)
        return self._opener.pooled(items, options, link, self._specs[link.name])

    def _link(self, pool: str | None) -> PoolLink:
        links = self._links
        if pool is None:
            if "default" in links:
                pool = "default"
            elif len(links) == 1:
                (pool,) = links
        if pool not in links:
            raise UnknownPool(pool, links)
        return links[pool]

    def statistics(self, timeout: float = 10.0) -> SystemStatistics:
        """A frozen snapshot of what it holds.

        Args:
            timeout: seconds to wait for the scheduler.

        Raises:
            SystemStopped: it does not run.
            TimeoutError: the scheduler did not answer.
        """
        self._check_fork()
        if self._scheduler.on_thread():
            return self._snapshot()
        answer: Future[SystemStatistics] = Future()
        if self._state not in ("running", "starting", "draining"):
            raise SystemStopped(f"system {self._name!r} does not run")
        self._scheduler.post(lambda: answer.set_result(self._snapshot()))
        deadline = time.monotonic() + timeout
        while True:
            try:
                return answer.result(min(timeout, STATISTICS_POLL))
            except TimeoutError:
                if self._scheduler.stopped:
                    raise SystemStopped(f"system {self._name!r} was stopped") from None
                if time.monotonic() >= deadline:
                    raise

    def _snapshot(self) -> SystemStatistics:
        pools = {name: link.snapshot() for name, link in self._links.items()}
        pids = [executor.pid for pool in pools.values() for executor in pool.executors if executor.pid is not None]
        guardian = self._spawner_actor.statistics().guardian if self._spawner_actor is not None else None
        return SystemStatistics(
            pools=pools,
            runs=self._opener.live,
            stuck_threads=self._opener.stuck,
            dropped_events=self._scheduler.side.dropped,
            pids=(*pids, guardian) if guardian is not None else tuple(pids),
            descriptors=self._scheduler.descriptors + len(self._descriptors()),
        )

    @property
    def stopped(self) -> bool:
        """Whether it was stopped; it cannot be started again."""
        return self._state == "stopped"

    def _descriptors(self) -> list[int]:
        """Of the pipes to workers and guardian."""
        descriptors = self._spawner_actor.descriptors() if self._spawner_actor is not None else []
        for link in self._links.values():
            if link.arena is not None:
                descriptors += link.arena.descriptors()
        return descriptors + self._processes.descriptors()

    # -- forks

    def _check_fork(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedSystemError

    def forked(self) -> None:
        """In a forked child: only close the raw descriptors. The workers are the parent's, and so is all else."""
        self._scheduler.abandon_after_fork()
        for fd in self._descriptors():
            with contextlib.suppress(OSError):
                os.close(fd)


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
