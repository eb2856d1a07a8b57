from __future__ import annotations

import itertools

import pytest

from slither_actors.errors import OptionError
from slither_actors.item import Item
from slither_actors.strategies import FixedBatch


def test_a_batch_is_given_with_the_item_that_fills_it():
    strategy = FixedBatch(2)
    assert list(strategy.add("a")) == []
    assert list(strategy.add("b")) == [["a", "b"]]
    assert list(strategy.add("c")) == []
    assert list(strategy.flush()) == [["c"]]
    assert list(strategy.flush()) == []


def test_a_batch_has_64_items_by_default():
    assert FixedBatch().batch_size == 64


def test_extend_slices_and_keeps_the_rest():
    strategy = FixedBatch(3)
    assert list(strategy.extend([0, 1])) == []
    assert list(strategy.extend([2, 3, 4, 5, 6, 7])) == [[0, 1, 2], [3, 4, 5]]
    assert list(strategy.extend([8])) == [[6, 7, 8]]
    assert list(strategy.flush()) == []


@pytest.mark.parametrize("held", range(5))
@pytest.mark.parametrize("more", range(16))
def test_extend_does_what_add_does_for_each(held, more):
    one, other = FixedBatch(5), FixedBatch(5)
    one.extend(range(held))
    other.extend(range(held))
    entries = list(range(100, 100 + more))
    expected = [batch for entry in entries for batch in other.add(entry)]
    assert list(one.extend(entries)) == expected
    assert list(one.flush()) == list(other.flush())


def test_extend_neither_keeps_nor_gives_the_callers_list():
    strategy = FixedBatch(2)
    entries = ["a", "b"]
    batches = list(strategy.extend(entries))
    assert batches[0] is not entries
    entries = ["c"]
    strategy.extend(entries)
    entries.append("d")
    assert list(strategy.flush()) == [["c"]]


def test_extend_takes_any_iterable():
    assert list(FixedBatch(2).extend(iter(range(4)))) == [[0, 1], [2, 3]]
    assert list(FixedBatch(2).extend("abcd")) == [["a", "b"], ["c", "d"]]


def test_batches_of_a_whole_input_are_given_as_they_fill_up():
    batches = FixedBatch(2).batches(itertools.count(10))
    assert next(batches) == [Item(0, 10), Item(1, 11)]
    assert next(batches) == [Item(2, 12), Item(3, 13)]


def test_release_gives_what_is_held():
    strategy = FixedBatch(10)
    strategy.add("a")
    assert list(strategy.release()) == [["a"]]
    assert list(strategy.release()) == []


@pytest.mark.parametrize("size", [0, -1, True, 2.0, "64", None, 2**32])
def test_a_bad_batch_size_is_refused_by_name(size):
    with pytest.raises(OptionError, match="batch_size must be"):
        FixedBatch(size)


def test_it_cannot_be_subclassed_and_the_error_says_what_to_do():
    with pytest.raises(TypeError, match=r"subclass slither_actors\.strategies\.Strategy"):
        type("Mine", (FixedBatch,), {})
