"""The life cycle of an Executor with its worker: states, events, and which event leads where. Pure.

`TRANSITIONS` is the one table: the Executor changes its state by `next_state` alone, and docs/workers.md shows it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """Where an Executor is with its worker."""

    SPAWNING = "spawning"
    STARTING = "starting"
    READY = "ready"
    KILLING = "killing"
    RETIRING = "retiring"
    STOPPING = "stopping"
    DEAD = "dead"


class Event(enum.Enum):
    """What happens to an Executor or its worker."""

    SPAWNED = "its process exists"
    SPAWN_FAILED = "no process could be made"
    READY = "it says ready"
    LOAD_FAILED = "it says that its preload or adapter failed"
    RETIRES = "it says that it retires"
    BROKEN = "its bytes are no frames, or its reply pipe is closed"
    OVERDUE = "a deadline has come"
    UNWANTED = "what it executes is not wanted any more"
    SHUTDOWN = "the supervisor asks the Executor to end"
    REPLACED = "it is dead, and the Executor starts the next one"
    ENDED = "it is dead, and the Executor ends"


S, E = State, Event

MEANINGS: Final[Mapping[State, str]] = {
    S.SPAWNING: "the Spawner makes its process",
    S.STARTING: "it imports; hello was sent, ready has not come",
    S.READY: "it takes batches",
    S.KILLING: "it is to die, for an error, a deadline or unwanted work, and its death has not been reported",
    S.RETIRING: "it ends by itself at its limit, begins nothing more, and is replaced",
    S.STOPPING: "it ends, and the Executor with it",
    S.DEAD: "there is no worker, and the Executor ends",
}
"""What each state means."""

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (S.SPAWNING, E.SPAWNED): S.STARTING,
    (S.SPAWNING, E.SPAWN_FAILED): S.DEAD,
    (S.SPAWNING, E.BROKEN): S.KILLING,
    (S.STARTING, E.READY): S.READY,
    (S.STARTING, E.LOAD_FAILED): S.KILLING,
    (S.STARTING, E.BROKEN): S.KILLING,
    (S.STARTING, E.OVERDUE): S.KILLING,
    (S.READY, E.RETIRES): S.RETIRING,
    (S.READY, E.BROKEN): S.KILLING,
    (S.READY, E.OVERDUE): S.KILLING,
    (S.READY, E.UNWANTED): S.KILLING,
    # What a worker does while it is killed changes nothing: its death decides.
    (S.KILLING, E.SPAWNED): S.KILLING,
    (S.KILLING, E.SPAWN_FAILED): S.DEAD,
    (S.KILLING, E.REPLACED): S.SPAWNING,
    (S.RETIRING, E.REPLACED): S.SPAWNING,
    (S.STOPPING, E.SPAWNED): S.STOPPING,
    (S.STOPPING, E.SPAWN_FAILED): S.DEAD,
    **{(state, E.SHUTDOWN): S.STOPPING for state in S if state not in (S.STOPPING, S.DEAD)},
    # Whatever ends the Executor: its worker does not outlive it.
    **{(state, E.ENDED): S.DEAD for state in S},
}
"""Every event that may happen in a state, with the state that follows."""


class IllegalTransition(Exception):
    """An event happened in a state in which it cannot.

    Args:
        state: where the Executor was.
        event: what happened.
    """

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.name} while {state.value}")
        self.state = state
        self.event = event


def next_state(state: State, event: Event) -> State:
    """Return the state after an event.

    Raises:
        IllegalTransition: the event cannot happen in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None
