"""Functions as supervised tasks, each in a thread of its own: OTP's (Elixir's) `Task.Supervisor`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, ParamSpec, TypeVar, overload

import pykka

from supervisors.actors.daemon_actor import DaemonActor
from supervisors.actors.futures import check_may_block, check_timeout
from supervisors.actors.lifecycle import Down, monitor
from supervisors.actors.via import Via
from supervisors.exits import IGNORE, Normal, StartAnswer
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.client import kill, start_child
from supervisors.supervision.dynamic_supervisor import DynamicSupervisor
from supervisors.supervision.messages import StartChild
from supervisors.supervision.task_future import TaskFuture
from supervisors.supervision.task_stream import TaskStream
from supervisors.wording import shown

__all__ = ["TaskSupervisor", "Tasks"]

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

# A thread each; that many are more than most systems have.
_MOST_AT_A_TIME = 10_000

# The only message of a task: run the function.
_RUN = object()


class TaskSupervisor(DynamicSupervisor):
    """The supervisor of tasks. `Tasks` starts them.

    Runs in: the scheduler's thread. Owns: its tasks, temporary children with a daemon thread each.

    Args:
        max_children: the limit of tasks at a time; None: no limit.
        name: a text, for people.
    """

    def __init__(self, max_children: int | None = None, name: str | None = None) -> None:
        super().__init__(max_children=max_children, name=name)


class Tasks:
    """Starts functions as tasks of a TaskSupervisor. Safe from any thread.

    A task runs in a daemon thread of its own, is never restarted, and ends with its supervisor: it is given `shutdown`
    seconds to return, then its thread is abandoned.

    Args:
        supervisor: the reference of a TaskSupervisor, or a Via that leads to one and so survives its restarts.
        shutdown: as of `ChildSpec`: None is 5 s, and in a drain of its System as long as the drain.
    """

    def __init__(
        self,
        supervisor: pykka.ActorRef[Any] | Via[Any],
        *,
        shutdown: float | Literal["brutal_kill", "infinity"] | None = None,
    ) -> None:
        if not isinstance(supervisor, Via):
            _checked(supervisor)
        self._supervisor = supervisor
        self._shutdown = shutdown

    def start_child(self, fn: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> pykka.ActorRef[Any]:
        """Start a task whose result is dropped, and wait until it has started.

        The task ends with Normal when `fn` returns; an exception crashes it, and is logged.

        Returns:
            The reference of the task, for `monitor`, `kill` and `wait_ended`.

        Raises:
            MaxChildren, SupervisorStopping, StartFailed: see there.
            NotRegistered: the Via leads to no TaskSupervisor now.
            WouldDeadlock: on a scheduler's thread; `async_` is for there.
        """
        ref = start_child(self._ref(), self._spec(None, fn, args, kwargs))
        assert ref is not None
        return ref

    def async_(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]:
        """Start a task, and return the future of its result. Never blocks.

        An exception of `fn` belongs to the reader of the future alone, as that of an `ask` does. `get` raises
        ActorDeadError if the task or its supervisor ends first, and MaxChildren, SupervisorStopping or StartFailed if
        the task could not be started.

        Raises:
            NotRegistered: the Via leads to no TaskSupervisor now.
        """
        supervisor = self._ref()
        future: TaskFuture[T] = TaskFuture()

        def down(_: Down) -> None:
            future.fail(pykka.ActorDeadError(f"{supervisor} ended before it started the task"))

        def replied(answer: pykka.ActorRef[Any] | BaseException | None) -> None:
            watch.cancel()
            if isinstance(answer, pykka.ActorRef):
                future.started(answer)
            elif answer is not None:
                future.fail(answer)

        # Set up before the request is sent, so that either the reply or the Down arrives, however the two race.
        watch = monitor(supervisor, down)
        supervisor.tell(StartChild(self._spec(future, fn, args, kwargs), replied))
        return future

    @overload
    def map(
        self,
        fn: Callable[[T], R],
        items: Iterable[T],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
        return_exceptions: Literal[False] = False,
    ) -> Iterator[R]: ...

    @overload
    def map(
        self,
        fn: Callable[[T], R],
        items: Iterable[T],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
        return_exceptions: bool,
    ) -> Iterator[R | Exception]: ...

    def map(
        self,
        fn: Callable[[T], R],
        items: Iterable[T],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[R | Exception]:
        """Call ``fn(item)`` in a task for each item, and yield the results: `Task.Supervisor.async_stream`.

        Items are taken lazily, so that `items` may be infinite. Tasks that still run when the iterator is closed, or
        raises, are killed.

        Args:
            fn: the function.
            items: its arguments.
            max_concurrency: the limit of tasks that run, or whose results wait for an earlier one, from 1 to 10,000;
                None: the number of processors.
            ordered: yield in the order of the items; False: as the tasks end.
            timeout: seconds for each task, which is killed after that; its result is a CallTimeout. None: no limit.
            return_exceptions: yield exceptions in place of results; False: raise the first.

        Raises:
            WouldDeadlock: on a scheduler's thread.
        """
        check_may_block("map()")
        check_timeout(timeout)
        limit = (os.cpu_count() or 1) if max_concurrency is None else max_concurrency
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError(f"max_concurrency must be an int or None, not {shown(limit)}")
        if not 1 <= limit <= _MOST_AT_A_TIME:
            raise ValueError(f"max_concurrency must be from 1 to {_MOST_AT_A_TIME}, not {shown(limit)}")
        stream = TaskStream(lambda item: self.async_(fn, item), iter(items), limit, timeout)
        return stream.results(ordered=ordered, return_exceptions=return_exceptions)

    def _ref(self) -> pykka.ActorRef[Any]:
        supervisor = self._supervisor
        return _checked(supervisor.ref()) if isinstance(supervisor, Via) else supervisor

    def _spec(
        self,
        future: TaskFuture[T] | None,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> ChildSpec:
        if not callable(fn):
            raise TypeError(f"a task runs a function, not {shown(fn)}")
        name = getattr(fn, "__qualname__", type(fn).__qualname__)

        def start() -> pykka.ActorRef[_Task] | StartAnswer:
            if future is not None and future.answered:  # cancelled
                return IGNORE
            task = _Task.start(future, fn, args, kwargs)
            if future is not None and not future.begun(task):
                kill(task)
                return IGNORE
            return task

        return ChildSpec(name, start, restart="temporary", shutdown=self._shutdown)


def _checked(ref: pykka.ActorRef[Any] | object) -> pykka.ActorRef[Any]:
    if not isinstance(ref, pykka.ActorRef) or not issubclass(ref.actor_class, TaskSupervisor):
        raise TypeError(f"tasks need the reference of a TaskSupervisor, or a Via that leads to one, not {shown(ref)}")
    return ref


class _Task(DaemonActor):
    """Runs one function, and ends."""

    def __init__(
        self,
        future: TaskFuture[Any] | None,
        fn: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        super().__init__()
        self._work = (future, fn, args, kwargs)

    def on_start(self) -> None:
        self.actor_ref.tell(_RUN)

    def on_receive(self, message: object) -> None:
        future, fn, args, kwargs = self._work
        if future is None:
            fn(*args, **kwargs)
        elif not future.answered:  # else it was cancelled before its thread came here
            try:
                future.finish((fn(*args, **kwargs),))
            except BaseException as exc:
                future.finish(exc)
        self.exit(Normal())
