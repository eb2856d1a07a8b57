from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors import Item
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.runs.batch import Batch, describe

LANE = RunQueue(max_in_flight=1, ahead=True, timeout=None)


def batch(positions: Sequence[int], bare: bool) -> Batch:
    entries: list[Any] = [f"payload {p}" if bare else Item(f"id {p}", f"payload {p}") for p in positions]
    return Batch(LANE, 7, len(entries), positions=positions, entries=entries, bare=bare)


def test_a_bare_batch_names_its_items_by_their_positions() -> None:
    made = batch(range(3, 5), bare=True)
    assert made.ids() == [3, 4]
    assert made.payloads() == ["payload 3", "payload 4"]
    assert made.items() == [Item(3, "payload 3"), Item(4, "payload 4")]


def test_a_batch_of_items_gives_them_as_they_are() -> None:
    made = batch((3, 9), bare=False)
    assert made.ids() == ["id 3", "id 9"]
    assert made.items() is made.entries
    assert made.payloads() == ["payload 3", "payload 9"]


@given(st.booleans(), st.booleans(), st.data())
def test_a_subset_has_the_chosen_items_at_their_positions(bare: bool, together: bool, data: st.DataObject) -> None:
    positions: Sequence[int] = (
        range(5, 5 + data.draw(st.integers(1, 12)))
        if together
        else tuple(sorted(data.draw(st.sets(st.integers(0, 50), min_size=1, max_size=12))))
    )
    whole = batch(positions, bare)
    indexes = sorted(data.draw(st.sets(st.sampled_from(range(whole.count)), min_size=1)))
    given_as: Sequence[int] = (
        range(indexes[0], indexes[-1] + 1) if len(indexes) == indexes[-1] - indexes[0] + 1 else indexes
    )
    part = whole.subset(given_as, 8)
    assert (part.ref, part.count, part.run_queue) == (8, len(indexes), whole.run_queue)
    side_by_side = len(indexes) == indexes[-1] - indexes[0] + 1
    assert part.bare is (bare and side_by_side)  # else its items know their ids
    assert list(part.positions) == [positions[i] for i in indexes]
    assert part.ids() == [whole.ids()[i] for i in indexes]
    assert part.payloads() == [whole.payloads()[i] for i in indexes]
    assert (part.body, part.error, part.attempt) == (b"", None, 1)


@pytest.mark.parametrize(
    ("positions", "text"), [(range(4, 5), "batch 7 (item 4)"), (range(2, 6), "batch 7 (4 items, 2 to 5)")]
)
def test_errors_say_where_its_items_stand(positions: Sequence[int], text: str) -> None:
    assert describe(batch(positions, bare=True)) == text
