"""What can go wrong, as exceptions: each says whose fault it is, where, and what to do next.

All of them survive pickling with their attributes. What ends a run is always a :class:`DispatchError`, whose ``reason``
is one of the others, or the exception that the caller's own code raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from slither_actors.wire.frames import ProtocolError
from slither_actors.wording import did_you_mean, known_names, shown, signal_name

if TYPE_CHECKING:
    from slither_actors.item import Item

__all__ = [
    "BatchTimeout",
    "DispatchError",
    "ForkedSystemError",
    "LoadError",
    "OptionError",
    "OptionTypeError",
    "PayloadError",
    "PoolUnavailable",
    "ProtocolError",
    "QueueTimeout",
    "ReaderTimeout",
    "SessionBusy",
    "SessionLost",
    "SlitherError",
    "StartTimeout",
    "StrategyError",
    "StreamBroken",
    "StreamClosed",
    "SystemStopped",
    "UnexpectedResponse",
    "UnknownCommand",
    "UnknownOption",
    "UnknownPool",
    "WorkerCrashed",
    "WorkerError",
    "WorkerRecycled",
    "WorkerUnwanted",
]


class SlitherError(Exception):
    """Base of what this package raises (but for :class:`ProtocolError`, which workers share, and wrong calls)."""

    mentions: Mapping[str, str] = MappingProxyType({})
    """The options that the text speaks of: the words for each, as they stand in the text, and the option's name (with
    the value that is recommended, if one is: ``timeout=None``). So the command line can say its own names."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with `args` alone, which fails for constructors that take more.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[SlitherError], args: tuple[Any, ...], state: dict[str, Any]) -> SlitherError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


# What the caller has to correct before anything runs


class OptionError(SlitherError, ValueError):
    """An option has a value that it cannot have; raised by the call that was given it, before anything is started.

    Attributes:
        option: the option's name; None if the error is about none in particular.
        others: the names of further options that it is about, where one excludes or needs another.
    """

    def __init__(self, message: str = "", option: str | None = None, *others: str) -> None:
        super().__init__(message)
        self.option = option
        self.others = others


class OptionTypeError(OptionError, TypeError):
    """An option has a value of a wrong type."""


class UnknownOption(OptionError):
    """There is no such option, or not with this executor and strategy.

    Args:
        name: the option that was given.
        known: the options that there are.
        hint: what to do instead, where more is known than a name that looks alike.
    """

    def __init__(self, name: str, known: Iterable[str], hint: str | None = None) -> None:
        self.name = name
        self.known = tuple(known)
        self.hint = hint
        said = did_you_mean(name, self.known) if hint is None else f": {hint}"
        super().__init__(f"unknown option {shown(name)}{said}; {known_names(self.known)}", name)


class UnknownPool(OptionError):
    """The System has no pool of this name.

    Args:
        name: the name that was given; None where none was, and there is more than one to choose from.
        known: the System's pools.
    """

    def __init__(self, name: str | None, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        if name is None:
            message = f"pool is not given and this System has no pool 'default'; {known_names(self.known)}"
        else:
            message = f"there is no pool {shown(name)}{did_you_mean(name, self.known)}; {known_names(self.known)}"
        super().__init__(message, "pool")


class UnknownCommand(OptionError):
    """The adapter of the pool's workers has no such command.

    Args:
        name: the command that was given.
        known: the adapter's commands; none where the pool has no adapter.
        pool: the pool's name.
    """

    def __init__(self, name: str, known: Iterable[str], pool: str | None = None) -> None:
        self.name = name
        self.known = tuple(known)
        self.pool = pool
        where = "the workers" if pool is None else f"the workers of pool {shown(pool)}"
        if self.known:
            message = (
                f"{where} have no command {shown(name)}{did_you_mean(name, self.known)}; {known_names(self.known)}"
            )
        else:
            message = (
                f"{where} have no commands, so not {shown(name)} either: give the pool an adapter "
                f"(PoolSpec(adapter='package.module:Class')) whose methods are marked with @command"
            )
        super().__init__(message, "command")


# What ends a run


class DispatchError(SlitherError):
    """A run has failed.

    Args:
        message: what failed and why, for people.
        reason: the exception behind it; of this module, or one that the caller's code raised.
        batch_ref: the number of the batch that failed; None where it was no batch.
        partial_results: results not handed out before: all so far of ``run``, none already yielded of ``stream``.
        unfinished: the ids of the items that were pulled and have no result.
        failed: the ids of the items that `reason` is about: of the one that failed alone, else of all in the batch;
            none where no batch failed, and where the pool could not work.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: BaseException | None = None,
        batch_ref: int | None = None,
        partial_results: Sequence[Item] = (),
        unfinished: Sequence[Any] = (),
        failed: Sequence[Any] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.batch_ref = batch_ref
        self.partial_results = list(partial_results)
        self.unfinished = list(unfinished)
        self.failed = list(failed)

    @property
    def item_id(self) -> Any:
        """The id of the one item that failed; None where it was a whole batch of several, or none."""
        return self.failed[0] if len(self.failed) == 1 else None


class StreamBroken(DispatchError):
    """A stream has ended with an error after its reader had got some chunks: it is not executed again.

    Args:
        reason: the exception behind it.
        delivered: chunks that the reader has got.
    """

    def __init__(self, message: str, *, reason: BaseException | None = None, delivered: int = 0) -> None:
        super().__init__(message, reason=reason, unfinished=(0,), failed=(0,))
        self.delivered = delivered


class ReaderTimeout(SlitherError):
    """The reader of a stream took no chunk for so long that its worker was freed.

    Args:
        timeout: seconds that it had: `reader_timeout`.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(
            f"the reader took no chunk for {timeout:g} s while the worker waited for it, so the function was closed "
            "and the worker freed; read faster, or give a longer reader_timeout (None: no limit)"
        )
        self.timeout = timeout


class BatchTimeout(SlitherError):
    """A batch, or an item of one, took longer than its run allows; its worker was killed and is being replaced.

    Args:
        timeout: seconds that it had.
        inline: it was a thread of an inline executor, which cannot be killed.
        option: the option that says so: "timeout" or "batch_timeout".
        of: what had that time: the "batch", or the one "item" of it that is charged; of a stream its next "chunk", the
            whole "stream", or its "end" after its reader had left it.
        item_id: of that item.
        count: items in the batch; None where it is not known.
        done: of these, how many the worker had done, or chunks that a stream had given; None where it does not say.
        average: seconds that an item took: of these, or else of earlier batches; None where it is not known.
        ready: the batch was given as it is, to `call_batch`: no batch_size makes it smaller.

    Attributes:
        stack: where the worker's threads were, innermost first, without values; empty where that is not known.
    """

    stack: str = ""

    def __init__(
        self,
        timeout: float,
        *,
        inline: bool = False,
        option: Literal["timeout", "batch_timeout"] = "timeout",
        of: Literal["batch", "item", "chunk", "stream", "end"] = "batch",
        item_id: Any = None,
        count: int | None = None,
        done: int | None = None,
        average: float | None = None,
        ready: bool = False,
    ) -> None:
        self.timeout = timeout
        self.inline = inline
        self.option = option
        self.of = of
        self.item_id = item_id
        self.count = count
        self.done = done
        self.average = average
        self.ready = ready
        super().__init__(self._text())

    def at_item(self, item_id: Any) -> BatchTimeout:
        """Return the same error for an item whose id was not known at the deadline; notes and the like stay with it."""
        error = BatchTimeout(self.timeout)
        error.__dict__.update(self.__dict__, of="item", item_id=item_id)
        error.args = (error._text(),)
        return error

    def _text(self) -> str:
        if self.inline:
            end = "its thread cannot be killed: it runs on, another one takes its place, and what it gives is dropped"
        else:
            end = "the worker was killed and is replaced"
        each = f", {self.average:.2g} s each on average" if self.average is not None else ""
        many = self.count is not None and self.count > 1
        if self.of == "item":
            who = "an item" if self.item_id is None else f"item {shown(self.item_id)}"
            where = f" ({self.done} of the {self.count} items of its batch were done{each if self.done else ''})"
            return f"{who} was not done within its timeout of {self.timeout:g} s{where if many else ''}; {end}"
        if self.of in _OF_STREAMS:
            had = f"{self.done} chunk{'' if self.done == 1 else 's'} had come"
            return f"{_OF_STREAMS[self.of]} within its {self.option} of {self.timeout:g} s ({had}); {end}"
        facts = ""
        if many and not self.inline:
            done = "" if self.done is None else f", of which {self.done} were done"
            facts = f", which is for the whole batch of {self.count} items{done}{each}"
            end = f"give {'fewer items' if self.ready else 'a smaller batch_size'} or a longer {self.option}; {end}"
        return f"not done within its {self.option} of {self.timeout:g} s{facts}; {end}"


_OF_STREAMS = {
    "chunk": "the next chunk of a stream was not there",
    "stream": "a stream was not done, without the time that it waited for its reader,",
    "end": "a stream that was left did not end",
}


class WorkerCrashed(SlitherError):
    """A worker process ended in the middle of a batch.

    Args:
        exit_code: of the process; None if a signal ended it, or where it is not known.
        signal: the number of the signal that ended it, else None.
        stderr_tail: the last lines that it wrote to its standard error.
        memory_limit: the kernel killed it, as its cgroup (a container, a service) had no memory left.
    """

    def __init__(
        self,
        exit_code: int | None = None,
        signal: int | None = None,
        stderr_tail: str = "",
        *,
        memory_limit: bool = False,
    ) -> None:
        if memory_limit:
            how = (
                "was killed by the memory limit of its cgroup (SIGKILL, and the cgroup's oom_kill count has grown): "
                "use smaller batches or fewer workers, give the container more memory, or bound each worker by "
                "PoolSpec(max_rss=...)"
            )
        elif signal is not None:
            name = signal_name(signal)
            how = f"was killed by {name}" if name.startswith("signal") else f"was killed by {name} (signal {signal})"
        elif exit_code is not None:
            how = f"exited with code {exit_code}"
        else:
            how = "died"
        tail = stderr_tail.strip("\n")
        said = f"; its last words on stderr:\n{tail}" if tail else "; it wrote nothing to stderr"
        super().__init__(f"the worker {how}{said}")
        self.exit_code = exit_code
        self.signal = signal
        self.memory_limit = memory_limit
        self.stderr_tail = stderr_tail


class WorkerRecycled(SlitherError):
    """A worker was replaced between two batches; found as the cause of a `SessionLost`.

    Args:
        reason: the option of its pool that says so: "max_batches" or "max_rss".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the worker was replaced between two batches, as its pool's {reason} demands")
        self.reason = reason


class WorkerUnwanted(SlitherError):
    """A worker was killed as what it executed was not wanted any more; found as the cause of a `SessionLost`."""

    def __init__(self) -> None:
        super().__init__(
            "the worker was killed, as all callers of what it executed were gone, and their on_abandon was 'kill'"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class WorkerError(SlitherError):
    """A worker's function raised: its exception as data, as classes of a worker need not exist in the host.

    Args:
        type: qualified name of the exception's class.
        message: its text.
        traceback: as the worker's Python prints it; empty where there is none.
        kind: "user" (the function raised), "load", "encode", "decode", "unexpected" or "start".

    Attributes:
        alone: one item failed by itself; False: its batch failed as a whole.
    """

    alone: bool = False

    def __init__(self, type: str, message: str, traceback: str = "", *, kind: str = "user") -> None:  # noqa: A002
        self.type = type
        self.message = message
        self.traceback = traceback
        self.kind = kind
        text = f"{type.removeprefix('builtins.')}: {message}" if message else type.removeprefix("builtins.")
        if traceback:
            text = f"{text}\n\nIn the worker:\n{traceback.rstrip()}"
        super().__init__(text)


class LoadError(SlitherError):
    """A worker could not import the function, or could not get ready; the next one could not either.

    Args:
        target: what was to be loaded.
        reason: why that failed.

    Attributes:
        stack: where the worker was when its time was over, as in `BatchTimeout`; empty for other reasons.
    """

    stack: str = ""

    def __init__(self, target: str, reason: BaseException) -> None:
        remedy = ""
        kind = str(getattr(reason, "type", ""))
        if kind.removeprefix("builtins.") == "ModuleNotFoundError":
            remedy = " (a module is found if its folder is in the pool's path: PoolSpec(path=[...]))"
        super().__init__(f"cannot load {target}{remedy}: {reason}")
        self.target = target
        self.reason = reason
        self.mentions = {"PoolSpec(path=[...])": "path"}


class UnexpectedResponse(SlitherError):
    """What came back is not one result for each item. The function, or the executor, breaks its contract.

    Args:
        message: what was to come and what came.
        expected: number of results, where it was a matter of numbers.
        got: number of results that came.
    """

    def __init__(self, message: str, *, expected: int | None = None, got: int | None = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.got = got


class PayloadError(SlitherError):
    """A payload has no form on the wire, so it cannot be sent to a worker.

    Args:
        item_id: of the item; None where it is not known which.
        path: the place inside the payload, as one would write it: ``['user'][3]``; empty: the payload itself.
        reason: what is there, and what to send in its place.
    """

    def __init__(self, item_id: Any, path: str, reason: str) -> None:
        whose = "a payload" if item_id is None else f"the payload of item {shown(item_id)}"
        where = f", at {path}" if path else ""
        super().__init__(f"{whose} cannot be sent to a worker{where}: {reason}")
        self.item_id = item_id
        self.path = path
        self.reason = reason


class PoolUnavailable(SlitherError):
    """A pool has given up, or its own actor failed: nothing can run on it until it is started again.

    Args:
        pool: its name.
        why: what happened to it.
    """

    def __init__(self, pool: str, why: str) -> None:
        super().__init__(f"pool {shown(pool)} is unavailable: {why}")
        self.pool = pool
        self.why = why


class StartTimeout(SlitherError):
    """A worker was not ready, or had not imported the function, within the pool's ``start_timeout``.

    Or an actor of the System's tree had not started within the longest of the pools'.

    Args:
        timeout: seconds that it had.
        message: unless given, that of a worker.

    Attributes:
        stack: where the worker was when it was killed, as in `BatchTimeout`.
    """

    stack: str = ""

    def __init__(self, timeout: float, message: str | None = None) -> None:
        super().__init__(
            message or f"not ready within {timeout:g} s; a slow import may need a larger PoolSpec(start_timeout=...)"
        )
        self.mentions = {"PoolSpec(start_timeout=...)": "start_timeout"}
        self.timeout = timeout


class StrategyError(SlitherError):
    """A strategy, or a function that it asks, broke its contract: an item lost, doubled, or without weight or key.

    Args:
        message: what it did.
        ids: the items concerned.
    """

    def __init__(self, message: str, ids: Iterable[Any] = ()) -> None:
        self.ids = list(ids)
        named = ", ".join(map(shown, self.ids[:_IDS_SHOWN]))
        if len(self.ids) > _IDS_SHOWN:
            named = f"{named} and {len(self.ids) - _IDS_SHOWN} more"
        super().__init__(f"{message} (item{'s' if len(self.ids) > 1 else ''} {named})" if self.ids else message)


_IDS_SHOWN = 10  # an error that names ten items shows the pattern; the attribute has them all


class SessionLost(SlitherError):
    """With strict affinity, the worker that held a session has died, and what the session had stored with it.

    Args:
        session_id: the session, which begins again, empty, on another worker.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {shown(session_id)} was lost with its worker and begins anew, with an empty store, on another one"
        )
        self.session_id = session_id


class SessionBusy(SlitherError):
    """With affinity "fail_fast", the worker that holds a session had no room.

    Args:
        session_id: the session.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__(f"the worker of session {shown(session_id)} is busy; affinity 'strict' waits for it")
        self.session_id = session_id


# The end of what was used


FINALIZING = "the interpreter is shutting down: it has ended the threads of every System, so nothing can run any more"


class SystemStopped(SlitherError):
    """The System was stopped, before or during the call; or does not take this run, as it is starting or draining."""


class StreamClosed(SlitherError):
    """The stream was closed, so there is nothing more to read from it."""


class Overloaded(SlitherError):
    """Too many wait already: this one was refused at once, and nothing of it was executed.

    Args:
        what: has the bound, as in "pool 'default'".
        bound: how many may wait there.
        remedy: what to do about it.
    """

    def __init__(self, what: str, bound: int, remedy: str) -> None:
        super().__init__(f"{what} has {bound} waiting, as many as it may: {remedy}")
        self.what = what
        self.bound = bound
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.bound, self.remedy)


class QueueTimeout(SlitherError, TimeoutError):
    """A batch waited at its pool longer than that allows, and no worker has begun it.

    Args:
        pool: the pool's name.
        seconds: how long a batch may wait there.
    """

    def __init__(self, pool: str, seconds: float) -> None:
        super().__init__(
            f"no worker of pool {shown(pool)} was free for it within {seconds:g} s, its queue_timeout; send less, or "
            "give the pool more workers"
        )
        self.mentions = {"queue_timeout": "queue_timeout"}
        self.pool = pool
        self.seconds = seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.pool, self.seconds)


class DeadlineExceeded(SlitherError, TimeoutError):
    """A call or a run took longer than its `deadline`, waiting included.

    Args:
        seconds: that it had.
        where: it was then, as in "waiting for a batch".
    """

    def __init__(self, seconds: float, where: str) -> None:
        super().__init__(f"the deadline of {seconds:g} s is over; it was {where}")
        self.seconds = seconds
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.seconds, self.where)


class BatcherClosed(SlitherError):
    """The dynamic batcher was closed, and takes no more calls."""


class ForkedSystemError(SlitherError):
    """A System, or what belongs to it, was used in a process forked from the one that made it."""

    def __init__(
        self,
        message: str = "this System was made before the process forked, and its workers belong to the parent; make and "
        "start one in each process: in a web service in the lifespan of the application, not at import (`gunicorn "
        "--preload` imports before it forks)",
    ) -> None:
        super().__init__(message)
