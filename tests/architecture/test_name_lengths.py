"""Names of tests are sentences that fit in one line of a report."""

from __future__ import annotations

from architecture.name_lengths import MOST, long_names


def test_few_names_of_tests_are_long() -> None:
    count = sum(map(len, long_names().values()))
    assert MOST - 25 < count <= MOST, "lower MOST with the count; a new test gets a shorter name"
