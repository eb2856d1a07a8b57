"""The life of a worker, as a table."""

from __future__ import annotations

import pytest

from slither_actors.wire import lifecycle
from slither_actors.wire.frames import (
    CALL,
    CANCEL,
    CANCELLED,
    FAILURE,
    FROM_HOST,
    FROM_WORKER,
    HELLO,
    LOAD,
    LOADED,
    READY,
    REPLY,
    STOP,
    ProtocolError,
)
from slither_actors.wire.lifecycle import Lifecycle


def in_state(state: str) -> Lifecycle:
    life = Lifecycle()
    life.state = state
    return life


def test_a_worker_lives_from_hello_to_stop() -> None:
    life = Lifecycle()
    life.sent(HELLO)
    life.received(READY)
    for sent, received in ((LOAD, LOADED), (CALL, REPLY), (CALL, FAILURE), (CANCEL, CANCELLED)):
        life.sent(sent)
        life.received(received)
    assert life.state == lifecycle.READY_STATE
    life.sent(CALL)
    life.sent(STOP)
    life.received(REPLY)
    assert life.state == lifecycle.STOPPING
    life.exited()
    assert life.state == lifecycle.DEAD


def test_a_failed_start_ends_it() -> None:
    life = Lifecycle()
    life.sent(HELLO)
    life.received(FAILURE)
    assert life.state == lifecycle.STOPPING


def test_a_stop_may_cross_the_ready() -> None:
    life = Lifecycle()
    life.sent(HELLO)
    life.sent(STOP)
    life.received(READY)
    assert life.state == lifecycle.STOPPING


@pytest.mark.parametrize("state", lifecycle.STATES)
@pytest.mark.parametrize("kind", sorted(FROM_HOST | FROM_WORKER))
def test_each_state_takes_what_its_table_says_and_nothing_else(state: str, kind: int) -> None:
    life = in_state(state)
    if kind in lifecycle.SENDABLE[state]:
        life.sent(kind)
    else:
        with pytest.raises(RuntimeError):
            life.sent(kind)
        assert life.state == state
    life = in_state(state)
    if kind in lifecycle.RECEIVABLE[state]:
        life.received(kind)
    else:
        with pytest.raises(ProtocolError) as caught:
            life.received(kind)
        assert caught.value.reason == "state"
        assert life.state == state


def test_the_tables_agree_with_each_other_and_with_the_directions() -> None:
    assert set(lifecycle.SENDABLE) == set(lifecycle.RECEIVABLE) == set(lifecycle.STATES)
    assert frozenset().union(*lifecycle.SENDABLE.values()) == FROM_HOST
    assert frozenset().union(*lifecycle.RECEIVABLE.values()) == FROM_WORKER
    for (state, kind), after in lifecycle.ON_SENT.items():
        assert kind in lifecycle.SENDABLE[state]
        assert after in lifecycle.STATES
    for (state, kind), after in lifecycle.ON_RECEIVED.items():
        assert kind in lifecycle.RECEIVABLE[state]
        assert after in lifecycle.STATES
