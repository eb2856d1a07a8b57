"""Assembly of a run: its place in the pool, its Batcher, its Collector, under the System's supervisor of runs."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial

from slither_actors import telemetry
from slither_actors.errors import SystemStopped, UnknownCommand, UnknownPool
from slither_actors.executors import Snakepit
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import QueueMessage
from slither_actors.pools.spec import PoolSpec
from slither_actors.run_options import RunOptions
from slither_actors.runs.collector import Collector
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.inline_pool import InlinePool
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import ForBatcher, Wake
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.runs.run import Run
from slither_actors.runs.run_failure import not_started
from supervisors import ChildSpec, Crashed, ExitReason, Ref, Scheduler, SchedulerStopped, StartChild
from supervisors.runtime.interrupts import Event


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
        links: dict[str, PoolHandle],
        specs: Mapping[str, PoolSpec],
        supervisor: Callable[[], Ref[StartChild]],
        stopped: Callable[[], bool],
    ) -> None:
        self._scheduler = scheduler
        self._links = links
        self._specs = specs
        self._supervisor = supervisor
        self._stopped = stopped
        self._targets: dict[tuple[str | None, str, bool], Target] = {}
        # The runs under way, by number. A starting thread adds, the scheduler's thread removes, each in one step: so an
        # interrupted start is counted or it is not.
        self._live: dict[int, None] = {}
        self._finished = 0
        self._idle: list[Event] = []
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
        return len(self._live)

    def open(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started.

        Raises:
            UnknownPool, UnknownCommand: naming the known ones.
        """
        if options.inline:
            return self._inline(items, options)
        link = self._link(options.pool)
        spec = self._specs[link.name]
        options.settle(spec.size)
        executor = options.executor
        if isinstance(executor, Snakepit) and link.commands is not None and executor.command not in link.commands:
            raise UnknownCommand(executor.command, link.commands, link.name)
        return self._pooled(items, options, link, spec)

    def _link(self, pool: str | None) -> PoolHandle:
        links = self._links
        if pool is None:
            if "default" in links:
                pool = "default"
            elif len(links) == 1:
                (pool,) = links
        if pool not in links:
            raise UnknownPool(pool, links)
        return links[pool]

    def _pooled(self, items: Source, options: RunOptions, link: PoolHandle, spec: PoolSpec) -> Consumer:
        """Prepare a run on a pool."""
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
            self._start(run, pool, pool_error, affinity, timeout, batch_timeout, link.name)

        def pool_error(reason: ExitReason) -> BaseException:
            return _stopped() if self._stopped() else link.unavailable()

        def batcher(run: Run) -> Batcher:
            return Batcher(run, RequestEncoder(options, self._target, spec.max_frame, link.arena, run.ending.blame))

        return Consumer(run, items, batcher, start)

    def _inline(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run with an inline executor, on threads of its own."""
        run = self._run(options)
        run.budget = None  # nothing is encoded

        def start(run: Run) -> None:
            try:
                crew = InlinePool.start(options, scheduler=self._scheduler)
            except SchedulerStopped as error:
                raise not_started(SystemStopped("the System was stopped")) from error
            self._start(run, crew, _crew_error, "none", options.timeout, options.batch_timeout)

        return Consumer(run, items, lambda run: Batcher(run, None), start)

    def _run(self, options: RunOptions) -> Run:
        run = Run(options, self._scheduler, self._count_stuck)
        if options.max_in_flight_bytes is not None:
            run.budget = ByteBudget(options.max_in_flight_bytes, partial(_room_for_bytes, weakref.ref(run)))
        return run

    def _start(
        self,
        run: Run,
        pool: Ref[QueueMessage],
        pool_error: Callable[[ExitReason], BaseException],
        affinity: str,
        timeout: float | None,
        batch_timeout: float | None,
        pool_name: str | None = None,
    ) -> None:
        options, context = run.options, run.options.context
        run_queue = RunQueue(
            max_in_flight=options.max_in_flight,
            ahead=options.prefetch > 0,
            timeout=timeout,
            batch_timeout=batch_timeout,
            session=context.session_id,
            affinity=affinity,
            ready=options.ready,
            describe={
                "executor": type(options.executor).__name__,
                "pipe": context.pipe,
                "stage": context.stage,
                "run": run.id,
                "pool": pool_name,
                "node": telemetry.node(),
            },
        )
        try:
            self._live[run.id] = None
            # It makes itself known to the run before it starts: whatever interrupts that, the run can tell it to end.
            collector = Collector.start(
                run,
                run_queue,
                pool,
                pool_error,
                not context.session_given,
                partial(self._ended, run.id),
                scheduler=self._scheduler,
            )
        except BaseException as error:
            # Interrupted at the end of its constructor it is known, and will never run.
            if not run.has_started or not run.collector.is_alive():
                self._live.pop(run.id, None)
            if isinstance(error, SchedulerStopped):
                self._live.pop(run.id, None)
                raise not_started(SystemStopped("the System was stopped")) from error
            raise
        self._supervisor().tell(StartChild(ChildSpec(id=run.id, start=lambda: collector, restart="temporary")))

    def wait_until_idle(self, timeout: float, others_done: Callable[[], bool]) -> None:
        """Wait until no run is under way and `others_done` (see `look_again`), for `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        while True:
            idle = Event()
            try:
                self._idle.append(idle)
                # Looked at after that: one of the two sees the other.
                if others_done() and not self._live:
                    return
                if not idle.wait(max(0.0, deadline - time.monotonic())):
                    return
            finally:
                if idle in self._idle:
                    self._idle.remove(idle)

    def look_again(self) -> None:
        """Wake `wait_until_idle`: what it waits for besides runs may have come true."""
        for idle in list(self._idle):
            idle.set()

    def _ended(self, run_id: int, cut_off: bool) -> None:
        self._finished += 1  # before it is gone: a drain that finds no run any more counts what has finished
        self.cut_off += cut_off
        self._live.pop(run_id, None)
        if not self._live:
            self.look_again()

    def _count_stuck(self, role: object) -> None:
        self.stuck += 1

    def _target(self, module: str | None, name: str, each: bool) -> Target:
        """One number for one function in the whole System, so that a worker loads it once."""
        key = (module, name, each)
        target = self._targets.get(key)
        # setdefault is one step: of two threads that make one, both get the first one's.
        return target if target is not None else self._targets.setdefault(key, Target(module, name, each))


def _room_for_bytes(known: weakref.ref[Run]) -> None:
    run = known()
    if run is None:  # the last to let go of it has given its bytes back
        return
    if run.batcher is not None:
        run.batcher.inbox_ref.tell(Wake())
        if run.producer is not None:
            run.producer.wake()
    else:
        run.inbox.put(ForBatcher(None))


def _crew_error(reason: ExitReason) -> BaseException:
    if isinstance(reason, Crashed):
        return reason.exception
    return _stopped()


def _stopped() -> SystemStopped:
    return SystemStopped("the System was stopped during this run")
