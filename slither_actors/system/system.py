"""The System: the root of everything that runs; owns the scheduler, the pools and the runs."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from pykka import ActorDeadError, Timeout

from slither_actors import telemetry
from slither_actors.chunk_options import ChunkOptions
from slither_actors.dispatch import Dispatcher
from slither_actors.dynamic_batcher.batcher import DynamicBatcher
from slither_actors.errors import (
    FINALIZING,
    ForkedSystemError,
    OptionError,
    OptionTypeError,
    SlitherError,
    SystemStopped,
)
from slither_actors.loops import EventLoopBlocked, warn_in_loop
from slither_actors.option_defaults import check_defaults
from slither_actors.option_types import BatcherKwargs, PoolKwargs, RunKwargs
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.processes.table import Processes
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.statistics import PoolSnapshot
from slither_actors.pools.supervision import SHUTDOWN_MARGIN
from slither_actors.requests.desk import RequestDesk
from slither_actors.run_options import RunOptions
from slither_actors.runs.chunks.opening import StreamOpener
from slither_actors.runs.chunks.stream import ChunkStream
from slither_actors.runs.opener import RunOpener
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.system import registry
from slither_actors.system.health import DrainReport, Health, judge
from slither_actors.system.signals import SIGNALS, run_until_signal
from slither_actors.system.statistics import Snapshots, SystemStatistics
from slither_actors.system.supervision import SystemTree, child_at
from slither_actors.validation import checks
from slither_actors.validation.callbacks import check_call
from supervisors import (
    ChildSpec,
    LightRef,
    Monitor,
    Registry,
    Scheduler,
    Supervisor,
    SupervisorError,
    TreeNode,
    WouldDeadlock,
    monitor,
    tree,
)
from supervisors.runtime.interrupts import Event, Thread, locked, raised_by_handler
from supervisors.supervision.spec_checks import checked_specs

WHY_NOT = {
    "new": "was not started",
    "starting": "is starting: it takes runs from its own actors, and from elsewhere once those have started",
    "draining": "is draining and takes no new runs",
    "stopped": "was stopped",
}

# A library is silent unless the application configures logging; a worker's crash is in the error that reports it, too.
for _name in ("slither_actors", "supervisors"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class System:
    """Pools of workers with the supervision tree above them. A context manager; start it once, stop it once.

    Args:
        pools: PoolSpecs, or mappings of their arguments, by name. Without any: one pool "default".
        name: for thread names and logs.
        dispatch: defaults for the options of this System's runs.
        children: actors and supervisors that run beside the pools. They start when all workers are ready, and may
            dispatch from their start to their own stop, in a drain too; should they end for good, the System ends with
            them.

    Raises:
        OptionError: a pool's spec or a default is wrong; the message names pool and key, or the default.
        TypeError: `children` is no list of ChildSpecs.
        SpecError: two children have one id or register one name, or a child is significant.

    Example::

        with System(pools={"compute": PoolSpec(size=4)}) as system:
            results = system.dispatch.run(items, module="my_model", function="predict_batch")
    """

    def __init__(
        self,
        pools: Mapping[str, PoolSpec | PoolKwargs] | None = None,
        *,
        name: str = "slither",
        dispatch: RunKwargs | None = None,
        children: Sequence[ChildSpec] = (),
    ) -> None:
        if pools is not None and not isinstance(pools, Mapping):
            raise OptionTypeError(f"pools must be a mapping from name to PoolSpec, not {pools!r}", "pools")
        wanted: Mapping[Any, Any] = pools or {"default": {}}
        for pool in wanted:
            if not isinstance(pool, str) or not pool:
                raise OptionTypeError(f"a pool's name must be text that is not empty, not {pool!r}", "pools")
        self._specs = {pool: PoolSpec.of(spec, pool) for pool, spec in wanted.items()}
        defaults = check_defaults(dispatch, self._specs)
        checked = checked_specs(children)
        self._name = name
        self._pid = os.getpid()
        self._links = {pool: PoolHandle(pool) for pool in self._specs}
        self._scheduler = Scheduler(name)
        self._scheduler.owner = self
        self._scheduler.on_event = self._tell
        self._processes = Processes()
        self._scheduler.on_end = self._processes.end
        self._tree = SystemTree(self._scheduler, self._processes, self._links, self._specs, checked)
        self._state = "new"
        self._state_lock = threading.RLock()  # a signal handler may stop what its own thread is just starting
        self._start_lock = threading.RLock()
        self._stopper: threading.Thread | None = None
        self._pools_ready = False
        self._opener = RunOpener(self._scheduler, self._links, self._specs, self._tree.runs, lambda: self.stopped)
        self._streams = StreamOpener(self._opener)
        self._snapshots = Snapshots(self._scheduler, self._tree, self._links, self._opener)
        self.requests = RequestDesk(self._opener)
        self.dispatch = Dispatcher(self, defaults)
        registry.known.add(self)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> Self:
        """Return the System that a YAML file describes, not started: pools, defaults of runs, actors beside them.

        Args:
            path: of the file; see docs/configuration.md.

        Raises:
            supervisors.ConfigError: the file is wrong; it names every place, and nothing was started.
        """
        # Imported here: most programs read no file, and need not load a YAML parser and a validator.
        from slither_actors.system.config import load

        config = load(path)
        return cls(config.pools or None, name=config.name, dispatch=config.dispatch, children=config.children)

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        name = f"slither.supervisor.{event}"
        if telemetry.attached(name):
            telemetry.emit(name, {"time": time.time()}, data, self._scheduler.background.submit)

    # -- life

    def start(self) -> Self:
        """Start the pools and wait until all their workers are ready; then the same for the actors of `children`.

        Raises:
            LoadError, StartTimeout, OSError: a worker cannot be started, and why; nothing is left running.
            StartFailed: one of the actors cannot be started: which, and why; nothing is left running.
            SystemStopped: it was stopped before. A System is started once.
            WouldDeadlock: called on a scheduler's thread, or on one of its own while it starts.
        """
        if not registry.is_default(self):  # that is started within another call, which warns
            warn_in_loop("System.start", "`async with System(...)`, or `await asyncio.to_thread(system.start)`")
        self._check_fork()
        self._check_finalizing()
        if self._state == "running":
            return self
        if Scheduler.current() is not None or self._scheduler.owns_thread():
            raise WouldDeadlock("start() waits for the System's actors, and this is a thread that they need")
        locked(self._start_lock, self._start)  # a concurrent caller waits until the first has started it
        return self

    def _start(self) -> None:
        if not locked(self._state_lock, self._begin_start):
            return
        try:
            self._scheduler.start()
            self._tree.start()
            self._pools_ready = True
            # Known from here on: a thread that one of its actors starts is not to make a default System.
            registry.started(self)
            self._tree.start_children()
            locked(self._state_lock, self._end_start)
        except BaseException as error:
            registry.stopping(self)  # it may have been stopped before it was known
            if self.stopped and isinstance(error, (SlitherError, SupervisorError, ActorDeadError, Timeout)):
                raise SystemStopped(f"system {self._name!r} was stopped while it started") from error
            self.end()
            raise

    def _begin_start(self) -> bool:
        if self._state == "running":
            return False
        if self._state != "new":
            raise SystemStopped(f"system {self._name!r} was stopped; make a new one")
        self._state = "starting"
        return True

    def _end_start(self) -> None:
        if self._state != "starting":
            raise SystemStopped(f"system {self._name!r} was stopped while it started")
        self._state = "running"

    def stop(self, timeout: float | None = None) -> bool:
        """End the actors of `children`, then all runs (SystemStopped), workers, the rest. From any thread; repeatable.

        From a thread of the System's own it only requests the stop and returns. User code runs on those in telemetry
        and log handlers, in actors of `children`, in inline executors, and for lazy sources in the source itself, the
        strategy and the `Route` function.

        Args:
            timeout: seconds to wait; by default what the `shutdown` of pools and `children` allows, and some. What has
                not ended by then is cut off. During a drain the children are cut off at once.

        Returns:
            True if everything has ended in good order; False if some of it was cut off, or is not over yet.

        Raises:
            OptionError: `timeout` is neither None nor a number of seconds from 0; nothing was done.
        """
        if os.getpid() != self._pid:
            return True
        if sys.is_finalizing():
            return False  # its threads have ended; the rest ends with this process
        limit = None
        try:
            limit = None if timeout is None else checks.limit("timeout", timeout)
            if self._state not in ("new", "stopped") and self._may_wait():
                with contextlib.suppress(EventLoopBlocked):  # made an error by a filter, it must not keep from stopping
                    warn_in_loop("System.stop", "`async with System(...)`, or `await asyncio.to_thread(system.stop)`")
        except OptionError:
            raise
        except BaseException:  # an interrupt: its caller goes on, and so does this
            locked(self._state_lock, self._stop_aside, limit)
            raise
        return self.end(limit)

    def _leave(self) -> bool:
        """Stop at the end of ``async with``: in the event loop itself only where no thread can be had for it."""
        if os.getpid() != self._pid:
            return True
        return False if sys.is_finalizing() else self.end()

    def end(self, timeout: float | None = None) -> bool:
        """Stop as `stop` does, without its check of the limit and its warning in an event loop."""
        try:
            locked(self._state_lock, self._mark_stopped)
            self._tree.cut_children()  # those that a drain has given more time than this
            if self._may_wait():
                return self._stop(timeout)
            locked(self._state_lock, self._stop_aside, timeout)
            return False
        except BaseException:  # an interrupt: its caller goes on, and so does this
            locked(self._state_lock, self._stop_aside, timeout)
            raise

    def _mark_stopped(self) -> None:
        self._state = "stopped"
        registry.stopping(self)

    def _stop_aside(self, timeout: float | None) -> None:
        if self._state != "stopped":
            self._mark_stopped()
        self._tree.cut_children()
        if self._stopper is None or not self._stopper.is_alive():
            self._stopper = Thread(self._stop, f"{self._name}-stop", (timeout,))
            try:
                self._stopper.start()
            except RuntimeError:  # out of threads: the next call of stop does the rest
                self._tree.begin_stop()

    def _stop(self, timeout: float | None) -> bool:
        # Each concurrent caller of stop does all of this: another caller may be interrupted half-way.
        if timeout is None:
            longest = max(spec.shutdown for spec in self._specs.values())
            timeout = min(longest + self._tree.children_seconds + 5 * SHUTDOWN_MARGIN, threading.TIMEOUT_MAX)
        deadline = time.monotonic() + timeout
        done = self._tree.stop(timeout)
        if not self._scheduler.stop(max(1.0, deadline - time.monotonic())):
            self._processes.kill()  # its thread is stuck; it reaps them should it ever go on
            return False
        self.requests.close(max(1.0, deadline - time.monotonic()))
        return done and self._processes.all_ended

    def _may_wait(self) -> bool:
        """Whether this thread may wait for the System: it is not one that the System itself needs for going on."""
        return not self._scheduler.owns_thread() and Scheduler.current() is None

    def drain(self, timeout: float = 30.0) -> DrainReport:
        """Take no new runs, let those under way and the actors of `children` finish side by side, then stop.

        The actors are asked to end, the last one first. Until each has, it may dispatch; so may a run under way, from
        its own threads. None is restarted. An actor whose spec gives no `shutdown` has all of the time.

        Args:
            timeout: seconds for runs and actors; what is not finished then is cut off. The error of a run names what is
                unfinished.

        Raises:
            OptionError: `timeout` is no number of seconds from 0; nothing was done.
            WouldDeadlock: called on one of the System's own threads.
            SystemStopped: the interpreter is shutting down.
        """
        timeout = checks.limit("timeout", timeout)
        self._check_fork()
        self._check_finalizing()
        if not self._may_wait():
            raise WouldDeadlock("drain() waits for runs, and this is one of the threads that they need")
        warn_in_loop("System.drain", "`await asyncio.to_thread(system.drain)`")
        live = self._opener.live
        redelivered, finished, cut_off = self._redelivered(), live.finished, live.cut_off
        locked(self._state_lock, self._begin_drain)
        actors_ended = Event()

        def ended() -> None:
            actors_ended.set()
            live.look_again()

        self._tree.drain_children(ended)
        live.wait_until_idle(timeout, actors_ended.is_set)
        redelivered = self._redelivered() - redelivered
        stopped = self.end()
        # Checked again: a concurrent stop may have completed before the timeout.
        dropped = live.cut_off - cut_off + live.count
        completed = live.finished - finished - (live.cut_off - cut_off)
        cut = self._tree.cut
        return DrainReport(not dropped and not cut, completed, dropped, max(0, redelivered), stopped, cut)

    def _begin_drain(self) -> None:
        if self._state == "running":
            self._state = "draining"

    def _redelivered(self) -> int:
        try:
            pools = self.statistics().pools.values()
        except (SystemStopped, TimeoutError) as error:
            if raised_by_handler(error):
                raise
            return 0
        return sum(snapshot.counts.redelivered for snapshot in pools)

    def run_until_signal(
        self, drain_timeout: float = 30.0, signals: Sequence[int] = SIGNALS
    ) -> tuple[int, DrainReport]:
        """Wait for SIGTERM or SIGINT in the main thread, then drain: `signals.run_until_signal`."""
        warn_in_loop(
            "System.run_until_signal", "`loop.add_signal_handler` and then `await asyncio.to_thread(system.drain)`"
        )
        return run_until_signal(self, drain_timeout, signals)

    def when_ended(self, told: Callable[[], object]) -> Monitor:
        """Call ``told()`` once it has ended, for whatever reason; it must neither block nor raise.

        Returns:
            What cancels that.

        Raises:
            SystemStopped: it does not run.
            OptionTypeError: `told` cannot be called so.
        """
        check_call("told", told, ())
        return monitor(self._living_root(), lambda down: told())

    def health(self) -> Health:
        """Whether it is live and ready, and why not; for probes. Never raises, answers within a second or so."""
        try:
            pools: Mapping[str, PoolSnapshot] | None = self.statistics(timeout=1.0).pools
        except (SystemStopped, ForkedSystemError, TimeoutError) as error:
            if raised_by_handler(error):
                raise
            pools = None
        state = self._state
        if os.getpid() != self._pid:
            state = "forked"
        elif state in ("running", "draining") and self._tree.has_ended:
            state = "ended"
        return judge(state, pools, telemetry.detached_handlers())

    def tree(self) -> TreeNode:
        """Return the live supervision tree; ``str()`` of it is a drawing.

        Raises:
            SystemStopped: it does not run.
        """
        root = self._living_root()
        try:
            return tree(root)
        except ActorDeadError:
            raise SystemStopped(f"system {self._name!r} has ended") from None

    def actor(self, *path: object) -> Any:
        """Return the reference of one of the System's own children; after a restart there is another one.

        Args:
            path: its id, behind the ids of the supervisors that it is under.

        Raises:
            LookupError: there is none, or it does not run; the message names those there are.
            SystemStopped: the System does not run.
        """
        return child_at(self._living_root(), ("tree", *path))

    @property
    def registry(self) -> Registry:
        """Names of the System's actors: those that specs register, and any that are given. Never waits."""
        return self._scheduler.registry

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:  # an interrupt behind its start, of which there would be no exit
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        from slither_actors.run_in_thread import run_in_thread

        try:
            return await run_in_thread(self.start, f"{self._name}-start")
        except BaseException:
            # Cancelled, it a thread still starts it, and no caller waits for that thread; stopping ends it.
            await run_in_thread(self._leave, f"{self._name}-stop", to_the_end=True)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from slither_actors.run_in_thread import run_in_thread

        await run_in_thread(self._leave, f"{self._name}-stop", to_the_end=True)

    def _living_root(self) -> LightRef[Supervisor]:
        self._check_fork()
        self._check_finalizing()
        root = self._tree.root
        if root is None or (self._state == "stopped" and not self._takes_from_here()):
            raise SystemStopped(f"system {self._name!r} does not run")
        return root

    # -- runs

    def batcher(self, **options: Unpack[BatcherKwargs]) -> DynamicBatcher:
        """Return a dynamic batcher: single calls of one function from many tasks and threads, in batches.

        Args:
            options: `max_batch_size`, `max_wait`, `max_queue`, `deadline`, `weight_fn`, `max_weight`, `split`, and
                those of a call (docs/options.md). `on_error` is a Retry or left out: a call that fails raises in its
                caller.

        Raises:
            OptionError: an option is unknown or has a bad value.

        Example::

            async with system.batcher(function=predict, max_batch_size=32) as predict_one:
                answer = await predict_one(row)
        """
        return self.dispatch.batcher(**options)

    def open_run(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started. For the Dispatcher.

        Raises:
            UnknownPool, UnknownCommand: naming the known ones.
            SystemStopped: it does not run (any more), or takes no runs from this thread now.
            ForkedSystemError: this process was forked from the one that started it.
        """
        self.check_takes_runs()
        return self._opener.open(items, options)

    def open_stream(self, payload: object, options: RunOptions, bounds: ChunkOptions) -> ChunkStream:
        """Prepare a stream of the chunks of one payload; nothing is started. For the Dispatcher.

        Raises:
            OptionError: an option has no meaning for a stream.
            UnknownPool, UnknownCommand, SystemStopped, ForkedSystemError: as in `open_run`.
        """
        self.check_takes_runs()
        return self._streams.open(payload, options, bounds)

    def check_takes_runs(self) -> None:
        """Raise what says why it takes no runs from this thread now, if it takes none. For the Dispatcher.

        Raises:
            SystemStopped: it does not run (any more), or takes no runs from this thread now.
            ForkedSystemError: this process was forked from the one that made it.
        """
        self._check_fork()
        if self._state != "running" and not self._takes_from_here():
            raise SystemStopped(f"system {self._name!r} {WHY_NOT[self._state]}")

    @property
    def takes_requests(self) -> bool:
        """Whether it takes runs from anywhere in this process. For the Dispatcher."""
        return self._state == "running" and os.getpid() == self._pid

    @property
    def takes_runs(self) -> bool:
        """Whether it takes runs from anywhere."""
        return self._state == "running"

    def _takes_from_here(self) -> bool:
        """Whether it takes a run though it is starting, draining or stopping.

        Its own actors dispatch from their start to their own stop. In a drain its runs do, too: a source that
        dispatches for its items could not be finished otherwise.
        """
        if (
            not self._pools_ready
            or Scheduler.working_for() is not self._scheduler
            or self._scheduler.background.on_thread()
        ):
            return False
        return self._state == "draining" or self._tree.children_live

    def statistics(self, timeout: float = 10.0) -> SystemStatistics:
        """Return a frozen snapshot of what it holds.

        Args:
            timeout: seconds to wait for the scheduler.

        Raises:
            OptionError: `timeout` is no number of seconds from 0.
            SystemStopped: it does not run.
            TimeoutError: the scheduler did not answer.
        """
        timeout = checks.limit("timeout", timeout)
        self._check_fork()
        if self._scheduler.on_thread():
            return self._snapshots.take()
        self._check_finalizing()
        if self._state not in ("running", "starting", "draining"):
            raise SystemStopped(f"system {self._name!r} does not run")
        return self._snapshots.ask(timeout)

    @property
    def stopped(self) -> bool:
        """Whether it was stopped; it cannot be started again."""
        return self._state == "stopped"

    @property
    def offered(self) -> bool:
        """Whether `Dispatch` may use it."""
        return True

    # -- forks

    def _check_fork(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedSystemError

    def _check_finalizing(self) -> None:
        """Refuse to wait for threads that the interpreter has ended already, at its own end."""
        if sys.is_finalizing():
            raise SystemStopped(FINALIZING)

    def forked(self) -> None:
        """In a forked child: only close the raw descriptors. The workers are the parent's, and so is all else."""
        self._scheduler.abandon_after_fork()
        for fd in self._tree.descriptors():
            with contextlib.suppress(OSError):
                os.close(fd)
