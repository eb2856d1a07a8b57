"""Right uses of the public names of `supervisors`, with the types that a checker infers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never, assert_type

import pykka

from supervisors import (
    ChildInfo,
    ChildSpec,
    Crashed,
    DaemonActor,
    Down,
    ExitReason,
    Killed,
    LightActor,
    Normal,
    PartitionSupervisor,
    Ref,
    Registry,
    Scheduler,
    Shutdown,
    StartChild,
    Supervisor,
    SupervisorMessage,
    TaskFuture,
    Tasks,
    TaskSupervisor,
    Timer,
    WhichChildren,
    load,
    run,
    wait_ended,
    which_children,
    with_deferred_init,
)


def name_of(reason: ExitReason) -> str:
    match reason:
        case Normal():
            return "normal"
        case Shutdown(term):
            return f"shutdown {term}"
        case Crashed(exception):
            return f"crashed {exception}"
        case Killed():
            return "killed"
        case _:
            assert_never(reason)


def notify(supervisor: Ref[SupervisorMessage], spec: ChildSpec, infos: list[ChildInfo]) -> None:
    def reply(answer: list[ChildInfo] | BaseException) -> None:
        assert not isinstance(answer, BaseException)
        infos.extend(answer)

    supervisor.tell(StartChild(spec))
    supervisor.tell(WhichChildren(reply))


class Cache(LightActor):
    def on_receive(self, message: str) -> str:
        return message


class Reader(DaemonActor):
    def on_start(self) -> None:
        assert_type(self.send_after(1.0, "read"), Timer)


def by_name(registry: Registry) -> Ref[str]:
    return registry.via("cache")


def tasks_of(scheduler: Scheduler, spec: ChildSpec) -> None:
    supervisor = TaskSupervisor.start(max_children=5, scheduler=scheduler)
    PartitionSupervisor.start(spec, 4, scheduler=scheduler)
    tasks = Tasks(supervisor)
    assert_type(tasks.async_(int, "5"), TaskFuture[int])
    assert_type(tasks.map(len, ["a", "b"]), Iterator[int])
    assert_type(tasks.map(len, ["a"], return_exceptions=True), Iterator[int | Exception])


def main() -> ExitReason:
    specs = [ChildSpec("cache", Cache.start), ChildSpec("reader", with_deferred_init(Reader).start, start_timeout=5)]
    run(load("tree.yaml"))
    run(specs[0])
    reason = run(lambda: Supervisor.start(specs), signals=(), stop_timeout=5)
    return assert_type(reason, ExitReason)


def watch(ref: pykka.ActorRef[Any]) -> None:
    assert_type(wait_ended(ref, 5), ExitReason)
    for info in which_children(ref):
        assert_type(info.child, pykka.ActorRef[Any] | None)
    assert_type(Down(ref, Normal()).reason, ExitReason)
