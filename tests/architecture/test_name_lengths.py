"""Names of tests are sentences that fit in one line of a report."""

from __future__ import annotations

from architecture.name_lengths import long_names


def test_no_name_of_a_test_is_long() -> None:
    assert long_names() == {}
