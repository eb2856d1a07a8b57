"""Opens streams: their request, their place in the pool, their relay."""

from __future__ import annotations

from functools import partial

from slither_actors.chunk_options import ChunkOptions
from slither_actors.errors import OptionError, OptionTypeError, PayloadError, SystemStopped
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.policies import Halt, Policy, Retry
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import QueueMessage
from slither_actors.pools.spec import PoolSpec
from slither_actors.run_options import RunOptions
from slither_actors.runs.chunks.messages import ReaderInbox, ReaderLink
from slither_actors.runs.chunks.reader import ChunkReader
from slither_actors.runs.chunks.relay import ChunkRelay, StreamRequest
from slither_actors.runs.chunks.stream import ChunkStream
from slither_actors.runs.opener import RunOpener, check_command
from slither_actors.runs.places import affinity_of, description, own_session, timeouts
from slither_actors.runs.run import next_run_id
from slither_actors.runs.run_failure import not_started
from slither_actors.wire.codec import EncodeError, Encoder
from slither_actors.wire.header import HEADER_SIZE
from slither_actors.wire.messages import stream_side
from slither_actors.wording import shown
from supervisors import ChildSpec, ExitReason, Ref, SchedulerStopped, StartChild


class StreamOpener:
    """Opens the streams of one System.

    Args:
        runs: opens its runs, among which streams count.
    """

    def __init__(self, runs: RunOpener) -> None:
        self._runs = runs
        self._targets: dict[tuple[str | None, str], Target] = {}

    def open(self, payload: object, options: RunOptions, bounds: ChunkOptions) -> ChunkStream:
        """Prepare a stream; nothing is encoded or started.

        Args:
            payload: for the function.
            options: of the stream; those that are about batches mean nothing here.
            bounds: of the stream.

        Raises:
            UnknownPool, UnknownCommand: naming the known ones.
            OptionError: the executor is none that streams can have, or the policy wants something else than an error.
        """
        runs = self._runs
        target = self._target(options.executor)
        check_policy(options.on_error)
        link = runs.link_of(options.pool)
        check_command(options, link)
        spec = runs.spec_of(link)
        if spec.concurrency > 1:
            raise OptionError(
                f"stream_one holds a worker for itself, and those of pool {link.name!r} execute {spec.concurrency} "
                "batches at a time; use it with a pool that has concurrency=1",
                "pool",
            )

        limit = None if options.deadline is None else (options.deadline, runs.scheduler.now() + options.deadline)

        def start(inbox: ReaderInbox, reader: ReaderLink) -> None:
            own = own_session(options)
            pool = link.ref
            if pool is None:
                raise not_started(runs.pool_error(link))
            request = _request(payload, own, bounds, target, link, spec)
            self._start(request, own, bounds, pool, link, spec, inbox, reader, limit)

        return ChunkStream(ChunkReader(start, bounds, runs.scheduler.now))

    def _target(self, executor: object) -> Target:
        if type(executor) is SnakeBridge:
            key: tuple[str | None, str] = executor.module, executor.function
        elif type(executor) is Snakepit:
            key = None, executor.command
        else:
            kind = type(executor).__name__
            raise OptionTypeError(
                f"stream_one is for a function (module=..., function=...) or a command of an adapter (command=...), "
                f"not for the executor {kind}; use run or stream with it",
                "executor",
            )
        target = self._targets.get(key)
        # setdefault is one step: of two threads that make one, both get the first one's.
        return target if target is not None else self._targets.setdefault(key, Target(*key, each=True, streams=True))

    def _start(
        self,
        request: StreamRequest,
        options: RunOptions,
        bounds: ChunkOptions,
        pool: Ref[QueueMessage],
        link: PoolHandle,
        spec: PoolSpec,
        inbox: ReaderInbox,
        reader: ReaderLink,
        limit: tuple[float, float] | None,
    ) -> None:
        run_id, context, runs = next_run_id(), options.context, self._runs
        live = runs.live
        timeout, batch_timeout = timeouts(options, spec)
        run_queue = RunQueue(
            max_in_flight=1,
            ahead=False,
            timeout=timeout,
            batch_timeout=batch_timeout,
            session=context.session_id,
            affinity=affinity_of(options, spec),
            kill=options.on_abandon == "kill",
            describe=description(options, link.name, run_id),
        )

        def pool_error(reason: ExitReason) -> BaseException:
            return runs.pool_error(link)

        try:
            live.begin(run_id)
            relay = ChunkRelay.start(
                request,
                run_queue,
                pool,
                pool_error,
                options.on_error,
                bounds,
                inbox,
                reader,
                not context.session_given,
                partial(live.ended, run_id),
                limit,
                scheduler=runs.scheduler,
            )
        except BaseException as error:
            # Interrupted at the end of its constructor it is known, and will never run.
            if reader.relay is None or not reader.relay.is_alive():
                live.withdraw(run_id)
            if isinstance(error, SchedulerStopped):
                live.withdraw(run_id)
                raise not_started(SystemStopped("the System was stopped")) from error
            raise
        runs.supervisor.tell(StartChild(ChildSpec(id=run_id, start=lambda: relay, restart="temporary")))


def check_policy(policy: Policy) -> None:
    """Refuse a policy that hands on an item in the place of a failed one.

    Raises:
        OptionError: it does.
    """
    last = policy.last if isinstance(policy, Retry) else policy
    if not isinstance(last, Halt):
        raise OptionError(
            f"on_error={shown(policy)} has no meaning for stream_one, which has no item to hand on in the place of its "
            'chunks; say "halt" or Retry(...), and catch the error',
            "on_error",
        )


def _request(
    payload: object, options: RunOptions, bounds: ChunkOptions, target: Target, link: PoolHandle, spec: PoolSpec
) -> StreamRequest:
    """Return the request, encoded.

    Raises:
        DispatchError: the payload cannot be sent.
    """
    encoder = Encoder()
    try:
        return _encoded(encoder, payload, options, bounds, target, link, spec)
    finally:
        encoder.close()


def _encoded(
    encoder: Encoder,
    payload: object,
    options: RunOptions,
    bounds: ChunkOptions,
    target: Target,
    link: PoolHandle,
    spec: PoolSpec,
) -> StreamRequest:
    try:
        body, buffers = encoder.encode(payload if target.module is not None else {"items": [payload]})
    except EncodeError as error:
        path = error.path.removeprefix("['items'][0]")
        raise not_started(PayloadError(None, path, error.reason)) from error
    name: int | str = target.id if target.module is not None else target.name
    side = stream_side(name, options.context.session_id, bounds.max_ahead, bounds.max_ahead_bytes)
    beside = sum(map(len, buffers))
    size = HEADER_SIZE + len(side) + len(body) + beside
    if size > spec.max_frame:
        text = f"it takes {size} bytes, max_frame is {spec.max_frame}; send less, or give the pool a larger one"
        raise not_started(PayloadError(None, "", text))
    lease = link.arena.put(buffers, beside) if buffers and link.arena is not None and encoder.copied else None
    return StreamRequest(target, side, body, lease if lease is not None else buffers)
