"""Wrong uses of `supervisors`: each comment has the code of the error that mypy gives for its line."""

from __future__ import annotations

from typing import assert_never

from supervisors import (
    ChildCounts,
    ChildInfo,
    ChildSpec,
    CountChildren,
    Crashed,
    DeleteChild,
    Down,
    ExitReason,
    LightActor,
    Normal,
    Ref,
    Scheduler,
    Shutdown,
    StartChild,
    SupervisorMessage,
    Tasks,
    TaskSupervisor,
    WhichChildren,
    run,
)


class Cache(LightActor):
    pass


def send(supervisor: Ref[SupervisorMessage], spec: ChildSpec) -> None:
    def counted(answer: ChildCounts | BaseException) -> None: ...

    supervisor.tell(spec)  # arg-type: Argument 1 to "tell" of "Ref" has incompatible type "ChildSpec"
    supervisor.tell(StartChild)  # arg-type: Argument 1 to "tell" of "Ref" has incompatible type "type[StartChild]"
    supervisor.tell(StartChild("cache"))  # arg-type: Argument 1 to "StartChild" has incompatible type "str"
    supervisor.tell(WhichChildren(counted))  # arg-type: Argument 1 to "WhichChildren" has incompatible type
    supervisor.tell(CountChildren(counted, 5))  # call-arg: Too many arguments for "CountChildren"
    supervisor.tell(DeleteChild(["a"]))  # arg-type: Argument 1 to "DeleteChild" has incompatible type "list[str]"


def name_of(reason: ExitReason, down: Down) -> str:
    match reason:
        case Normal():
            return "normal"
        case Shutdown() | Crashed():
            return "ended"
        case _:
            assert_never(reason)  # arg-type: Argument 1 to "assert_never" has incompatible type "Killed"


def ask(info: ChildInfo, scheduler: Scheduler) -> None:
    info.child.tell("hello")  # union-attr: Item "None" of
    print(info.state == "crashed")  # comparison-overlap: Non-overlapping equality check
    tasks = Tasks(TaskSupervisor.start(scheduler=scheduler))
    tasks.async_(len, 7)  # arg-type: Argument 2 to "async_" of "Tasks" has incompatible type "int"
    tasks.map(len, [1, 2])  # arg-type
    ChildSpec("cache", Cache)  # arg-type: Argument 2 to "ChildSpec" has incompatible type "type[Cache]"
    ChildSpec("cache", Cache.start, start_timeout="5")  # arg-type: Argument "start_timeout" to "ChildSpec" has
    run("tree.yaml")  # arg-type: Argument 1 to "run" has incompatible type "str"
