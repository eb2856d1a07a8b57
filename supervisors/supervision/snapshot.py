"""A snapshot of the live tree, and a drawing of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pykka
from msgspec import Struct

from supervisors.actors.futures import check_may_block, check_timeout
from supervisors.actors.lifecycle import Down, monitor
from supervisors.actors.light_actor import LightActor, LightRef
from supervisors.errors import WaitTimeout
from supervisors.runtime.interrupts import Event
from supervisors.supervision.child import Child, SupervisorStatistics
from supervisors.supervision.dynamic_supervisor import DynamicSupervisor
from supervisors.supervision.messages import ChildState
from supervisors.supervision.supervisor import Supervisor
from supervisors.wording import shown

__all__ = ["TreeNode", "draw", "snapshot", "snapshot_of", "tree"]


class TreeNode(Struct, frozen=True):
    """One actor of the tree, or one child that does not run.

    Args:
        id: the child's id within its supervisor; for the root its name.
        kind: the name of its class; "-" while there is no actor.
        type: "worker" or "supervisor".
        state: "running", "starting", "stopping", "stopped", "exited" or "restarting".
        restarts: how many times its supervisor has restarted it.
        age: seconds since it started; None while it does not run.
        statistics: the result of its `statistics()`; None for an actor with a thread of its own.
        children: in start order.
    """

    id: object
    kind: str
    type: str
    state: ChildState
    restarts: int
    age: float | None
    statistics: object
    children: tuple[TreeNode, ...] = ()

    def __str__(self) -> str:
        return draw(self)


def tree(ref: LightRef[Any], timeout: float = 5.0) -> TreeNode:
    """Return a snapshot of the tree under a supervisor, taken in one turn of its scheduler.

    Raises:
        TypeError: `ref` is not the reference of a light actor.
        WouldDeadlock: on a scheduler's thread; use `snapshot` there.
        pykka.ActorDeadError: it is dead.
        WaitTimeout: no answer within `timeout` seconds.
    """
    if not isinstance(ref, LightRef):
        raise TypeError(f"tree takes the reference of a supervisor, not {shown(ref)}")
    check_may_block("tree()")
    check_timeout(timeout)
    root = ref._actor
    if root is None:
        raise pykka.ActorDeadError(f"{ref} not found")
    taken: list[TreeNode] = []
    done = Event()

    def take() -> None:
        node = snapshot_of(ref)
        if node is not None:
            taken.append(node)
        done.set()

    def down(_: Down) -> None:
        done.set()

    watch = monitor(ref, down)
    root.scheduler.post(take)
    answered = done.wait(timeout)
    watch.cancel()
    if taken:
        return taken[0]
    if answered:
        raise pykka.ActorDeadError(f"{ref} not found")
    raise WaitTimeout(f"no answer from {ref} within {timeout} seconds")


def snapshot(actor: LightActor) -> TreeNode:
    """Return the snapshot under an actor. Scheduler's thread only."""
    name = getattr(actor, "name", None) or type(actor).__name__
    kind = "supervisor" if isinstance(actor, (Supervisor, DynamicSupervisor)) else "worker"
    return TreeNode(name, type(actor).__name__, kind, "running", 0, None, _statistics(actor), _children(actor))


def snapshot_of(ref: LightRef[Any]) -> TreeNode | None:
    """Return the snapshot under an actor; None if it has ended. Scheduler's thread only."""
    actor = ref._actor
    return snapshot(actor) if actor is not None else None


def draw(node: TreeNode) -> str:
    """Return the tree as text, with one line for each actor."""
    lines = [_line(node)]
    _draw_children(node.children, "", lines)
    return "\n".join(lines)


def _children(actor: LightActor) -> tuple[TreeNode, ...]:
    children: Iterable[Child] = ()
    if isinstance(actor, Supervisor):
        children = actor._children.values()
    elif isinstance(actor, DynamicSupervisor):
        children = actor._children
    now = actor.scheduler.now()
    return tuple(_node(child, actor, now) for child in children)


def _node(child: Child, parent: LightActor, now: float) -> TreeNode:
    ref = child.ref
    kind = "-" if ref is None else ref.actor_class.__name__
    age = None if child.started_at is None else now - child.started_at
    statistics: object = None
    below: tuple[TreeNode, ...] = ()
    # An actor that runs on another thread cannot be read from this one.
    actor = ref._actor if isinstance(ref, LightRef) else None
    if actor is not None and actor.scheduler is parent.scheduler:
        statistics = _statistics(actor)
        below = _children(actor)
    return TreeNode(child.spec.id, kind, child.spec.type, child.state, child.restarts, age, statistics, below)


def _statistics(actor: LightActor) -> object:
    try:
        return actor.statistics()
    except BaseException as exc:
        return f"statistics() raised {type(exc).__name__}"


def _line(node: TreeNode) -> str:
    parts = [f"{node.id} ({node.kind}) {node.state}"]
    if node.restarts:
        parts.append(f"restarts={node.restarts}")
    if node.age is not None:
        parts.append(f"age={node.age:.1f}s")
    if node.statistics is not None:
        parts.append(_shown(node.statistics))
    return " ".join(filter(None, parts))


def _shown(statistics: object) -> str:
    """Return statistics as text for one line: the fields of a record that are not empty, nested records included."""
    if isinstance(statistics, SupervisorStatistics):  # the children's lines show the rest
        return f"recent={statistics.recent} of {statistics.budget}" if statistics.recent else ""
    if not isinstance(statistics, Struct):
        return str(statistics)
    parts = []
    for name in statistics.__struct_fields__:
        value = getattr(statistics, name)
        if isinstance(value, Struct):
            parts.append(_shown(value))
        elif value not in (None, 0, ()):
            parts.append(f"{name}={value}")
    return " ".join(filter(None, parts))


def _draw_children(children: tuple[TreeNode, ...], indent: str, lines: list[str]) -> None:
    for index, child in enumerate(children):
        last = index == len(children) - 1
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{_line(child)}")
        _draw_children(child.children, indent + ("   " if last else "│  "), lines)
