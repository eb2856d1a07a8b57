"""Several children of one spec, of which a key chooses one: Elixir's `PartitionSupervisor`."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

import pykka

from supervisors.actors.light_ref import LightRef
from supervisors.actors.via import Via
from supervisors.errors import NotRegistered
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.intensity import Backoff
from supervisors.supervision.restart_policy import Strategy
from supervisors.supervision.spec_checks import not_a_spec
from supervisors.supervision.supervisor import Supervisor
from supervisors.wording import shown

__all__ = ["PartitionSupervisor", "Partitions"]

# Their records are made in the thread of the caller, before the first of them starts.
_MOST_PARTITIONS = 100_000


class PartitionSupervisor(Supervisor):
    """Runs the same child several times, to share its load by key. `Partitions` finds the child for a key.

    Args:
        child: the spec of each child, or a function from the number of a partition to its spec. The id of a child is
            its number, from 0.
        partitions: how many, from 1 to 100,000; None: the number of processors.
        strategy, max_restarts, max_seconds, restart_backoff, name: as of `Supervisor`.

    Raises:
        TypeError, ValueError, SpecError: an argument is not as described, or the spec registers one name for all.
    """

    def __init__(
        self,
        child: ChildSpec | Callable[[int], ChildSpec],
        partitions: int | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int | None = 3,
        max_seconds: float = 5.0,
        restart_backoff: Backoff | None = None,
        name: str | None = None,
    ) -> None:
        count = (os.cpu_count() or 1) if partitions is None else partitions
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"partitions must be an int or None, not {shown(count)}")
        if not 1 <= count <= _MOST_PARTITIONS:
            raise ValueError(f"partitions must be from 1 to {_MOST_PARTITIONS}, not {shown(count)}")
        self.partitions = count
        super().__init__(
            _specs(child, count),
            strategy=strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            restart_backoff=restart_backoff,
            name=name,
        )

    def running(self, number: int) -> pykka.ActorRef[Any] | None:
        """Return the actor of a partition; None while it does not run. From any thread."""
        child = self._children.get(number)
        ref = child.ref if child is not None and child.state == "running" else None
        return ref if ref is not None and ref.is_alive() else None


class Partitions:
    """Finds the partition for a key: partition number ``hash(key) % partitions``. Safe from any thread.

    The hash of a str differs from process to process, so that a key has the same partition within a process only.

    Args:
        supervisor: the reference of a PartitionSupervisor, or a Via that leads to one and so survives its restarts.
    """

    def __init__(self, supervisor: pykka.ActorRef[Any] | Via[Any]) -> None:
        if not isinstance(supervisor, Via):
            _checked(supervisor)
        self._supervisor = supervisor

    def partition(self, key: Hashable) -> pykka.ActorRef[Any]:
        """Return the actor for a key.

        Raises:
            NotRegistered: its partition does not run now, or the Via leads to no PartitionSupervisor.
            pykka.ActorDeadError: the supervisor has ended.
        """
        actor = self._actor()
        number = hash(key) % actor.partitions
        ref = actor.running(number)
        if ref is None:
            raise NotRegistered(key, f"partition {number} of {actor}")
        return ref

    def via(self, key: Hashable) -> Via[Any]:
        """Return a handle that finds the actor for a key at each use, and so survives restarts."""
        return Via(self, key)

    def lookup(self, key: Hashable) -> pykka.ActorRef[Any]:
        """Return `partition` of the key, under the name that a Registry has for it."""
        return self.partition(key)

    def whereis(self, key: Hashable) -> pykka.ActorRef[Any] | None:
        """Return the actor for a key; None if it does not run now, or the supervisor has ended."""
        try:
            return self.partition(key)
        except (NotRegistered, pykka.ActorDeadError):
            return None

    def _actor(self) -> PartitionSupervisor:
        supervisor = self._supervisor
        ref = _checked(supervisor.ref() if isinstance(supervisor, Via) else supervisor)
        actor = ref._actor
        if actor is None:
            raise pykka.ActorDeadError(f"{ref} not found")
        return actor


def _specs(child: ChildSpec | Callable[[int], ChildSpec] | object, count: int) -> Iterator[ChildSpec]:
    for number in range(count):
        spec = child(number) if callable(child) else child
        if not isinstance(spec, ChildSpec):
            raise TypeError(not_a_spec(spec))
        yield replace(spec, id=number)


def _checked(ref: pykka.ActorRef[Any]) -> LightRef[PartitionSupervisor]:
    if not isinstance(ref, LightRef) or not issubclass(ref.actor_class, PartitionSupervisor):
        raise TypeError(
            f"partitions need the reference of a PartitionSupervisor, or a Via that leads to one, not {shown(ref)}"
        )
    return ref
