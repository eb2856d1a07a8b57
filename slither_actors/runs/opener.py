"""Assembly of a run: its place in the pool, its Batcher, its Collector, under the System's supervisor of runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial

from slither_actors.errors import PoolUnavailable, SystemStopped, UnknownCommand, UnknownPool
from slither_actors.executors import Snakepit
from slither_actors.pools.assignment.job import Outcome, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import QueueMessage
from slither_actors.pools.spec import PoolSpec
from slither_actors.run_options import RunOptions
from slither_actors.runs.batch import Batch
from slither_actors.runs.batch_book import BatchBook
from slither_actors.runs.collector import Collector, hand_over_end, new_book
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.inline_pool import InlinePool
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.input.resumed_input import Resumed
from slither_actors.runs.live_runs import LiveRuns
from slither_actors.runs.messages import ForBatcher, Wake
from slither_actors.runs.output.consumer import Consumer, Source
from slither_actors.runs.places import own_session, pooled_queue, run_queue_of
from slither_actors.runs.run import Run
from slither_actors.runs.run_failure import not_started
from supervisors import ChildSpec, Crashed, ExitReason, Ref, Scheduler, SchedulerStopped, StartChild


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
        self.live = LiveRuns()
        self.stuck = 0

    @property
    def scheduler(self) -> Scheduler:
        """The System's."""
        return self._scheduler

    def open(self, items: Source, options: RunOptions) -> Consumer:
        """Prepare a run; nothing is pulled and nothing started.

        Raises:
            UnknownPool, UnknownCommand: naming the known ones.
        """
        if options.inline:
            return self._inline(items, options)
        link = self.link_of(options.pool)
        spec = self.spec_of(link)
        options.settle(spec.size * spec.concurrency)
        check_command(options, link)
        return self._pooled(items, options, link, spec)

    @property
    def supervisor(self) -> Ref[StartChild]:
        """The System's supervisor of runs."""
        return self._supervisor()

    def link_of(self, pool: str | None) -> PoolHandle:
        """Return the handle of a pool; None: the one named "default", or the only one.

        Raises:
            UnknownPool: naming the known ones.
        """
        links = self._links
        if pool is None:
            if "default" in links:
                pool = "default"
            elif len(links) == 1:
                (pool,) = links
        if pool not in links:
            raise UnknownPool(pool, links)
        return links[pool]

    def spec_of(self, link: PoolHandle) -> PoolSpec:
        """Return the spec of a pool."""
        return self._specs[link.name]

    def pool_error(self, link: PoolHandle) -> SystemStopped | PoolUnavailable:
        """Return the error of a run that has no Pool, or not any more."""
        return _stopped() if self._stopped() else link.unavailable()

    def resume(self, request: Batch, outcome: Outcome, options: RunOptions, due: float | None = None) -> Consumer:
        """Prepare the run that goes on with a request whose outcome is not just a result for each item.

        Args:
            request: as it was executed.
            outcome: how that ended.
            options: of the request; the run gets a session id of its own unless they have one.
            due: when it has had its time; None: it has no `deadline`.
        """
        link = self.link_of(options.pool)
        options = own_session(options)
        return self._pooled(Resumed(request, outcome), options, link, self.spec_of(link), due)

    def _pooled(
        self,
        items: Source | Resumed,
        options: RunOptions,
        link: PoolHandle,
        spec: PoolSpec,
        due: float | None = None,
    ) -> Consumer:
        """Prepare a run on a pool."""
        run = self._run(options, due)

        def start(run: Run) -> None:
            pool = link.ref
            if pool is None:
                raise not_started(SystemStopped("the System was stopped") if self._stopped() else link.unavailable())
            self._start(run, pooled_queue(run, spec, link.name), pool, pool_error)

        def pool_error(reason: ExitReason) -> BaseException:
            return self.pool_error(link)

        def resume(run: Run, resumed: Resumed) -> None:
            run_queue = pooled_queue(run, spec, link.name)
            book = new_book(run, run_queue, self._scheduler)
            book.resume(resumed.enter(run, run_queue), resumed.outcome)
            end, pool = book.end(), link.ref
            run.settled = end is not None or pool is None
            if end is not None:  # with what its policy made of it
                hand_over_end(run, book, end.error, end.batch)
            elif pool is None:
                hand_over_end(run, book, self.pool_error(link), None)
            else:
                self._start(run, run_queue, pool, pool_error, book)

        def batcher(run: Run) -> Batcher:
            return Batcher(run, RequestEncoder(options, self.target_of, spec.max_frame, link.arena, run.ending.blame))

        if isinstance(items, Resumed):
            return Consumer(run, items, batcher, partial(resume, resumed=items))
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
            self._start(run, run_queue_of(run, options.timeout, options.batch_timeout), crew, _crew_error)

        return Consumer(run, items, lambda run: Batcher(run, None), start)

    def _run(self, options: RunOptions, due: float | None = None) -> Run:
        run = Run(options, self._scheduler, self._count_stuck, due)
        if options.max_in_flight_bytes is not None:
            run.budget = ByteBudget(options.max_in_flight_bytes, partial(_room_for_bytes, weakref.ref(run)))
        return run

    def _start(
        self,
        run: Run,
        run_queue: RunQueue,
        pool: Ref[QueueMessage],
        pool_error: Callable[[ExitReason], BaseException],
        book: BatchBook | None = None,
    ) -> None:
        live = self.live
        try:
            live.begin(run.id)
            # It makes itself known to the run before it starts: whatever interrupts that, the run can tell it to end.
            collector = Collector.start(
                run,
                run_queue,
                pool,
                pool_error,
                not run.options.context.session_given,
                partial(live.ended, run.id),
                book,
                scheduler=self._scheduler,
            )
        except BaseException as error:
            # Interrupted at the end of its constructor it is known, and will never run.
            if not run.has_started or not run.collector.is_alive():
                live.withdraw(run.id)
            if isinstance(error, SchedulerStopped):
                live.withdraw(run.id)
                raise not_started(SystemStopped("the System was stopped")) from error
            raise
        self._supervisor().tell(StartChild(ChildSpec(id=run.id, start=lambda: collector, restart="temporary")))

    def _count_stuck(self, role: object) -> None:
        self.stuck += 1

    def target_of(self, module: str | None, name: str, each: bool) -> Target:
        """One number for one function in the whole System, so that a worker loads it once."""
        key = (module, name, each)
        target = self._targets.get(key)
        # setdefault is one step: of two threads that make one, both get the first one's.
        return target if target is not None else self._targets.setdefault(key, Target(module, name, each))


def check_command(options: RunOptions, link: PoolHandle) -> None:
    """Refuse a command that the pool's adapter does not have.

    Raises:
        UnknownCommand: naming the known ones.
    """
    executor = options.executor
    if isinstance(executor, Snakepit) and link.commands is not None and executor.command not in link.commands:
        raise UnknownCommand(executor.command, link.commands, link.name)


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
