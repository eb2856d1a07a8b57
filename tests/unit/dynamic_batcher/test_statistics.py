"""The counters of several places, as one snapshot."""

from __future__ import annotations

from slither_actors.dynamic_batcher.statistics import Counts, summed


def test_counters_of_all_places_are_added() -> None:
    first, second = Counts(), Counts()
    first.calls, first.done, first.sizes[2], first.closed_by["idle"] = 4, 2, 1, 1
    second.calls, second.failed, second.overdue, second.overloaded = 5, 1, 1, 7
    second.sizes[2] += 1
    second.sizes[1] += 1
    second.closed_by["full"] += 2
    taken = summed([first, second], queue=2, oldest=0.5, executing=1, in_flight=1)
    assert (taken.calls, taken.done, taken.failed, taken.overdue, taken.overloaded) == (9, 2, 1, 1, 7)
    assert taken.gone == 2
    assert (taken.batches, taken.sizes, taken.closed_by) == (3, {1: 1, 2: 2}, {"idle": 1, "full": 2})
    assert taken.mean_size == 5 / 3


def test_before_the_first_batch_there_is_no_size() -> None:
    taken = summed([], queue=0, oldest=0.0, executing=0, in_flight=0)
    assert taken.mean_size == 0.0
    assert taken.batches == taken.gone == 0
