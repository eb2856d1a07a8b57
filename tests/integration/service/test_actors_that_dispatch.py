"""The actors of a System's own tree dispatch on it: at their start, in their work, and until their own stop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import dispatching, scripts
from support.dispatching import DOUBLE, Daemon, Light, Plain
from support.gates import SECONDS, Gates
from support.worker import FUNCTIONS

from slither_actors import (
    Dispatch,
    DispatchError,
    PoolSpec,
    Route,
    StartTimeout,
    System,
    SystemStopped,
    current_system,
    telemetry,
)
from slither_actors.strategies import Strategy
from slither_actors.system import registry
from supervisors import (
    ChildSpec,
    DaemonActor,
    DynamicSupervisor,
    LightActor,
    Shutdown,
    StartFailed,
    Supervisor,
    TreeNode,
    WouldDeadlock,
    abandoned_threads,
    start_child,
    supervise_threading,
)
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.exits import Draining
from supervisors.supervision.child import Child

THREADED = ["Daemon", "Plain"]


def take(count: int) -> list[tuple[str, Any, System | None]]:
    return [dispatching.seen.get(timeout=SECONDS) for _ in range(count)]


@pytest.fixture(autouse=True)
def no_default_system() -> Iterator[None]:
    """No test starts a second System in silence, and what its actors said was looked at."""
    yield
    assert registry._default is None
    left = [dispatching.seen.get() for _ in range(dispatching.seen.qsize())]
    assert left == []


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


Make = Callable[..., System]


@pytest.fixture(params=["code", "yaml"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """``make(name, *moments)``: a System with one such actor, "mine", in its tree."""

    def from_code(name: str, *moments: str) -> System:
        cls: Any = getattr(dispatching, name)
        if name == "Plain":
            cls = supervise_threading(cls)
        return System(
            {"default": PoolSpec(size=1, path=[FUNCTIONS])}, children=[ChildSpec("mine", lambda: cls.start(*moments))]
        )

    def from_yaml(name: str, *moments: str) -> System:
        (tmp_path / "slither.yaml").write_text(
            f"pools: {{default: {{size: 1, path: ['{FUNCTIONS}']}}}}\n"
            f"tree: [{{kind: actor, id: mine, class: 'support.dispatching:{name}', args: [{', '.join(moments)}]}}]\n"
        )
        return System.from_yaml(tmp_path / "slither.yaml")

    return from_code if request.param == "code" else from_yaml


def one_worker(*children: ChildSpec, **spec: Any) -> System:
    return System({"default": PoolSpec(size=1, path=[FUNCTIONS], **spec)}, children=children)


def node(found: TreeNode, *path: object) -> TreeNode:
    for child_id in path:
        found = next(child for child in found.children if child.id == child_id)
    return found


def daemon(child_id: str = "mine", *moments: str, **options: Any) -> ChildSpec:
    return ChildSpec(child_id, lambda: Daemon.start(*moments), **options)


# --- from the start to the stop


@pytest.mark.parametrize("name", THREADED)
@pytest.mark.parametrize("end", ["stop", "drain"])
def test_a_threaded_actor_dispatches_all_its_life(make: Make, name: str, end: str) -> None:
    system = make(name, "start", "end").start()
    system.actor("mine").tell("work")
    assert take(2) == [("start", [2, 4], system), ("work", [2, 4], system)]
    if end == "stop":
        assert system.stop()
        runs = 3
    else:
        report = system.drain(SECONDS)
        assert (report.drained, report.dropped, report.stopped) == (True, 0, True)
        runs = report.completed + 2
    assert take(1) == [("end", [2, 4], system)]
    assert runs == 3


@pytest.mark.parametrize("name", THREADED)
def test_an_init_from_a_file_is_on_its_own_thread(tmp_path: Path, name: str) -> None:
    (tmp_path / "slither.yaml").write_text(
        f"pools: {{default: {{size: 1, path: ['{FUNCTIONS}']}}}}\n"
        f"tree: [{{kind: actor, id: mine, class: 'support.dispatching:{name}', args: [init]}}]\n"
    )
    with System.from_yaml(tmp_path / "slither.yaml") as system:
        assert take(1) == [("init", [2, 4], system)]


def test_an_init_from_code_is_on_the_scheduler_and_refused() -> None:
    with one_worker(daemon("mine", "init")) as system:
        ((moment, error, found),) = take(1)
        assert (moment, found) == ("init", system)
        assert isinstance(error, WouldDeadlock)


@pytest.mark.timeout(30)
def test_a_light_actor_that_dispatches_gets_the_remedy_at_once(make: Make) -> None:
    with make("Light", "start", "end") as system:
        system.actor("mine").tell("work")
        told = take(2)
    told += take(1)
    assert [(moment, found) for moment, _, found in told] == [("start", system), ("work", system), ("end", system)]
    for _, error, _ in told:
        assert isinstance(error, WouldDeadlock)
        assert "DaemonActor" in str(error)


def test_a_light_actors_run_pulls_nothing_and_starts_nothing() -> None:
    pulled: list[int] = []

    def source() -> Iterator[int]:
        pulled.append(1)
        yield 1

    with one_worker(ChildSpec("light", Light.start)) as system:
        before = set(threading.enumerate())
        with pytest.raises(WouldDeadlock):
            system.actor("light").ask(lambda: system.dispatch.run(source(), **DOUBLE), timeout=SECONDS)
        assert [thread for thread in set(threading.enumerate()) - before if not thread.name.endswith("-side")] == []
        assert (pulled, system.statistics().runs) == ([], 0)


class Asker(LightActor):
    """A light actor that has its work done by one with a thread, and receives what came of it."""

    def __init__(self, worker: Callable[[], Any], answered: Callable[[Any], object]) -> None:
        super().__init__()
        self.worker, self.answered = worker, answered

    def on_receive(self, message: Any) -> None:
        if isinstance(message, list):
            self.answered(message)
        else:
            me = self.actor_ref
            self.worker().tell(lambda: me.tell([item.payload for item in Dispatch.run([message], **DOUBLE)]))


def test_a_light_actor_has_one_with_a_thread_dispatch_for_it() -> None:
    refs: dict[str, Any] = {}
    answers: list[Any] = []
    done = threading.Event()

    def worker() -> Any:
        refs["worker"] = Daemon.start()
        return refs["worker"]

    def asker() -> Any:
        return Asker.start(lambda: refs["worker"], lambda answer: (answers.append(answer), done.set()))

    with one_worker(ChildSpec("worker", worker), ChildSpec("asker", asker)) as system:
        system.actor("asker").tell(21)
        assert done.wait(SECONDS)
    assert answers == [[42]]


def test_the_tree_starts_when_all_workers_are_ready() -> None:
    ready: list[Any] = []

    class Looks(DaemonActor):
        def on_start(self) -> Any:
            pools = current_system().statistics().pools
            ready.append({name: pools[name].pool.ready for name in pools})  # type: ignore[union-attr]

    pools = {"one": PoolSpec(size=1), "two": PoolSpec(size=2)}
    with System(pools, children=[ChildSpec("looks", Looks.start)]):
        pass
    assert ready == [{"one": 1, "two": 2}]


def test_an_actor_finds_those_that_started_before_it() -> None:
    found: list[Any] = []

    class Later(DaemonActor):
        def on_start(self) -> Any:
            found.append(current_system().actor("first"))

    with one_worker(daemon("first"), ChildSpec("later", Later.start)) as system:
        assert found == [system.actor("first")]


def test_an_actor_that_was_restarted_dispatches(eventually: Callable[..., None]) -> None:
    def crash() -> None:
        raise RuntimeError("boom")

    with one_worker(daemon("mine", "start")) as system:
        before = system.actor("mine")
        before.tell(crash)
        assert take(2) == [("start", [2, 4], system)] * 2


def test_actors_restarted_with_the_spawner_dispatch() -> None:
    """rest_for_one: pools and tree are restarted with it; runs wait for the new workers."""
    with one_worker(daemon("mine", "start")) as system:
        lifecycle = lifecycle_of(system._tree._spawner)
        assert lifecycle is not None
        lifecycle.kill()
        assert take(2) == [("start", [2, 4], system)] * 2


def test_dynamic_children_of_the_tree_dispatch() -> None:
    def starts_more() -> Any:
        return start_child(current_system().actor("more"), daemon("one", "start", "end", restart="temporary"))

    more = ChildSpec("more", DynamicSupervisor.start, type="supervisor")
    with one_worker(more, daemon()) as system:
        assert system.actor("mine").ask(starts_more, timeout=SECONDS).is_alive()
        assert take(1) == [("start", [2, 4], system)]
        report = system.drain(SECONDS)
    assert (report.drained, report.cut_actors) == (True, ())
    assert take(1) == [("end", [2, 4], system)]


# --- which System that is


def test_another_system_that_was_started_later_is_not_meant() -> None:
    with (
        System({"mine": PoolSpec(size=1, path=[FUNCTIONS])}, children=[daemon()]) as system,
        System({"other": PoolSpec(size=1, path=[FUNCTIONS])}) as later,
    ):
        assert current_system() is later
        assert system.actor("mine").ask(current_system, timeout=SECONDS) is system
        pools = system.actor("mine").ask(lambda: Dispatch.run([1], pool="mine", **DOUBLE), timeout=SECONDS)
        assert [item.payload for item in pools] == [2]


def test_the_facade_for_asyncio_means_it_too() -> None:
    async def each() -> list[Any]:
        async with Dispatch.astream([2], **DOUBLE) as stream:
            streamed = [item.payload async for item in stream]
        run = [item.payload for item in await Dispatch.arun([1], **DOUBLE)]
        aside = await asyncio.to_thread(lambda: (current_system(), Dispatch.run([3], **DOUBLE)[0].payload))
        return [run, streamed, aside]

    with one_worker(daemon()) as system, System({"other": {"size": 1}}):
        assert system.actor("mine").ask(lambda: asyncio.run(each()), timeout=SECONDS) == [[2], [4], (system, 6)]


class Finder:
    """Finds the current System, wherever it is called; and dispatches on it, once."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.called = threading.Event()

    def __call__(self, *_: Any) -> None:
        if not self.called.is_set():
            self.found.append(current_system())
            self.found.append([item.payload for item in Dispatch.run([1, 2], **DOUBLE)])
            self.called.set()


class Looking(Strategy):
    batch_size = 4

    def __init__(self, finder: Finder) -> None:
        self.finder = finder

    def add(self, item: Any) -> Any:
        self.finder()
        return [[item]]

    def flush(self) -> Any:
        return []


class Inline:
    def __init__(self, finder: Finder) -> None:
        self.finder = finder

    def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
        self.finder()
        return batch


def lazily(finder: Finder, *items: int) -> Iterator[int]:
    finder()
    yield from items


def routed(finder: Finder) -> Route:
    return Route(lambda item, reason: finder() or item)


def with_handler(system: System, finder: Finder) -> None:
    with telemetry.attach(telemetry.BATCH_STOP, finder):
        system.dispatch.run([1], **DOUBLE)
        assert finder.called.wait(SECONDS)


THREADS_OF_RUNS: dict[str, Callable[[System, Finder], Any]] = {
    "source": lambda system, finder: system.dispatch.run(lazily(finder, 1, 2), **DOUBLE),
    "strategy": lambda system, finder: system.dispatch.run((x for x in [1, 2]), strategy=Looking(finder), **DOUBLE),
    "route": lambda system, finder: system.dispatch.run(
        (x for x in [1, -1]), module="tasks", function="negative_fails", each=True, on_error=routed(finder)
    ),
    "inline executor": lambda system, finder: system.dispatch.run([1, 2], executor=Inline(finder)),
    "telemetry": with_handler,
}


@pytest.mark.parametrize("where", THREADS_OF_RUNS)
def test_on_a_thread_of_a_run_it_is_the_runs(where: str) -> None:
    finder = Finder()
    with one_worker() as system, System({"other": {"size": 1}}):
        THREADS_OF_RUNS[where](system, finder)
    assert finder.found == [system, [2, 4]]


@pytest.mark.parametrize("kind", ["Daemon", "Plain"])
def test_an_actor_that_an_actor_starts_is_in_the_same_system(kind: str) -> None:
    cls: Any = Daemon if kind == "Daemon" else supervise_threading(Plain)

    def starts_another() -> Any:
        other = cls.start()
        try:
            return other.ask(current_system, timeout=SECONDS)
        finally:
            other.stop()

    with one_worker(daemon()) as system, System({"other": {"size": 1}}):
        assert system.actor("mine").ask(starts_another, timeout=SECONDS) is system


def test_a_bare_thread_at_the_start_gets_no_default_system() -> None:
    told: list[Any] = []

    class Delegates(DaemonActor):
        def on_start(self) -> Any:
            with ThreadPoolExecutor(1) as threads:
                told.append(threads.submit(Dispatch.run, [1], **DOUBLE).exception())
            system = current_system()
            with ThreadPoolExecutor(1) as threads:
                told.append(threads.submit(system.dispatch.run, [1], **DOUBLE).exception())

    with one_worker(ChildSpec("mine", Delegates.start)):
        pass
    assert all(isinstance(error, SystemStopped) for error in told)
    assert "is starting" in str(told[0])


def test_a_context_carries_the_system_to_a_bare_thread() -> None:
    def delegates() -> Any:
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(context.run, current_system).result(SECONDS)

    with one_worker(daemon()) as system, System({"other": {"size": 1}}):
        assert system.actor("mine").ask(delegates, timeout=SECONDS) is system


def test_an_abandoned_thread_of_a_stopped_system_is_refused(eventually: Callable[..., None]) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def held() -> None:
        begun.set()
        let_go.wait(SECONDS)
        dispatching.dispatch("late")

    with one_worker(daemon(shutdown=0.05)) as system:
        system.actor("mine").tell(held)
        assert begun.wait(SECONDS)
    let_go.set()
    ((_, error, found),) = take(1)
    assert found is system
    assert isinstance(error, SystemStopped)
    eventually(lambda: not abandoned_threads())


def test_a_fork_on_an_actors_thread_is_not_in_its_system(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        from supervisors import ChildSpec, DaemonActor
        class Forks(DaemonActor):
            def on_receive(self, message):
                child = os.fork()
                if not child:
                    signal.alarm(20)
                    try:
                        found = current_system()
                        (item,) = Dispatch.run([1], module="tasks", function="double")
                        print(found is system, item.payload, flush=True)
                        found.stop()
                    finally:
                        os._exit(3)
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with System({"default": PoolSpec(size=1)}, children=[ChildSpec("forks", Forks.start)]) as system:
            print(system.actor("forks").ask("go"))
        """,
    )
    assert done.stdout.splitlines() == ["False 2", "3"], done.stderr


# --- drains


def test_a_drain_beside_a_dispatching_actor_cuts_no_run_off(gates: Gates) -> None:
    """FOUND's: it got SystemStopped, was restarted until the System gave up, and the other run went with it."""
    system = System({"default": PoolSpec(size=2, path=[FUNCTIONS])}, children=[daemon("mine", "end")]).start()
    more = threading.Event()

    def works() -> None:
        while not more.is_set():
            Dispatch.run([1], **DOUBLE)
        dispatching.dispatch("more")

    with ThreadPoolExecutor() as threads:
        other = threads.submit(system.dispatch.run, [(7, gates["a"])], module="tasks", function="through_gates")
        gates.wait_begun("a")
        system.actor("mine").tell(works)
        draining = threads.submit(system.drain, SECONDS)
        while system.health().ready:
            pass
        with pytest.raises(SystemStopped, match="draining"):
            system.dispatch.run([1], **DOUBLE)
        with pytest.raises(SystemStopped, match="draining"):
            Dispatch.run([1], **DOUBLE)
        more.set()
        assert take(2) == [("more", [2, 4], system), ("end", [2, 4], system)]
        assert not draining.done()
        gates.open("a")
        assert other.result(SECONDS)[0].payload == 7
        report = draining.result(SECONDS)
    assert (report.drained, report.dropped, report.stopped, report.cut_actors) == (True, 0, True, ())


def test_only_an_explicit_shutdown_bounds_an_actor_in_a_drain() -> None:
    spec, reason = daemon(), Shutdown(Draining())
    assert Child(spec, None).seconds_to_end(Shutdown()) == 5.0
    assert Child(spec, None).seconds_to_end(reason) == float("inf")
    assert Child(daemon(shutdown=0.3), None).seconds_to_end(reason) == 0.3


def test_an_actor_that_never_ends_is_cut_at_the_drains_limit(eventually: Callable[..., None]) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        let_go.wait(60)

    system = one_worker(daemon("first", "end"), daemon("stuck")).start()
    system.actor("stuck").tell(stuck)
    assert begun.wait(SECONDS)
    report = system.drain(0.2)
    assert (report.drained, report.dropped, report.stopped) == (False, 0, True)
    assert report.cut_actors == ("first", "stuck")
    assert system.stop()
    let_go.set()
    eventually(lambda: not abandoned_threads())
    while dispatching.seen.qsize():  # the one that was never asked hears of its end, and is too late
        _, error, _ = dispatching.seen.get()
        assert isinstance(error, (SystemStopped, DispatchError))


def test_a_run_of_an_actor_is_cut_off_with_it_at_the_limit(gates: Gates) -> None:
    failed: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            Dispatch.run([(1, gates["never"])], module="tasks", function="through_gates")
        except DispatchError as error:
            failed.append(error.reason)
        done.set()

    system = one_worker(daemon(), shutdown=0.2).start()
    system.actor("mine").tell(work)
    gates.wait_begun("never")
    report = system.drain(0.05)
    assert (report.drained, report.completed, report.dropped) == (False, 0, 1)
    assert done.wait(SECONDS)
    assert isinstance(failed[0], SystemStopped)


def test_stop_ends_a_drain_at_once(gates: Gates) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        let_go.wait(60)

    system = one_worker(daemon("mine"), shutdown=0.2).start()
    with ThreadPoolExecutor() as threads:
        other = threads.submit(system.dispatch.run, [(7, gates["a"])], module="tasks", function="through_gates")
        gates.wait_begun("a")
        system.actor("mine").tell(stuck)
        assert begun.wait(SECONDS)
        draining = threads.submit(system.drain, 3600)
        while system.health().ready:
            pass
        assert system.stop()
        report = draining.result(SECONDS)
        with pytest.raises(DispatchError):
            other.result(SECONDS)
        let_go.set()
    assert (report.drained, report.dropped, report.cut_actors) == (False, 1, ("mine",))


def test_a_nested_run_of_a_source_is_finished_in_a_drain(gates: Gates) -> None:
    begun, draining = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        begun.set()
        assert draining.wait(SECONDS)
        yield from (item.payload for item in Dispatch.run([1, 2], **DOUBLE))

    system = one_worker().start()
    with ThreadPoolExecutor() as threads:
        run = threads.submit(system.dispatch.run, source(), **DOUBLE)
        assert begun.wait(SECONDS)
        drained = threads.submit(system.drain, SECONDS)
        while system.health().ready:
            pass
        draining.set()
        assert [item.payload for item in run.result(SECONDS)] == [4, 8]
        report = drained.result(SECONDS)
    assert (report.drained, report.completed, report.dropped) == (True, 2, 0)


def test_an_actor_that_crashes_in_a_drain_is_not_restarted(gates: Gates) -> None:
    restarts: list[Any] = []

    def crash() -> None:
        raise RuntimeError("boom")

    begun, let_go = threading.Event(), threading.Event()

    def held() -> None:
        begun.set()
        assert let_go.wait(SECONDS)
        crash()

    children = [daemon(f"child {number}") for number in range(4)]
    system = System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, children=children).start()
    with (
        ThreadPoolExecutor() as threads,
        telemetry.attach(telemetry.ACTOR_RESTART, lambda event: restarts.append(event.metadata)),
    ):
        other = threads.submit(system.dispatch.run, [(7, gates["a"])], module="tasks", function="through_gates")
        gates.wait_begun("a")
        system.actor("child 3").tell(held)
        refs = [system.actor(f"child {number}") for number in range(3)]
        assert begun.wait(SECONDS)
        draining = threads.submit(system.drain, SECONDS)
        while node(system.tree(), "tree", "child 3").state != "stopping":
            pass
        for ref in refs:
            ref.tell(crash)
        let_go.set()
        while any(ref.is_alive() for ref in refs):
            pass
        assert system.health().live
        gates.open("a")
        assert other.result(SECONDS)[0].payload == 7
        assert draining.result(SECONDS).drained
    assert restarts == []


# --- starts that fail


class Refuses(DaemonActor):
    def on_start(self) -> Any:
        raise ValueError("no such file")


def test_an_actor_that_fails_at_its_start_is_named() -> None:
    system = one_worker(daemon("well"), ChildSpec("ill", Refuses.start))
    with pytest.raises(StartFailed, match=r"child 'ill' failed to start: ValueError: no such file") as caught:
        system.start()
    assert isinstance(caught.value.cause, ValueError)
    with pytest.raises(SystemStopped):
        system.start()


def test_an_actor_deep_in_the_tree_is_named_with_its_path() -> None:
    inner = ChildSpec("inner", lambda: Supervisor.start([ChildSpec("ill", Refuses.start)]), type="supervisor")
    with pytest.raises(StartFailed, match=r"child 'inner' failed to start: .*child 'ill' .*no such file"):
        one_worker(inner).start()


def test_an_actor_whose_run_fails_at_its_start_fails_the_start() -> None:
    class Warms(DaemonActor):
        def on_start(self) -> Any:
            Dispatch.run([1], module="tasks", function="no_such_function")

    with pytest.raises(StartFailed, match="no_such_function"):
        one_worker(ChildSpec("warms", Warms.start)).start()


def test_a_start_that_is_stopped_from_elsewhere_says_so(eventually: Callable[..., None]) -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Slow(DaemonActor):
        def on_start(self) -> Any:
            begun.set()
            let_go.wait(SECONDS)

    system = one_worker(ChildSpec("slow", Slow.start, shutdown=0.1))
    with ThreadPoolExecutor() as threads:
        starting = threads.submit(system.start)
        assert begun.wait(SECONDS)
        assert system.stop()
        with pytest.raises(SystemStopped, match="while it started"):
            starting.result(SECONDS)
        let_go.set()
    eventually(lambda: not abandoned_threads())


def test_an_actor_that_starts_without_end_is_named(eventually: Callable[..., None]) -> None:
    let_go = threading.Event()

    class Slow(DaemonActor):
        def on_start(self) -> Any:
            let_go.wait(SECONDS)

    system = one_worker(daemon("well"), ChildSpec("slow", Slow.start, shutdown=0.1), start_timeout=5.0)
    system._tree.children_patience = 0.3
    with pytest.raises(StartTimeout, match="'slow'"):
        system.start()
    let_go.set()
    eventually(lambda: not abandoned_threads())


def test_start_from_an_actor_that_is_starting_would_deadlock() -> None:
    told: list[Any] = []

    class Starts(Daemon):
        def on_start(self) -> Any:
            try:
                current_system().start()
            except WouldDeadlock as error:
                told.append(error)

    with one_worker(ChildSpec("mine", Starts.start)) as system:
        assert system.actor("mine").ask(lambda: current_system().start(), timeout=SECONDS) is system
    assert len(told) == 1


def test_actors_over_their_budget_end_the_system(eventually: Callable[..., None]) -> None:
    def crash() -> None:
        raise RuntimeError("boom")

    with one_worker(daemon()) as system:

        def ended() -> bool:
            try:
                system.actor("mine").tell(crash)
            except (LookupError, SystemStopped):
                pass
            except Exception:  # the supervisor ended before it answered
                pass
            return not system.health().live

        eventually(ended, SECONDS)
        assert "ended" in system.health().reasons[0]
