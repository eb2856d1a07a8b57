"""A System's supervision tree: what stands in it, its start and its end, and the way to what is inside.

Start order: spawner, pools, runs; then, once all workers are ready, the actors of the System's own. A drain ends those
first, side by side with the runs, and then the rest in reverse order, as a stop does.
"""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pykka

from slither_actors.errors import SlitherError, StartTimeout
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import WhenReady
from slither_actors.pools.processes import interpreter
from slither_actors.pools.processes.spawner import Spawner, SpawnerMessage
from slither_actors.pools.processes.table import Processes
from slither_actors.pools.spec import PoolSpec
from slither_actors.pools.supervision import SHUTDOWN_MARGIN, pool_child
from slither_actors.system.patience import Patience
from supervisors import (
    IGNORE,
    Backoff,
    ChildSpec,
    Crashed,
    DaemonRef,
    DynamicSupervisor,
    LightRef,
    Ref,
    Scheduler,
    SchedulerStopped,
    Shutdown,
    StartChild,
    StartFailed,
    Supervisor,
    TerminateChild,
    TreeNode,
    WaitTimeout,
    monitor,
    tree,
    wait_started,
    which_children,
)
from supervisors import (
    stop as stop_actor,
)
from supervisors.actors.lifecycle import Lifecycle, lifecycle_of
from supervisors.exits import Draining
from supervisors.runtime.interrupts import Event, raised_by_handler
from supervisors.supervision.client import ask_supervisor
from supervisors.supervision.snapshot import snapshot_of

BEGIN_POLL = 0.5
"""Seconds between two looks, while the root is waited for, whether the scheduler that starts it is still there."""

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
        links: Mapping[str, PoolHandle],
        specs: Mapping[str, PoolSpec],
        children: Sequence[ChildSpec],
    ) -> None:
        self._scheduler = scheduler
        self._processes = processes
        self._links = links
        self._specs = specs
        self._children = tuple(children)
        self._begun: Event | None = None
        self._patience = max(spec.start_timeout for spec in specs.values()) + SHUTDOWN_MARGIN
        self.children_patience = self._patience
        """Seconds within which the actors beside the pools must have started."""
        self._draining = False
        self.cut: tuple[str, ...] = ()
        """The actors beside the pools that were cut off in a drain, by their ids."""
        self._spawner: Ref[SpawnerMessage] | None = None
        self._spawner_actor: Spawner | None = None
        self.root: LightRef[Supervisor] | None = None
        """None until it is started."""
        self._runs: LightRef[DynamicSupervisor] | None = None
        self.children: LightRef[Supervisor] | None = None
        """The supervisor of the actors beside the pools; another one after a restart."""

    def start(self) -> None:
        """Start the pools and what they need, and wait until every worker is ready. The scheduler runs.

        Raises:
            LoadError, StartTimeout, OSError: a worker cannot be started, and why.
            StartFailed: it is stopped while it starts.
            OptionError: a pool has no interpreter, or this process was started in the place of one.
        """
        interpreter.check(self._specs)
        self._begin()
        assert self.root is not None
        try:
            if not Patience(self._patience).wait(self._root_started):
                raise StartTimeout(self._patience)
        except StartFailed as error:
            cause: BaseException = error
            while isinstance(cause, StartFailed) and cause.__cause__ is not None:
                cause = cause.__cause__
            raise cause from None
        self._wait_ready(self._patience)

    def _root_started(self, seconds: float) -> bool:
        assert self.root is not None
        try:
            wait_started(self.root, seconds)
        except WaitTimeout as error:
            if raised_by_handler(error):
                raise
            return False
        return True

    def _wait_ready(self, patience: float) -> None:
        """Wait until the pools are as ready as runs need them, which is: all of their workers."""
        time_left = Patience(patience)
        for name, answer in [(name, _when_ready(link)) for name, link in self._links.items()]:
            if time_left.wait(answer.known.wait):
                error_or_none = answer.first[0]
            else:
                error_or_none = StartTimeout(patience)
                error_or_none.__cause__ = self._links[name].last_error
            if error_or_none is not None:
                if isinstance(error_or_none, SlitherError):
                    error_or_none.add_note(f"while pool {name!r} was started")
                elif isinstance(error_or_none, OSError):
                    raise _cannot_start(name, self._specs[name], error_or_none) from None
                else:
                    error_or_none.add_note(f"while pool {name!r} was started")
                raise error_or_none

    def _begin(self) -> None:
        """Start the root, on the scheduler's thread: no signal handler comes there between the start and its reference.

        Raises:
            SchedulerStopped: it was stopped meanwhile.
        """
        begun = self._begun = Event()
        failed: list[BaseException] = []

        def begin() -> None:
            try:
                self.root = self._start_root()
            except BaseException as error:
                failed.append(error)
            finally:
                begun.set()

        self._scheduler.post(begin)
        while not begun.wait(BEGIN_POLL) and not self._scheduler.stopped:
            pass
        if failed:
            raise failed[0]
        if self.root is None:
            raise SchedulerStopped(f"scheduler {self._scheduler.name!r} has been stopped")

    def _start_root(self) -> LightRef[Supervisor]:
        return Supervisor.start(
            [
                ChildSpec(id="spawner", start=self._start_spawner),
                ChildSpec(id="pools", start=self._start_pools, type="supervisor"),
                ChildSpec(id="runs", start=self._start_runs, type="supervisor"),
            ],
            strategy="rest_for_one",
            name=self._scheduler.name,
            scheduler=self._scheduler,
        )

    def start_children(self) -> None:
        """Start the actors beside the pools, which are ready, and wait until all have started.

        Raises:
            StartFailed: one cannot be started: which, and why.
            StartTimeout: one takes longer than the longest `start_timeout` of the pools.
            SupervisorError, pykka.ActorDeadError: all of this ends meanwhile.
        """
        if not self._children:
            return
        assert self.root is not None
        spec = ChildSpec(id="tree", start=self._start_children, type="supervisor")

        def request(reply: Callable[[pykka.ActorRef[Any] | BaseException | None], object]) -> StartChild:
            return StartChild(spec, reply)

        seconds = self.children_patience
        try:
            # As `start_child` does, but for standstills.
            ask_supervisor(self.root, request, seconds, Patience(seconds).wait)
        except StartFailed as error:
            inner = error.reason.exception if isinstance(error.reason, Crashed) else None
            raise (inner if isinstance(inner, StartFailed) else error) from None
        except WaitTimeout as error:
            if raised_by_handler(error):
                raise
            names = ""
            with contextlib.suppress(pykka.ActorDeadError, pykka.Timeout):
                if self.children is not None:
                    names = " and ".join(map(repr, _names(tree(self.children).children, "", ["starting"])))
            raise StartTimeout(
                seconds,
                f"actor {names or 'of the tree'} has not started within {seconds:g} s; do in a message what takes "
                "long, not in __init__ or on_start, or give it more time by a larger PoolSpec(start_timeout=...)",
            ) from None

    def _start_spawner(self) -> DaemonRef[Spawner]:
        ref = Spawner.start(self._scheduler, self._note_spawner, self._processes)
        self._spawner = ref
        return ref

    def _spawner_now(self) -> Ref[SpawnerMessage]:
        """Return the reference of the Spawner; another one after a restart."""
        spawner = self._spawner
        assert spawner is not None  # it starts before the pools
        return spawner

    def _note_spawner(self, actor: Spawner) -> None:
        self._spawner_actor = actor

    def _start_pools(self) -> LightRef[Supervisor]:
        # One pool's end never ends another: no budget here, each comes back after its own back-off.
        return Supervisor.start(
            [pool_child(link, self._specs[name], self._spawner_now) for name, link in self._links.items()],
            max_restarts=None,
            restart_backoff=POOL_RESTART,
            name="pools",
        )

    def _start_runs(self) -> LightRef[DynamicSupervisor]:
        self._runs = DynamicSupervisor.start(max_restarts=None, name="runs")
        return self._runs

    def runs(self) -> Ref[StartChild]:
        """Return the supervisor of runs; another one after a restart. Once the tree has started."""
        runs = self._runs
        assert runs is not None
        return runs

    def _start_children(self) -> Any:
        if self._draining:  # restarted behind the Spawner or the pools
            return IGNORE
        self.children = Supervisor.start(self._children, name="tree")
        return self.children

    @property
    def has_ended(self) -> bool:
        """Whether its root was started and has ended, for any reason."""
        return self.root is not None and not self.root.is_alive()

    @property
    def children_live(self) -> bool:
        """Whether the actors beside the pools have been started, and have not ended."""
        children = self.children
        return children is not None and children.is_alive()

    @property
    def children_seconds(self) -> float:
        """What the actors beside the pools may take to end, one after the other; supervisors do not say."""
        seconds = (spec.shutdown_seconds for spec in self._children)
        return sum(each for each in seconds if each != math.inf)

    def drain_children(self, ended: Callable[[], object]) -> None:
        """Ask the actors beside the pools to finish, and restart none of them any more. From any thread, never blocks.

        Args:
            ended: called once all of them have ended, perhaps more than once; on the scheduler's thread, or here.
        """
        self._draining = True
        root = self.root
        if root is None or self.children is None:
            ended()
            return

        def ask() -> None:
            # In this order: it is to hear the reason from here, and its supervisor is to expect its end.
            self._life_of_children().ask_shutdown(Shutdown(Draining()))
            root.tell(TerminateChild("tree", lambda answer: ended()))

        self._scheduler.post(ask)
        monitor(root, lambda down: ended())  # a dead root answers no request

    def cut_children(self) -> None:
        """End at once what a drain has asked to finish and what has not, without waiting for it. From any thread."""
        if self._draining and self.children is not None:
            self._scheduler.post(self._cut)

    def _cut(self) -> None:
        node = snapshot_of(self.children) if self.children is not None else None
        if node is not None:
            self.cut = tuple(_names(node.children, "", ("running", "stopping", "starting")))
            self._life_of_children().kill()

    def _life_of_children(self) -> Lifecycle:
        lifecycle = lifecycle_of(self.children) if self.children is not None else None
        assert lifecycle is not None
        return lifecycle

    def stop(self, timeout: float) -> bool:
        """End all of it, the last that was started first. False if that takes longer than `timeout` seconds."""
        if self._begun is not None:
            self._begun.wait(BEGIN_POLL)  # a start that was interrupted may be under way
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


def _names(nodes: Sequence[TreeNode], above: str, states: Sequence[str]) -> Iterator[str]:
    """Yield the actors in one of these states, each by its ids from the top."""
    for node in nodes:
        if node.type == "supervisor":
            yield from _names(node.children, f"{above}{node.id}/", states)
        elif node.state in states:
            yield f"{above}{node.id}"


def child_at(root: LightRef[Supervisor], path: Sequence[object]) -> Any:
    """Return the reference of the child with the last id in `path`, behind the ids of its supervisors.

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
    """Return the same error, which names the pool and, where it is about the interpreter, the option."""
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
    told = OSError(error.errno, text, error.filename)
    vars(told)["mentions"] = {"PoolSpec(python=...)": "python"}
    return told


class _Readiness:
    """Whether all workers of a pool are ready; or one cannot be started, and the reason."""

    def __init__(self) -> None:
        # No Future: an interrupted waiter leaves its lock held, for which the scheduler would wait.
        self.known = Event()
        self.first: list[Exception | None] = []

    def done(self, error: Exception | None) -> None:
        """Record the answer; the first one counts."""
        self.first.append(error)
        self.known.set()


def _when_ready(link: PoolHandle) -> _Readiness:
    answer = _Readiness()
    pool = link.ref
    if pool is None:
        answer.done(link.unavailable())
    else:
        pool.tell(WhenReady(answer.done))
        monitor(pool, lambda down: answer.done(link.unavailable()))  # it may end before it has heard this
    return answer
