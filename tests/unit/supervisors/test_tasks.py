"""TaskSupervisor and Tasks: functions in threads of their own, under a supervisor."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    CallTimeout,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    Killed,
    MaxChildren,
    Normal,
    NotRegistered,
    Scheduler,
    Shutdown,
    Supervisor,
    Tasks,
    TaskSupervisor,
    WouldDeadlock,
    kill,
    stop,
    wait_ended,
    wait_started,
)
from supervisors.supervision.task_future import TaskFuture
from supervisors.supervision.tasks import _Task
from supervisors.testing import ManualScheduler


@pytest.fixture
def supervisor(scheduler: Scheduler) -> Any:
    return TaskSupervisor.start(scheduler=scheduler)


@pytest.fixture
def tasks(supervisor: Any) -> Tasks:
    return Tasks(supervisor)


class Gate:
    """A function that does not return before it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, result: Any = None) -> Any:
        self.entered.release()
        assert self.opened.wait(30)
        return result

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def fail(text: str = "bad") -> None:
    raise ValueError(text)


def wait_reported(supervisor: Any) -> None:
    """Wait until the supervisor has handled the starts of tasks whose functions run.

    At the reply to the first request it has launched them all, and their starts are in its mailbox.
    """
    supervisors.count_children(supervisor)
    supervisors.count_children(supervisor)


# -- start_child ---------------------------------------------------------------------------------------------------


def test_start_child_runs_a_function_beside_the_caller(supervisor: Any, tasks: Tasks, gate: Gate) -> None:
    ref = tasks.start_child(gate)
    gate.wait_entered()
    (info,) = supervisors.which_children(supervisor)
    assert (info.child, info.state, info.type) == (ref, "running", "worker")
    gate.opened.set()
    assert wait_ended(ref, 30) == Normal()
    assert supervisors.which_children(supervisor) == []


def test_start_child_passes_arguments_by_name_too(tasks: Tasks) -> None:
    calls: list[Any] = []
    done = threading.Event()

    def work(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        done.set()

    tasks.start_child(work, 1, 2, three=3)
    assert done.wait(30)
    assert calls == [((1, 2), {"three": 3})]


def test_a_failed_task_crashes_and_is_not_restarted(supervisor: Any, tasks: Tasks) -> None:
    ref = tasks.start_child(fail)
    reason = wait_ended(ref, 30)
    assert isinstance(reason, Crashed)
    assert str(reason.exception) == "bad"
    assert supervisors.count_children(supervisor).specs == 0
    assert supervisor.is_alive()


def test_a_task_may_be_killed(tasks: Tasks, gate: Gate) -> None:
    ref = tasks.start_child(gate)
    gate.wait_entered()
    kill(ref)
    assert wait_ended(ref, 30) == Killed()


def test_start_child_respects_max_children(scheduler: Scheduler, gate: Gate) -> None:
    tasks = Tasks(TaskSupervisor.start(max_children=1, scheduler=scheduler))
    tasks.start_child(gate)
    with pytest.raises(MaxChildren):
        tasks.start_child(gate)
    with pytest.raises(MaxChildren):
        tasks.async_(gate).get(timeout=30)


# -- async_ --------------------------------------------------------------------------------------------------------


def test_async_gives_the_future_of_the_result(tasks: Tasks) -> None:
    assert tasks.async_(divmod, 7, 2).get(timeout=30) == (3, 1)
    assert tasks.async_(int, "21", base=16).get(timeout=30) == 33


def test_an_exception_is_the_future_readers_alone(tasks: Tasks, supervisor: Any, scheduler: Scheduler) -> None:
    reasons: list[Any] = []
    ended = threading.Event()

    def on_event(event: str, data: dict[str, Any]) -> None:
        if event == "exit":
            reasons.append(data["reason"])
            ended.set()

    scheduler.on_event = on_event
    with pytest.raises(ValueError, match="of the task"):
        tasks.async_(fail, "of the task").get(timeout=30)
    assert ended.wait(30)
    assert reasons == [Normal()]


def test_a_base_exception_is_the_result_too(tasks: Tasks) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        tasks.async_(leave).get(timeout=30)


def test_async_may_be_called_on_a_schedulers_thread(manual: ManualScheduler) -> None:
    tasks = Tasks(TaskSupervisor.start(scheduler=manual))
    with manual.active():
        future = tasks.async_(int, "5")
        with pytest.raises(WouldDeadlock):
            future.get()
        with pytest.raises(WouldDeadlock):
            tasks.start_child(int)
        with pytest.raises(WouldDeadlock):
            tasks.map(int, ["5"])
    manual.run_until_idle()
    assert future.get(timeout=30) == 5


def test_cancel_kills_the_task(supervisor: Any, tasks: Tasks, gate: Gate) -> None:
    future = tasks.async_(gate)
    gate.wait_entered()
    (info,) = supervisors.which_children(supervisor)
    future.cancel()
    with pytest.raises(pykka.ActorDeadError, match="the task was cancelled"):
        future.get(timeout=0)
    assert info.child is not None
    assert wait_ended(info.child, 30) == Killed()
    future.cancel()  # without effect


def test_what_was_cancelled_first_takes_no_room(manual: ManualScheduler, gate: Gate) -> None:
    tasks = Tasks(TaskSupervisor.start(max_children=2, scheduler=manual))
    cancelled = [tasks.async_(gate), tasks.async_(gate)]
    for future in cancelled:
        future.cancel()
    third = tasks.async_(int, "3")
    manual.run_until_idle()
    assert third.get(timeout=30) == 3
    assert not gate.entered.acquire(blocking=False)
    for future in cancelled:
        with pytest.raises(pykka.ActorDeadError, match="the task was cancelled"):
            future.get(timeout=0)


@pytest.mark.parametrize("seen", [False, True])
def test_what_is_cancelled_in_its_start_takes_no_room(
    manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch, gate: Gate, seen: bool
) -> None:
    """The caller cancels before the future knows its task, or before the supervisor watches that."""
    tasks = Tasks(TaskSupervisor.start(max_children=1, scheduler=manual))
    first = tasks.async_(gate)
    second = tasks.async_(int, "3")
    start, begun = _Task.start, first.begun

    def start_cancelled(*args: Any) -> Any:
        monkeypatch.setattr(_Task, "start", start)
        task = start(*args)
        first.cancel()
        return task

    def begun_cancelled(task: Any) -> bool:
        answer = begun(task)
        first.cancel()
        return answer

    if seen:
        monkeypatch.setattr(first, "begun", begun_cancelled)
    else:
        monkeypatch.setattr(_Task, "start", start_cancelled)
    manual.run_until_idle()
    assert second.get(timeout=30) == 3
    with pytest.raises(pykka.ActorDeadError, match="the task was cancelled"):
        first.get(timeout=0)


def test_a_result_survives_a_late_cancel(tasks: Tasks) -> None:
    future = tasks.async_(int, "5")
    assert future.get(timeout=30) == 5
    future.cancel()
    assert future.get(timeout=0) == 5


def test_a_task_that_was_cancelled_first_does_not_run() -> None:
    future: TaskFuture[Any] = TaskFuture()
    future.cancel()
    ran: list[int] = []
    assert wait_ended(_Task.start(future, ran.append, (1,), {}), 30) == Normal()
    assert ran == []


def test_the_result_leaves_room_for_the_next_task(scheduler: Scheduler, gate: Gate) -> None:
    """Who learns of the result finds the limit free, on the very thread that reports it, too."""
    supervisor = TaskSupervisor.start(max_children=1, scheduler=scheduler)
    tasks = Tasks(supervisor)
    following: queue.SimpleQueue[Any] = queue.SimpleQueue()
    first = tasks.async_(gate)
    gate.wait_entered()
    wait_reported(supervisor)  # from now on its own thread reports the result
    first.when_set(lambda _: following.put(tasks.async_(abs, -2).get(timeout=30)))
    gate.opened.set()
    assert following.get(timeout=30) == 2


def test_the_end_of_the_supervisor_ends_the_futures(supervisor: Any, tasks: Tasks, gate: Gate) -> None:
    futures = [tasks.async_(gate) for _ in range(3)]
    for _ in futures:
        gate.wait_entered()
    wait_reported(supervisor)
    kill(supervisor)
    assert wait_ended(supervisor, 30) == Killed()
    for future in futures:
        with pytest.raises(pykka.ActorDeadError, match="ended without a result: Killed"):
            future.get(timeout=30)
    with pytest.raises(pykka.ActorDeadError, match="ended before it started the task"):
        tasks.async_(int).get(timeout=30)


def test_a_stop_waits_for_tasks_as_long_as_shutdown(scheduler: Scheduler, gate: Gate) -> None:
    supervisor = TaskSupervisor.start(scheduler=scheduler)
    future = Tasks(supervisor, shutdown="infinity").async_(gate, "finished")
    stuck = Tasks(supervisor, shutdown=0.01).async_(gate)
    gate.wait_entered()
    gate.wait_entered()
    wait_reported(supervisor)
    assert not stop(supervisor, Shutdown("enough"), timeout=0)
    with pytest.raises(pykka.ActorDeadError):
        stuck.get(timeout=30)
    gate.opened.set()
    assert future.get(timeout=30) == "finished"
    assert wait_ended(supervisor, 30) == Shutdown("enough")


# -- map -----------------------------------------------------------------------------------------------------------


def test_map_yields_in_the_order_of_the_items(tasks: Tasks) -> None:
    second = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second.wait(30)  # ends after the second
        elif number == 1:
            second.set()
        return number * 10

    assert list(tasks.map(work, range(5), max_concurrency=2)) == [0, 10, 20, 30, 40]


def test_map_may_yield_as_the_tasks_end(tasks: Tasks) -> None:
    second = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second.wait(30)
        return number

    results = tasks.map(work, range(4), max_concurrency=2, ordered=False)
    first = [next(results) for _ in range(3)]
    assert first == [1, 2, 3]
    second.set()
    assert list(results) == [0]


@pytest.mark.parametrize("ordered", [True, False])
def test_map_takes_items_lazily(tasks: Tasks, ordered: bool) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = tasks.map(abs, items(), max_concurrency=3, ordered=ordered)
    assert taken == []
    got = {next(results) for _ in range(4)}
    assert len(got) == 4
    assert len(taken) <= 4 + 3
    results.close()  # type: ignore[attr-defined]


def test_map_never_exceeds_max_concurrency(tasks: Tasks) -> None:
    lock = threading.Lock()
    both = threading.Barrier(2, timeout=30)
    running = most = 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    list(tasks.map(work, range(10), max_concurrency=2))
    assert most == 2


def test_map_raises_the_first_exception_and_kills_the_rest(supervisor: Any, tasks: Tasks, gate: Gate) -> None:
    def work(number: int) -> None:
        if number == 0:
            gate.wait_entered()
            fail("first")
        gate()

    with pytest.raises(ValueError, match="first"):
        list(tasks.map(work, range(2), max_concurrency=2))
    for info in supervisors.which_children(supervisor):
        assert info.child is not None
        assert wait_ended(info.child, 30) in (Killed(), Normal())
    assert supervisors.which_children(supervisor) == []


def test_map_may_return_exceptions(tasks: Tasks) -> None:
    results = list(tasks.map(int, ["1", "x", "3"], max_concurrency=2, return_exceptions=True))
    assert results[0::2] == [1, 3]
    assert isinstance(results[1], ValueError)


def test_an_overdue_task_of_map_is_killed(supervisor: Any, tasks: Tasks, gate: Gate) -> None:
    results = tasks.map(gate, [1], timeout=0.01, return_exceptions=True)
    (error,) = results
    assert isinstance(error, CallTimeout)
    assert str(error) == "a task has not ended within 0.01 seconds"
    for info in supervisors.which_children(supervisor):
        assert info.child is not None
        assert wait_ended(info.child, 30) == Killed()


def test_map_with_time_enough_is_not_cut(tasks: Tasks) -> None:
    assert list(tasks.map(int, ["1", "2"], timeout=30, max_concurrency=1)) == [1, 2]


@pytest.mark.parametrize(
    ("limit", "error"), [(0, ValueError), (10_001, ValueError), (True, TypeError), ("2", TypeError)]
)
def test_map_checks_max_concurrency(tasks: Tasks, limit: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_concurrency must be"):
        tasks.map(int, [], max_concurrency=limit)


def test_map_of_nothing_yields_nothing(tasks: Tasks) -> None:
    assert list(tasks.map(int, [])) == []


# -- by name -------------------------------------------------------------------------------------------------------


def test_tasks_by_name_survive_restarts(scheduler: Scheduler) -> None:
    tasks = Tasks(scheduler.registry.via("tasks"))
    with pytest.raises(NotRegistered):
        tasks.async_(int)
    children = [ChildSpec("tasks", TaskSupervisor.start, type="supervisor", register="tasks")]
    root = Supervisor.start(children, scheduler=scheduler)
    assert wait_started(root)
    assert tasks.async_(int, "1").get(timeout=30) == 1
    supervisors.terminate_child(root, "tasks")
    supervisors.restart_child(root, "tasks")
    assert tasks.async_(int, "2").get(timeout=30) == 2


def test_tasks_refuse_another_supervisor(scheduler: Scheduler) -> None:
    other = DynamicSupervisor.start(scheduler=scheduler)
    scheduler.registry.register("other", other)
    for given in (other, "tasks", None):
        with pytest.raises(TypeError, match="need the reference of a TaskSupervisor"):
            Tasks(given)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="need the reference of a TaskSupervisor"):
        Tasks(scheduler.registry.via("other")).async_(int)
