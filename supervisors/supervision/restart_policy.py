"""Which children stop and start after an exit. Pure functions on views of a supervisor's children.

Ids are compared by identity: their own ``__eq__`` is the user's code, which may raise.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

from msgspec import Struct

from supervisors.exits import ExitReason, is_abnormal
from supervisors.supervision.child_spec import Restart

__all__ = ["AutoShutdown", "ChildView", "Decision", "Strategy", "after_exit", "is_restarted", "restart_scope"]

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]


class ChildView(Struct, frozen=True):
    """One child as the decisions see it. `active`: it is running, or being restarted."""

    id: Hashable
    restart: Restart = "permanent"
    significant: bool = False
    active: bool = True


class Decision(Struct, frozen=True):
    """The actions of a supervisor, in this order: stop children, drop specs, start children.

    Args:
        restart: True if an attempt is counted against the budget; if that is exceeded, none of the rest is done.
        stop: ids of running children, in the order in which to stop them.
        drop: ids whose spec is deleted.
        start: ids in the order in which to start them.
        shutdown: auto_shutdown fires: the supervisor stops all children and ends.
    """

    restart: bool = False
    stop: tuple[Hashable, ...] = ()
    drop: tuple[Hashable, ...] = ()
    start: tuple[Hashable, ...] = ()
    shutdown: bool = False


def is_restarted(restart: Restart, reason: ExitReason) -> bool:
    """Return whether a child of that restart type is restarted after it has ended on its own for that reason."""
    return restart == "permanent" or (restart == "transient" and is_abnormal(reason))


def after_exit(
    strategy: Strategy, auto_shutdown: AutoShutdown, children: Sequence[ChildView], dead: Hashable, reason: ExitReason
) -> Decision:
    """Decide what to do after a child has ended on its own.

    Args:
        strategy: of the supervisor.
        auto_shutdown: of the supervisor.
        children: all, in start order, the dead one included.
        dead: its id, the object that its view holds.
        reason: its exit reason.
    """
    child = next(child for child in children if child.id is dead)
    if is_restarted(child.restart, reason):
        return restart_scope(strategy, children, dead)
    return Decision(
        drop=(dead,) if child.restart == "temporary" else (),
        shutdown=child.significant and _fires(auto_shutdown, children, dead),
    )


def restart_scope(strategy: Strategy, children: Sequence[ChildView], dead: Hashable) -> Decision:
    """Decide what a restart of `dead`, which does not run, involves: the first time, and after a failed attempt."""
    at = next(index for index, child in enumerate(children) if child.id is dead)
    if strategy == "one_for_one":
        group = children[at : at + 1]
    elif strategy == "rest_for_one":
        group = children[at:]
    else:
        group = children
    others = [child for child in group if child.id is not dead]
    return Decision(
        restart=True,
        stop=tuple(child.id for child in reversed(others) if child.active),
        # A temporary sibling is active here, as its spec would have been deleted at its own end.
        drop=tuple(child.id for child in others if child.restart == "temporary"),
        start=tuple(child.id for child in group if child.id is dead or child.restart != "temporary"),
    )


def _fires(auto_shutdown: AutoShutdown, children: Sequence[ChildView], dead: Hashable) -> bool:
    if auto_shutdown == "any_significant":
        return True
    return auto_shutdown == "all_significant" and not any(
        child.significant and child.active for child in children if child.id is not dead
    )
