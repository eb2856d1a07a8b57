"""Credit: the counters keep the window, whichever thread reads them, and whenever."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slither_actors.runs.flow.credit import GROW_BATCHES, GROW_BYTES, GROW_LIMIT, GROW_SECONDS, Credit

STEPS = st.lists(st.tuples(st.sampled_from(["pull", "return", "made", "widen"]), st.integers(1, 300)), max_size=60)


@given(st.integers(1, 20), st.integers(1, 50), STEPS)
def test_with_a_batch_size_credit_never_exceeds_the_window(
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
def test_without_one_the_window_grows_by_the_largest_batches(batches: int, steps: list[tuple[str, int]]) -> None:
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


GROWTH = st.lists(
    st.one_of(
        st.tuples(st.just("pull"), st.integers(0, 2000)),
        st.tuples(st.just("return"), st.integers(0, 2000)),
        st.tuples(st.just("waits"), st.tuples(st.integers(0, 1 << 21), st.floats(0, 0.1), st.integers(0, 300))),
        st.tuples(st.just("lags"), st.none()),
    ),
    max_size=200,
)


@given(st.integers(1, 300), st.integers(1, 100), GROWTH)
def test_a_window_that_may_grow_stays_within_its_bounds(batches: int, size: int, steps: list[tuple[str, Any]]) -> None:
    credit = Credit(batches, size)
    credit.may_grow()
    assert credit.grows == (batches < GROW_BATCHES)
    grown_at = 0
    for what, how in steps:
        before = credit.limit
        if what == "pull":
            credit.pulled += max(0, min(how, credit.room()))
        elif what == "return":
            credit.returned += min(how, credit.pulled - credit.returned)
        elif what == "waits":
            nbytes, work, burst = how
            credit.waits(nbytes, work, burst)
            if credit.limit > before:
                # As much was taken as the window held since it last grew, and what it holds now is small and short.
                assert credit.returned - grown_at >= before
                assert credit.limit // size * nbytes <= GROW_BYTES
                assert before // size * work < GROW_SECONDS or 4 * burst >= before // size
        else:
            credit.lags()
            assert credit.limit <= before
        if credit.limit != before:
            grown_at = credit.returned
        assert batches * size <= credit.limit <= max(batches, GROW_BATCHES) * size


@given(st.integers(1, 100), st.integers(1, 1 << 24))
def test_a_grown_window_shrinks_when_batches_become_large(batches: int, nbytes: int) -> None:
    for ask in (lambda credit: credit.waits(nbytes, 0.0), lambda credit: credit.lags(nbytes)):
        credit = Credit(batches, 1)
        credit.may_grow()
        for _ in range(20):
            credit.pulled += credit.room()
            credit.returned = credit.pulled
            credit.waits(1, 0.0)
        assert credit.limit == GROW_BATCHES
        ask(credit)
        assert batches <= credit.limit <= max(batches, GROW_BYTES // nbytes)


def test_a_window_shrinks_again_when_the_consumer_never_waits() -> None:
    credit = Credit(4, 1)
    credit.may_grow()
    for _ in range(20):
        credit.pulled += credit.room()
        credit.returned = credit.pulled
        credit.waits(100, 0.00001)
    assert credit.limit == GROW_BATCHES
    for _ in range(100):
        credit.pulled += credit.room()
        credit.returned = credit.pulled
        credit.lags()
    assert credit.limit == 4
