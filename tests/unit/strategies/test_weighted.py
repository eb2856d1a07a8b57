from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from slither_actors.errors import OptionError, StrategyError
from slither_actors.item import Item
from slither_actors.strategies import WeightedBatch


def payloads(batches):
    return [[item.payload for item in batch] for batch in batches]


def weighted(weights, **options):
    return payloads(WeightedBatch(lambda item: item.payload, **options).batches(weights))


def test_a_batch_is_closed_before_it_would_overflow():
    assert weighted([4, 4, 4, 4], max_weight=10) == [[4, 4], [4, 4]]


def test_a_batch_that_is_exactly_full_is_given_at_once():
    strategy = WeightedBatch(lambda item: item.payload, max_weight=10)
    assert payloads(strategy.add(Item(0, 4))) == []
    assert payloads(strategy.add(Item(1, 6))) == [[4, 6]]


def test_an_item_that_is_too_heavy_is_a_batch_of_its_own():
    assert weighted([3, 50, 3, 3], max_weight=10) == [[3], [50], [3, 3]]


def test_a_too_heavy_item_follows_the_batch_before_it_at_once():
    strategy = WeightedBatch(lambda item: item.payload, max_weight=10)
    strategy.add(Item(0, 3))
    assert payloads(strategy.add(Item(1, 11))) == [[3], [11]]


@pytest.mark.parametrize("weight", [math.inf, 10**400], ids=["inf", "int"])
def test_weights_beyond_all_bounds_are_batches_of_their_own(weight):
    assert weighted([0.5, weight, 0.5, weight], max_weight=1) == [[0.5], [weight], [0.5], [weight]]


def test_batch_size_closes_a_batch_too():
    assert weighted([1] * 5, max_weight=100, batch_size=2) == [[1, 1], [1, 1], [1]]
    assert weighted([0] * 3, max_weight=1, batch_size=3) == [[0, 0, 0]]


def test_weightless_items_never_fill_a_batch_but_are_released():
    strategy = WeightedBatch(lambda item: 0)
    assert all(list(strategy.add(Item(i, None))) == [] for i in range(100))
    assert len(next(iter(strategy.release()))) == 100


def test_the_default_weight_is_the_length_of_the_payload_or_1():
    assert payloads(WeightedBatch(max_weight=5).batches(["abc", "de", "f", 7, [1, 2], {"a": 1}])) == [
        ["abc", "de"],
        ["f", 7, [1, 2], {"a": 1}],
    ]


def test_an_array_without_dimensions_weighs_1():
    numpy = pytest.importorskip("numpy")
    array = numpy.array(3)
    assert len(list(WeightedBatch(max_weight=2).batches([array] * 4))) == 2


@pytest.mark.parametrize("weight", [-1, math.nan, -math.inf, "3", None, True, [1], 1j])
def test_a_bad_weight_names_the_item(weight):
    strategy = WeightedBatch(lambda item: weight)
    with pytest.raises(StrategyError, match="weight_fn must give a number, 0 or more") as caught:
        strategy.add(Item("the one", 1))
    assert caught.value.ids == ["the one"]
    assert "'the one'" in str(caught.value)


def test_other_kinds_of_numbers_are_weights():
    assert weighted([Fraction(1, 2)] * 4, max_weight=1) == [[Fraction(1, 2)] * 2] * 2
    numpy = pytest.importorskip("numpy")
    assert len(weighted([numpy.int64(5), numpy.float32(5)], max_weight=5)) == 2


def test_an_exception_of_weight_fn_has_a_note_of_the_item():
    def weight_fn(item):
        raise LookupError("no weight")

    with pytest.raises(LookupError, match="no weight") as caught:
        WeightedBatch(weight_fn).add(Item(37, 1))
    assert caught.value.__notes__ == ["raised by weight_fn, for item 37"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_weight": 0}, "max_weight must be above 0, not 0"),
        ({"max_weight": math.nan}, "max_weight must be a number that is finite"),
        ({"max_weight": math.inf}, "max_weight must be a number that is finite"),
        ({"max_weight": "9"}, "max_weight must be a number, not '9'"),
        ({"weight_fn": 3}, "weight_fn must be a function such as lambda item"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
    ],
)
def test_a_bad_option_is_refused_by_name(options, message):
    with pytest.raises(OptionError, match=message):
        WeightedBatch(**options)


def test_it_works_on_endless_input():
    batches = WeightedBatch(lambda item: 1, max_weight=3).batches(itertools.count())
    assert payloads(itertools.islice(batches, 2)) == [[0, 1, 2], [3, 4, 5]]
