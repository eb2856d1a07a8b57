"""Putting a run together: its lane, its Batcher, its Collector, under the System's supervisor of runs."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from slither_actors.errors import SystemStopped, UnknownCommand, UnknownPool
from slither_actors.executors import Snakepit
from slither_actors.options import RunOptions
from slither_actors.pipeline.batcher import Batcher
from slither_actors.pipeline.budget import ByteBudget
from slither_actors.pipeline.collector import Collector
from slither_actors.pipeline.consumer import Consumer, Source
from slither_actors.pipeline.crew import Crew
from slither_actors.pipeline.encoding import RequestEncoder
from slither_actors.pipeline.failure import not_started
from slither_actors.pipeline.messages import Look, Work
from slither_actors.pipeline.run import Run
from slither_actors.pools.job import Lane, Target
from slither_actors.pools.link import PoolLink
from slither_actors.pools.spec import PoolSpec
from supervisors import ChildSpec, Crashed, ExitReason, Scheduler, SchedulerStopped, StartChild


class RunOpener:
    """Opens the runs of one System.

    Args:
        scheduler: the System's.
        links: to its pools.
        specs: of its pools.
        supervisor: its supervisor of runs, asked for whenever a run starts.
        stopped: whether the System was stopped: then that is why a run has no pool any more.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        links: dict[str, PoolLink],
        specs: Mapping[str, PoolSpec],
        supervisor: Callable[[], Any],
        stopped: Callable[[], bool],
    ) -> None:
        self._scheduler = scheduler
        self._links = links
        self._specs = specs
        self._supervisor = supervisor
        self._stopped = stopped
        self._targets: dict[tuple[str | None, str, bool], Target] = {}
        self._lock = threading.Lock()
        self._started = self._finished = 0
        self._idle = threading.Condition(self._lock)
        self.stuck = 0
        self.cut_off = 0
        """Runs that were under way when the System was stopped."""

    @property
    def finished(self) -> int:
        """Runs that have ended so far, however."""
        return self._finished

    @property
    def live(self) -> int:
        """Runs under way."""
        finished = self._finished
        return self._started - finished

    def open(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started.

        Raises:
            UnknownPool, UnknownCommand: naming the known ones.
        """
        if options.inline:
            return self._inline(items, options)
        link = self._link(options.pool)
        executor = options.executor
        if isinstance(executor, Snakepit) and link.commands is not None and executor.command not in link.commands:
            raise UnknownCommand(executor.command, link.commands, link.name)
        return self._pooled(items, options, link, self._specs[link.name])

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

    def _pooled(self, items: Source, options: RunOptions, link: PoolLink, spec: PoolSpec) -> Consumer:
        """A run on a pool."""
        run = self._run(options)

        def start(run: Run) -> None:
            pool = link.ref
            if pool is None:
                raise not_started(SystemStopped("the System was stopped") if self._stopped() else link.unavailable())
            context = options.context
            affinity = options.affinity or spec.affinity
            timeout = options.timeout if options.timeout_given else spec.timeout
            batch_timeout = options.batch_timeout if options.batch_timeout_given else spec.batch_timeout
            if not context.session_given:
                affinity = "none"
            self._start(run, pool, pool_error, affinity, timeout, batch_timeout)

        def pool_error(reason: ExitReason) -> BaseException:
            return _stopped() if self._stopped() else link.unavailable()

        def batcher(run: Run) -> Batcher:
            return Batcher(run, RequestEncoder(options, self._target, spec.max_frame, link.arena, run.blame))

        return Consumer(run, items, batcher, start)

    def _inline(self, items: Source, options: RunOptions) -> Consumer:
        """A run with an inline executor, on threads of its own."""
        run = self._run(options)
        run.budget = None  # nothing is encoded

        def start(run: Run) -> None:
            try:
                crew = Crew.start(options, scheduler=self._scheduler)
            except SchedulerStopped as error:
                raise not_started(SystemStopped("the System was stopped")) from error
            self._start(run, crew, _crew_error, "none", options.timeout, options.batch_timeout)

        return Consumer(run, items, lambda run: Batcher(run, None), start)

    def _run(self, options: RunOptions) -> Run:
        run = Run(options, self._scheduler)
        if options.max_in_flight_bytes is not None:
            run.budget = ByteBudget(options.max_in_flight_bytes, partial(_room_for_bytes, weakref.ref(run)))
        run.stuck = self._count_stuck
        return run

    def _start(
        self,
        run: Run,
        pool: Any,
        pool_error: Callable[[ExitReason], BaseException],
        affinity: str,
        timeout: float | None,
        batch_timeout: float | None,
    ) -> None:
        options, context = run.options, run.options.context
        lane = run.lane = Lane(
            max_in_flight=options.max_in_flight,
            ahead=options.prefetch > 0,
            timeout=timeout,
            batch_timeout=batch_timeout,
            session=context.session_id,
            affinity=affinity,
            describe={
                "executor": type(options.executor).__name__,
                "pipe": context.pipe,
                "stage": context.stage,
                "run": run.id,
            },
        )
        try:
            collector = Collector.start(
                run, pool, pool_error, not context.session_given, self._ended, scheduler=self._scheduler
            )
        except SchedulerStopped as error:
            raise not_started(SystemStopped("the System was stopped")) from error
        lane.collector = run.collector = collector
        with self._lock:
            self._started += 1
        self._supervisor().tell(StartChild(ChildSpec(id=run.id, start=lambda: collector, restart="temporary")))

    def wait_until_idle(self, timeout: float, others_done: Callable[[], bool]) -> None:
        """Wait until no run is under way and `others_done` (see `look_again`), for `timeout` seconds at most."""
        with self._idle:
            self._idle.wait_for(lambda: others_done() and not self.live, timeout)

    def look_again(self) -> None:
        """What `wait_until_idle` waits for besides runs may have come true."""
        with self._idle:
            self._idle.notify_all()

    def _ended(self, cut_off: bool) -> None:
        with self._idle:
            self._finished += 1
            self.cut_off += cut_off
            self._idle.notify_all()

    def _count_stuck(self, role: Any) -> None:
        self.stuck += 1

    def _target(self, module: str | None, name: str, each: bool) -> Target:
        """One number for one function in the whole System, so that a worker loads it once."""
        key = (module, name, each)
        with self._lock:
            target = self._targets.get(key)
            if target is None:
                target = self._targets[key] = Target(module, name, each)
            return target


def _room_for_bytes(known: weakref.ref[Run]) -> None:
    run = known()
    if run is None:  # the last to let go of it has given its bytes back
        return
    if run.batcher is not None:
        run.batcher.actor_ref.tell(Look())
        if run.producer is not None:
            run.producer.wake()
    else:
        run.inbox.put(Work(None))


def _crew_error(reason: ExitReason) -> BaseException:
    if isinstance(reason, Crashed):
        return reason.exception
    return _stopped()


def _stopped() -> SystemStopped:
    return SystemStopped("the System was stopped during this run")
