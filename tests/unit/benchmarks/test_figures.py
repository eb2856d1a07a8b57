"""Medians, spreads and ratios."""

from __future__ import annotations

import json

import pytest
from benchmarks.figures import IMAP, OURS, RAW, Book, Figures, Spread, figures_of


def figures(**values: list[float]) -> Figures:
    names = {"ours": OURS, "imap": IMAP, "raw": RAW}
    return Figures("A", "time", "ints", "s", {names.get(name, name): rounds for name, rounds in values.items()})


def test_a_spread_is_the_median_with_the_lowest_and_the_highest() -> None:
    assert Spread.of([5.0, 1.0, 3.0]) == Spread(3.0, 1.0, 5.0)
    assert Spread.of([4.0, 1.0, 2.0, 3.0]).median == 2.5


def test_there_is_no_spread_of_no_values() -> None:
    with pytest.raises(ValueError, match="no values"):
        Spread.of([])


def test_a_ratio_is_taken_in_each_round_before_the_median_is() -> None:
    # The second round was disturbed, and with it both: the ratio of the medians would be 2 / 2 = 1.
    found = figures(ours=[1.0, 20.0, 2.0], imap=[2.0, 40.0, 1.0]).ratio(OURS, IMAP)
    assert found == Spread(0.5, 0.5, 2.0)


def test_rounds_that_do_not_correspond_give_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        figures(ours=[1.0, 2.0], imap=[1.0]).ratio(OURS, IMAP)


def test_peers_are_the_other_pools_and_not_the_floors() -> None:
    found = figures(ours=[1.0], imap=[1.0], loky=[1.0], raw=[1.0])
    assert found.peers == [IMAP, "loky"]


def test_json_has_medians_and_ratios_and_comes_back_the_same() -> None:
    found = Figures("A", "time", "ints", "s", {OURS: [1.0, 3.0], IMAP: [2.0, 2.0]}, {"loky": "not installed"}, "a note")
    told = json.loads(json.dumps(found.told()))
    assert told["median"] == {OURS: 2.0, IMAP: 2.0}
    assert told["ratios"] == {IMAP: {OURS: {"median": 1.0, "low": 0.5, "high": 1.5}}}
    assert figures_of(told) == found


def test_a_time_too_short_to_be_seen_is_no_base_for_ratios() -> None:
    told = figures(ours=[1.0], imap=[0.0], raw=[2.0]).told()
    assert list(told["ratios"]) == [RAW]


def test_a_book_finds_figures_by_workload_and_measure() -> None:
    time = figures(ours=[1.0])
    efficiency = Figures("G", "efficiency", "busy", "share", {OURS: [0.9]})
    book = Book([time, efficiency])
    assert book.get("A") is time
    assert book.get("G", "efficiency") is efficiency
    assert book.get("G") is None
