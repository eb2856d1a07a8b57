"""The table of an Executor's life: every path through it ends, and nothing but the table moves it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.pools.worker.lifecycle import MEANINGS, TRANSITIONS, Event, IllegalTransition, State, next_state


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_a_pair_is_in_the_table_or_raises(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(IllegalTransition, match=f"{event.name} while {state.value}") as caught:
        next_state(state, event)
    assert (caught.value.state, caught.value.event) == (state, event)


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_from_everywhere_the_end_is_one_step_away(events: list[Event]) -> None:
    state = State.SPAWNING
    for event in events:
        if (state, event) in TRANSITIONS:
            state = next_state(state, event)
    assert next_state(state, Event.ENDED) is State.DEAD


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_once_asked_to_stop_no_worker_is_made_again(events: list[Event]) -> None:
    state = next_state(State.READY, Event.SHUTDOWN)
    for event in events:
        if (state, event) in TRANSITIONS:
            state = next_state(state, event)
            assert state in (State.STOPPING, State.DEAD)


def test_a_killed_worker_does_not_become_ready() -> None:
    after = {state for (before, _), state in TRANSITIONS.items() if before is State.KILLING}
    assert after == {State.KILLING, State.SPAWNING, State.STOPPING, State.DEAD}


def test_each_state_can_be_reached_and_has_a_meaning() -> None:
    reached, todo = {State.SPAWNING}, [State.SPAWNING]
    while todo:
        state = todo.pop()
        for (before, _), after in TRANSITIONS.items():
            if before is state and after not in reached:
                reached.add(after)
                todo.append(after)
    assert reached == set(State) == set(MEANINGS)
