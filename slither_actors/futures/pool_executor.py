"""`PoolExecutor`: `concurrent.futures.Executor` over a pool of workers."""

from __future__ import annotations

import atexit
import contextlib
import functools
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from multiprocessing.context import BaseContext
from typing import Any, ParamSpec, TypeVar

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.futures.call_future import CallFuture
from slither_actors.futures.errors import UnsendableError
from slither_actors.futures.lane import lane_to
from slither_actors.futures.own_pool import own_pool, started_by
from slither_actors.futures.own_system import OwnSystem
from slither_actors.futures.pending import AT_EXIT, PendingCalls
from slither_actors.futures.replies import Outcome
from slither_actors.futures.requests import CODECS, Codec, Encode, prepare
from slither_actors.system.system import System
from slither_actors.validation.kinds import Choice, Seconds
from slither_actors.wording import shown

P = ParamSpec("P")
T = TypeVar("T")


class PoolExecutor(Executor):
    """A `concurrent.futures.Executor` whose calls are executed by the workers of a pool.

    ``PoolExecutor(4)`` takes the place of ``ProcessPoolExecutor(4)``: it has workers of its own, which start with the
    first call and end with `shutdown`. ``PoolExecutor(system=system, pool="default")`` uses those of a running System,
    which goes on after `shutdown`.

    A worker that dies in a call fails the future of that call alone, with `CallCrashed`; calls that had not begun go to
    another worker. Functions are imported by their names, so they have to be in a module; arguments and results travel
    as payloads do.

    Args:
        max_workers: number of own workers; None: one for each processor.
        mp_context: None, or a context of `multiprocessing` that starts new interpreters ("spawn" or "forkserver"), as
            workers always are.
        initializer: called once in each own worker, before its first call.
        initargs: its arguments.
        max_tasks_per_child: calls (with `map`, chunks) after which an own worker is replaced; None: never.
        system: a running System whose workers are used. Excludes what is for own workers.
        pool: name of its pool; None: "default", or the only one.
        codec: "msgpack": arguments travel as payloads do; "pickle": function and arguments are pickled here and
            unpickled in the worker. Results and exceptions never are.
        timeout: seconds that a call (with `map`, a chunk) may take on its worker, which is killed then, and the future
            fails with `BatchTimeout`. None: no limit.

    Raises:
        ValueError: an argument is out of range, or two exclude each other.
        TypeError: an argument is of a wrong type.
        UnsendableError: the initializer, or an argument of it, cannot be sent to a worker.
        UnknownPool: `system` has no such pool.

    Example::

        with PoolExecutor(4) as executor:
            future = executor.submit(pow, 2, 8)
            print(future.result())
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[object] = (),
        *,
        max_tasks_per_child: int | None = None,
        system: System | None = None,
        pool: str | None = None,
        codec: Codec = "msgpack",
        timeout: float | None = None,
    ) -> None:
        Choice(CODECS).check("codec", codec)
        self._codec = codec
        limit = None if timeout is None else Seconds().check("timeout", timeout)
        if system is None:
            if pool is not None:
                raise OptionError("pool is the name of a pool of a System: give system=..., too", "pool", "system")
            spec = own_pool(max_workers, mp_context, max_tasks_per_child, started_by(initializer, initargs, codec))
            self._calls = OwnSystem(spec, functools.partial(lane_to, pool=None, timeout=limit)).calls
            self._max_workers = (
                spec.size * spec.concurrency
            )  # libraries that share work out read it, as of ProcessPoolExecutor
        else:
            given = {
                "max_workers": max_workers,
                "mp_context": mp_context,
                "initializer": initializer,
                "max_tasks_per_child": max_tasks_per_child,
            }
            for name, value in given.items():
                if value is not None:
                    raise OptionError(
                        f"{name} is for workers of the executor's own: with system=... leave it out, and give the "
                        "System's pool a PoolSpec that says so",
                        name,
                        "system",
                    )
            if not isinstance(system, System):
                raise OptionTypeError(f"system must be a System, not {shown(system)}", "system")
            self._calls = PendingCalls(lane=lane_to(system, pool, limit))
        _executors.add(self._calls)
        # What is submitted is still executed when the executor itself is not referenced any more; then its System ends.
        weakref.finalize(self, self._calls.close).atexit = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a worker call ``fn(*args, **kwargs)``. Never blocks.

        Args:
            fn: a function or class that workers can import: neither a lambda nor a closure, nothing of ``__main__``,
                and no method of an object. A `functools.partial` of one will do. With ``codec="pickle"`` also what
                pickle can do by itself, such as a method of an object.
            args: positional arguments.
            kwargs: keyword arguments.

        Returns:
            Its future. It fails with what the function raised, if that is a built-in Exception, with the `WorkerError`
            that has the worker's traceback as its cause; with a `WorkerError` for other exceptions, SystemExit and
            KeyboardInterrupt among them; with `UnsendableError` where an argument or the result cannot travel; with
            `CallCrashed`, `BatchTimeout`, `LoadError` or `PoolUnavailable`. ``cancel`` succeeds until the call begins.

        Raises:
            UnsendableError: (a TypeError) `fn` cannot be called by workers.
            RuntimeError: after `shutdown`, or where the System was stopped.
            InitializerFailed: own workers could not be started.
            ForkedSystemError: in a process forked from the one that made the executor.
        """
        self._calls.check()
        name, request_of = prepare(fn, self._codec)
        return self._send(CallFuture(name), request_of, [args], kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Return an iterator over the results of ``fn`` for the arguments that `iterables` give side by side, in order.

        Args:
            fn: see `submit`.
            iterables: as many as `fn` takes arguments.
            timeout: seconds from now in which results have to come; None: no limit.
            chunksize: calls that make up one request. Many short calls cost less so. What fails a chunk as a whole
                (a crash, a result that cannot travel) fails all of its calls; an exception of one call comes after the
                results of those before it, and ends the iterator.
            buffersize: chunks that are submitted and not taken yet; more of the input is read as results are taken.
                None: all of the input is read and submitted at once, as `ProcessPoolExecutor` does.

        Raises:
            ValueError: `chunksize` or `buffersize` is less than 1.
            UnsendableError, RuntimeError: as `submit` does; with `buffersize` also from the iterator.
            TimeoutError: from the iterator, which has cancelled what is left then, as with any exception.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        deadline = None if timeout is None else time.monotonic() + timeout
        self._calls.check()
        submitted = self._submitted(fn, zip(*iterables, strict=False), chunksize)
        return _results(deque(islice(submitted, buffersize)), submitted, deadline)

    def _submitted(
        self, fn: Callable[..., object], rows: Iterator[Sequence[object]], size: int
    ) -> Iterator[CallFuture]:
        """Submit chunks of calls, each as its future is asked for; the reference to the executor keeps it open."""
        name, request_of = prepare(fn, self._codec)
        while chunk := list(islice(rows, size)):
            yield self._send(CallFuture(name, len(chunk)), request_of, chunk, {})

    def _send(
        self, future: CallFuture, request_of: Encode, calls: Sequence[Sequence[object]], keywords: Mapping[str, object]
    ) -> CallFuture:
        try:
            request = request_of(calls, keywords)
        except UnsendableError as error:
            future.take()
            future.set_exception(error)
            return future
        self._calls.submit(future, request)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; own workers end when the last call is done. May be repeated.

        Args:
            wait: return when all futures are done, and own workers have ended. A call that hangs makes that wait
                without end, unless the executor has a `timeout`.
            cancel_futures: cancel the calls that have not begun.

        Raises:
            WouldDeadlock: `wait` in a callback of a future.
        """
        self._calls.close(cancel=cancel_futures)
        if wait:
            self._calls.wait()


def _results(futures: deque[CallFuture], more: Iterator[CallFuture], deadline: float | None) -> Iterator[Any]:
    """Yield the results of chunks; for each chunk that is taken another one is submitted."""
    try:
        while futures:
            left = None if deadline is None else deadline - time.monotonic()
            # No reference to a future, nor to a result that was handed over, is kept here.
            results, error = _outcome(futures.popleft(), left)
            futures.extend(islice(more, 1))
            results.reverse()
            while results:
                yield results.pop()
            if error is not None:
                raise error
    finally:
        for future in futures:
            future.cancel()


def _outcome(future: CallFuture, timeout: float | None) -> Outcome:
    try:
        outcome: Outcome = future.result(timeout)
        return outcome
    finally:
        future.cancel()  # overdue: its result is not wanted any more


# All that may have calls pending, for the exit of the interpreter.
_executors: weakref.WeakSet[PendingCalls] = weakref.WeakSet()


@atexit.register
def _finish_at_exit() -> None:
    """Finish what was submitted, as `ProcessPoolExecutor` does, before the interpreter ends."""
    executors = list(_executors)
    for calls in executors:
        calls.close(AT_EXIT)
    for calls in executors:
        with contextlib.suppress(RuntimeError):
            calls.wait()
