"""What is in use never overlaps, and what is free can be used again in one piece."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slither_actors.wire.page_allocator import PAGE, Extents, rounded

SIZE = 12 * PAGE
sizes = st.integers(0, 5 * PAGE)


class Arena(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.extents = Extents(SIZE)
        self.taken: dict[int, int] = {}

    def pages(self) -> set[int]:
        return {page for at, size in self.taken.items() for page in range(at, at + rounded(size), PAGE)}

    @rule(size=sizes)
    def take(self, size: int) -> None:
        before = self.pages()
        offset = self.extents.take(size)
        if offset is None:
            free = "".join(" " if at in before else "." for at in range(0, SIZE, PAGE))
            assert "." * (rounded(size) // PAGE) not in free  # there is no such gap
            return
        wanted = set(range(offset, offset + rounded(size), PAGE))
        assert offset % PAGE == 0
        assert max(wanted) < SIZE
        assert not wanted & before
        self.taken[offset] = size

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.taken)))
        self.extents.give(offset, self.taken.pop(offset))

    @rule(offset=st.integers(-PAGE, SIZE + PAGE), size=sizes)
    def what_is_not_in_use_cannot_be_given(self, offset: int, size: int) -> None:
        wanted = set(range(offset, offset + rounded(size), PAGE))
        if offset % PAGE or not wanted <= self.pages():
            used = self.extents.used
            with pytest.raises(ValueError, match="not in use"):
                self.extents.give(offset, size)
            assert self.extents.used == used

    @invariant()
    def the_sum_is_right(self) -> None:
        assert self.extents.used == len(self.pages()) * PAGE


Arena.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestArena = Arena.TestCase


@given(st.lists(sizes, max_size=20), st.randoms())
def test_when_all_is_free_again_it_is_one_piece(wanted: list[int], chance: object) -> None:
    extents = Extents(SIZE + 100)
    taken = [(offset, size) for size in wanted if (offset := extents.take(size)) is not None]
    chance.shuffle(taken)  # type: ignore[attr-defined]
    for offset, size in taken:
        extents.give(offset, size)
    assert extents.used == 0
    assert extents.take(SIZE) == 0
    assert extents.take(1) is None


def test_the_lowest_place_is_used_first_to_touch_few_pages() -> None:
    extents = Extents(SIZE)
    first, second = extents.take(PAGE), extents.take(PAGE)
    assert (first, second) == (0, PAGE)
    extents.give(0, PAGE)
    assert extents.take(1) == 0
