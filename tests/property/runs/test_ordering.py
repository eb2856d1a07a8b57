"""The ordering window against the plainest model there is: hold everything, give what is complete."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slither_actors.runs.flow.ordering_window import OrderingWindow


def added(window: OrderingWindow[Any], positions: Sequence[int]) -> list[Sequence[int]]:
    """The pieces that adding one releases."""
    out: list[Sequence[int]] = []
    window.add(positions, positions, out)
    return out


@st.composite
def partitions(draw: st.DrawFn, most: int = 40) -> list[Sequence[int]]:
    """Pieces that cover the positions 0 to n - 1, each ascending, in any order of arrival."""
    n = draw(st.integers(1, most))
    if draw(st.booleans()):  # side by side, as ranges
        cuts = sorted({0, n, *draw(st.lists(st.integers(1, n), max_size=8))})
        pieces: list[Sequence[int]] = [range(a, b) for a, b in itertools.pairwise(cuts)]
    else:
        owner = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
        groups: dict[int, list[int]] = {}
        for position, number in enumerate(owner):
            groups.setdefault(number, []).append(position)
        pieces = [tuple(group) for group in groups.values()]
    return draw(st.permutations(pieces))


class Unpacking:
    """What the consumer does with pieces: gives each item when its turn comes."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.given: list[int] = []

    def take(self, positions: Sequence[int]) -> None:
        assert not self.held & set(positions)
        self.held |= set(positions)
        while len(self.given) in self.held:
            self.held.discard(len(self.given))
            self.given.append(len(self.given))


@given(partitions())
def test_every_position_comes_once_and_as_early_as_it_can(pieces: list[Sequence[int]]) -> None:
    window: OrderingWindow[Sequence[int]] = OrderingWindow()
    consumer, came = Unpacking(), set()
    for positions in pieces:
        for piece in added(window, positions):
            consumer.take(piece)
        came |= set(positions)
        complete = next(i for i in range(len(came) + 1) if i not in came)
        # All up to the first gap are with the consumer: nothing that could be handed out is held in here.
        assert consumer.given == list(range(complete))
        assert window.next == complete
    assert len(window) == 0
    assert not consumer.held


@given(partitions(), st.data())
def test_a_drain_gives_all_that_is_held_by_first_position(pieces: list[Sequence[int]], data: st.DataObject) -> None:
    window: OrderingWindow[Sequence[int]] = OrderingWindow()
    arrived = pieces[: data.draw(st.integers(0, len(pieces)))]
    released = [piece for positions in arrived for piece in added(window, positions)]
    held = [piece for _, piece in window.drain()]
    assert [positions[0] for positions in held] == sorted(positions[0] for positions in held)
    assert sorted(map(tuple, released + held)) == sorted(map(tuple, arrived))
    assert len(window) == 0


class Windows(RuleBasedStateMachine):
    """Pieces are cut from the input while others come back, as in a run; there is no end."""

    def __init__(self) -> None:
        super().__init__()
        self.window: OrderingWindow[Any] = OrderingWindow()
        self.consumer = Unpacking()
        self.open: dict[int, list[int]] = {}
        self.flying: list[list[int]] = []
        self.came: set[int] = set()
        self.cut = 0

    @rule(key=st.integers(0, 3), count=st.integers(1, 5))
    def pull(self, key: int, count: int) -> None:
        self.open.setdefault(key, []).extend(range(self.cut, self.cut + count))
        self.cut += count

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.flying.append(self.open.pop(data.draw(st.sampled_from(sorted(self.open)))))

    @precondition(lambda self: any(len(piece) > 1 for piece in self.flying))
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        piece = data.draw(st.sampled_from([piece for piece in self.flying if len(piece) > 1]))
        self.flying.remove(piece)
        mine = set(data.draw(st.lists(st.sampled_from(piece), min_size=1, max_size=len(piece) - 1, unique=True)))
        self.flying += [[p for p in piece if p in mine], [p for p in piece if p not in mine]]

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        piece = data.draw(st.sampled_from(self.flying))
        self.flying.remove(piece)
        self.came |= set(piece)
        for positions in added(self.window, piece):
            self.consumer.take(positions)

    @invariant()
    def nothing_that_is_due_is_held(self) -> None:
        due = next(i for i in range(len(self.came) + 1) if i not in self.came)
        assert self.consumer.given == list(range(due))


TestWindows = Windows.TestCase
