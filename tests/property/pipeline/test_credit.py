"""Credit: the counters keep the window, whoever looks at them when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slither_actors.pipeline.credit import GROW_LIMIT, Credit

STEPS = st.lists(st.tuples(st.sampled_from(["pull", "return", "made", "widen"]), st.integers(1, 300)), max_size=60)


@given(st.integers(1, 20), st.integers(1, 50), STEPS)
def test_with_a_batch_size_what_is_pulled_and_not_returned_never_exceeds_the_window(
    batches: int, size: int, steps: list[tuple[str, int]]
) -> None:
    credit = Credit(batches, size)
    for what, count in steps:
        if what == "pull":
            credit.pulled += min(count, credit.room())
        elif what == "return":
            credit.returned += min(count, credit.pulled - credit.returned)
        elif what == "made":
            credit.made(min(count, size))
        else:
            assert not credit.widen(0)
        assert credit.limit == batches * size
        assert 0 <= credit.pulled - credit.returned <= batches * size
        assert credit.used_up() == (credit.room() == 0)


@given(st.integers(1, 20), STEPS)
def test_without_one_the_window_only_grows_to_as_many_of_the_largest_batches(
    batches: int, steps: list[tuple[str, int]]
) -> None:
    credit = Credit(batches, None)
    largest = 64
    for what, count in steps:
        before = credit.limit
        if what == "pull":
            credit.pulled += min(count, max(0, credit.room()))
        elif what == "return":
            credit.returned += min(count, credit.pulled - credit.returned)
        elif what == "made":
            credit.made(count)
            largest = max(largest, count)
        else:
            grown = credit.widen(count)
            # Only while fewer batches are under way than the window is meant to hold.
            assert not (grown and count >= batches)
            largest = credit.limit // batches
        assert credit.limit >= before
        assert credit.limit == batches * largest
        assert largest <= GROW_LIMIT


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_unbounded_run_always_has_room(pulled: int, returned: int) -> None:
    credit = Credit(4, None, unbounded=True)
    credit.pulled, credit.returned = pulled, returned
    assert credit.room() > 0
    assert not credit.used_up()
