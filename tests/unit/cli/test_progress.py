"""The moving line and the closing one: pure text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.cli.progress import (
    Progress,
    Rate,
    format_duration,
    format_elapsed,
    format_progress,
    format_summary,
    seconds_left,
)

EVERYTHING = Progress(
    done=12_345, rate=1234.4, in_flight=8, retries=3, failed=2, fraction=0.414, left=32.2, stopping=True
)


def test_everything_that_is_known_is_shown_where_there_is_room() -> None:
    assert format_progress(EVERYTHING, 200) == (
        "stopping   41%  [########............]  12,345 done  1,234/s  8 in flight  3 retries  2 failed  0:32 left"
    )


def test_what_is_not_known_or_did_not_happen_is_not_shown() -> None:
    assert format_progress(Progress(done=0), 80) == "0 done  0 in flight"
    assert format_progress(Progress(done=1, retries=1), 80) == "1 done  0 in flight  1 retry"


def test_eighty_columns_hold_an_ordinary_run() -> None:
    ordinary = Progress(done=123_456, rate=20_000, in_flight=8, fraction=0.5, left=60)
    assert format_progress(ordinary, 79) == (
        " 50%  [##########..........]  123,456 done  20,000/s  8 in flight  1:00 left"
    )


def test_a_narrow_terminal_keeps_what_matters_most() -> None:
    assert format_progress(EVERYTHING, 60) == "stopping   41%  12,345 done  1,234/s  2 failed  0:32 left"
    assert format_progress(EVERYTHING, 25) == "stopping  12,345 done"


@given(
    st.builds(
        Progress,
        done=st.integers(0, 10**15),
        rate=st.none() | st.floats(0, 1e12),
        in_flight=st.integers(0, 10**6),
        retries=st.integers(0, 10**6),
        failed=st.integers(0, 10**6),
        fraction=st.none() | st.floats(-1, 2),
        left=st.none() | st.floats(0, 1e9),
        stopping=st.booleans(),
    ),
    st.integers(1, 200),
)
def test_the_line_is_never_wider_than_the_terminal(progress: Progress, width: int) -> None:
    assert len(format_progress(progress, width)) <= width


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.update(0.0, 0) is None
    assert rate.update(1.0, 100) == 100
    for second in range(2, 20):
        slow = rate.update(float(second), 100 + 10 * second)
    assert slow == 10


def test_the_time_left_goes_by_what_is_done() -> None:
    assert seconds_left(10, 0.25) == 30
    assert seconds_left(10, 1.0) == 0
    assert seconds_left(10, 1.5) == 0


@pytest.mark.parametrize(("elapsed", "fraction"), [(10, None), (10, 0.0), (10, 0.001), (0.5, 0.5)])
def test_time_left_is_unknown_while_there_is_too_little_to_tell(elapsed: float, fraction: float | None) -> None:
    assert seconds_left(elapsed, fraction) is None


def test_the_summary_says_how_it_ended_and_what_came_of_it() -> None:
    assert format_summary("", 3, 0, 0, 1.5) == "3 results, 0 failed in 1.50 s (2.0/s)"
    assert format_summary("failed", 1, 1234, 1, 125) == "failed: 1 result, 1,234 failed, 1 retry in 2:05 (9.9/s)"
    assert format_summary("failed", 0, 0, 0, 2, unwritten=487) == "failed: 0 results, 487 not written in 2.00 s (244/s)"
    assert format_summary("failed", 2, 0, 0, 1, unfinished=3) == "failed: 2 results, 3 unfinished in 1.00 s (2.0/s)"
    assert format_summary("", 0, 0, 2, 0) == "0 results, 0 failed, 2 retries in 0.00 s"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (5.4, "0:05"), (754, "12:34"), (3723, "1:02:03")])
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_short_times_are_told_in_hundredths() -> None:
    assert format_elapsed(1.236) == "1.24 s"
    assert format_elapsed(61) == "1:01"
