"""PartitionSupervisor and Partitions: one child for each part of the keys."""

from __future__ import annotations

import os
from typing import Any

import pykka
import pytest

import supervisors
from supervisors import (
    ChildSpec,
    LightActor,
    NotRegistered,
    Partitions,
    PartitionSupervisor,
    Scheduler,
    SpecError,
    StartFailed,
    Supervisor,
    wait_started,
    which_children,
)
from supervisors.testing import ManualScheduler


class Cache(LightActor):
    def __init__(self, number: int = -1) -> None:
        super().__init__()
        self.number = number

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return (self.number, message)


CHILD = ChildSpec("cache", Cache.start)


def by_number(number: int) -> ChildSpec:
    return ChildSpec("cache", lambda: Cache.start(number))


def started(manual: ManualScheduler, *args: Any, **options: Any) -> Any:
    ref = PartitionSupervisor.start(*args, **options, scheduler=manual)
    manual.run_until_idle()
    return ref


def test_a_key_leads_to_the_partition_of_its_hash(manual: ManualScheduler) -> None:
    ref = started(manual, by_number, 3)
    partitions = Partitions(ref)
    for key in (0, 1, 2, 3, 100, "text", ("a", 1), None):
        actor = partitions.partition(key)._actor  # type: ignore[attr-defined]
        assert actor.number == hash(key) % 3
        assert partitions.partition(key) is partitions.whereis(key)


def test_one_spec_makes_all_partitions(scheduler: Scheduler) -> None:
    ref = PartitionSupervisor.start(CHILD, 4, name="caches", scheduler=scheduler)
    assert wait_started(ref)
    infos = which_children(ref)
    assert [info.id for info in infos] == [0, 1, 2, 3]
    partitions = Partitions(ref)
    assert [partitions.partition(number) for number in range(4)] == [info.child for info in infos]
    assert partitions.via(2).ask("hello") == (-1, "hello")


def test_there_is_one_partition_a_processor_by_default(manual: ManualScheduler) -> None:
    ref = started(manual, CHILD)
    assert ref._actor.partitions == os.cpu_count()


def test_a_handle_for_a_key_survives_restarts(manual: ManualScheduler) -> None:
    handle = Partitions(started(manual, CHILD, 2)).via("key")
    before = handle.ref()
    handle.tell(ValueError("bad"))
    manual.run_until_idle()
    assert not before.is_alive()
    assert handle.is_alive()
    assert handle.ref() is not before


def test_a_partition_that_does_not_run_is_not_registered(scheduler: Scheduler) -> None:
    ref = PartitionSupervisor.start(CHILD, 2, name="caches", scheduler=scheduler)
    assert wait_started(ref)
    partitions = Partitions(ref)
    supervisors.terminate_child(ref, 1)
    with pytest.raises(NotRegistered, match="the name 1 belongs to partition 1 of caches, which does not run now"):
        partitions.partition(1)
    assert partitions.whereis(1) is None
    assert not partitions.via(1).is_alive()
    partitions.via(1).tell("dropped")
    supervisors.delete_child(ref, 1)
    with pytest.raises(NotRegistered):
        partitions.partition(1)
    assert partitions.via(0).is_alive()


def test_a_partition_is_not_found_before_it_has_started(manual: ManualScheduler) -> None:
    class Slow(LightActor):
        def on_start(self) -> Any:
            return supervisors.DEFERRED

    ref = started(manual, ChildSpec("slow", Slow.start), 1)
    partitions = Partitions(ref)
    assert partitions.whereis("key") is None
    child = ref._actor._children[0].ref
    child._actor.started()
    manual.run_until_idle()
    assert partitions.whereis("key") is child


def test_a_dead_supervisor_has_no_partitions(manual: ManualScheduler) -> None:
    ref = started(manual, CHILD, 2)
    partitions = Partitions(ref)
    supervisors.kill(ref)
    manual.run_until_idle()
    with pytest.raises(pykka.ActorDeadError):
        partitions.partition("key")
    assert partitions.whereis("key") is None


def test_partitions_by_name_survive_the_supervisors_restart(scheduler: Scheduler) -> None:
    def start() -> Any:
        return PartitionSupervisor.start(by_number, 2)

    partitions = Partitions(scheduler.registry.via("caches"))
    assert partitions.whereis("key") is None
    with pytest.raises(NotRegistered):
        partitions.partition("key")
    root = Supervisor.start([ChildSpec("caches", start, type="supervisor", register="caches")], scheduler=scheduler)
    assert wait_started(root)
    assert partitions.via(3).ask("one") == (1, "one")
    supervisors.terminate_child(root, "caches")
    supervisors.restart_child(root, "caches")
    assert partitions.via(3).ask("two") == (1, "two")


@pytest.mark.parametrize(
    ("child", "count", "error", "text"),
    [
        (CHILD, 0, ValueError, "partitions must be from 1 to 100000, not 0"),
        (CHILD, 10**9, ValueError, "partitions must be from 1 to 100000, not 1000000000"),
        (CHILD, True, TypeError, "partitions must be an int or None, not True"),
        (CHILD, "2", TypeError, "partitions must be an int or None, not '2'"),
        (None, 2, TypeError, "a child must be a ChildSpec, not None"),
        (lambda number: number, 2, TypeError, "a child must be a ChildSpec, not 0"),
        (ChildSpec("cache", Cache.start, register="cache"), 2, SpecError, "both register the name 'cache'"),
    ],
)
def test_wrong_partitions_are_refused(
    manual: ManualScheduler, child: Any, count: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        PartitionSupervisor.start(child, count, scheduler=manual)


def test_partitions_refuse_another_supervisor(scheduler: Scheduler) -> None:
    other = Supervisor.start(scheduler=scheduler)
    scheduler.registry.register("other", other)
    for given in (other, "caches", None):
        with pytest.raises(TypeError, match="need the reference of a PartitionSupervisor"):
            Partitions(given)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="need the reference of a PartitionSupervisor"):
        Partitions(scheduler.registry.via("other")).partition("key")


def test_a_failed_partition_fails_the_start(scheduler: Scheduler) -> None:
    def specs(number: int) -> ChildSpec:
        def start() -> Any:
            if number == 1:
                raise ValueError("no second")
            return Cache.start(number)

        return ChildSpec("cache", start)

    with pytest.raises(StartFailed, match="child 1 failed to start: ValueError: no second"):
        wait_started(PartitionSupervisor.start(specs, 2, scheduler=scheduler))
