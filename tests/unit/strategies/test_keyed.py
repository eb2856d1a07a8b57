from __future__ import annotations

import itertools
import time

import pytest

from slither_actors.errors import OptionError, StrategyError
from slither_actors.item import Item
from slither_actors.strategies import KeyPartition


def payloads(batches):
    return [[item.payload for item in batch] for batch in batches]


def first(item):
    return item.payload[0]


def test_without_batch_size_each_key_has_one_batch_in_key_order():
    strategy = KeyPartition(first)
    assert strategy.whole_input
    assert payloads(strategy.batches(["b1", "a1", "b2", "c1", "a2"])) == [["a1", "a2"], ["b1", "b2"], ["c1"]]


def test_incomparable_keys_come_in_order_of_appearance():
    strategy = KeyPartition(lambda item: item.payload)
    assert payloads(strategy.batches(["x", 1, None, 1, "x"])) == [["x", "x"], [1, 1], [None]]


def test_without_batch_size_nothing_comes_before_the_end():
    strategy = KeyPartition(first)
    assert all(list(strategy.add(Item(i, "a"))) == [] for i in range(1000))
    assert len(list(strategy.flush())) == 1
    assert list(strategy.flush()) == []


def test_with_batch_size_a_batch_comes_when_its_key_has_so_many():
    strategy = KeyPartition(first, batch_size=2)
    assert not strategy.whole_input
    assert payloads(strategy.batches(["a1", "b1", "a2", "c1", "b2"])) == [["a1", "a2"], ["b1", "b2"], ["c1"]]


def test_flush_with_batch_size_gives_the_oldest_item_first():
    strategy = KeyPartition(first, batch_size=3)
    strategy.extend([Item(i, payload) for i, payload in enumerate(["c1", "a1", "b1", "a2"])])
    assert payloads(strategy.flush()) == [["c1"], ["a1", "a2"], ["b1"]]


def test_release_closes_the_batch_of_the_oldest_item_only():
    strategy = KeyPartition(first, batch_size=2)
    strategy.extend([Item(i, payload) for i, payload in enumerate(["a1", "b1", "c1", "a2", "a3"])])
    assert payloads(strategy.release()) == [["b1"]]  # the batch of a1 was full, the one of a3 is the youngest
    assert payloads(strategy.release()) == [["c1"]]
    assert payloads(strategy.release()) == [["a3"]]
    assert payloads(strategy.release()) == []


def test_release_takes_the_same_time_among_many_keys():
    count = 100_000
    strategy = KeyPartition(lambda item: item.id, batch_size=2)
    strategy.extend(map(Item, range(count), range(count)))
    began = time.process_time()
    for _ in range(count):
        strategy.release()
    # A linear search for the oldest would take minutes; this takes some 0.05 s.
    assert time.process_time() - began < 5


@pytest.mark.parametrize("key", [[1], {"a": 1}, {1}, (1, [2])])
def test_a_key_that_cannot_be_hashed_names_the_item(key):
    with pytest.raises(StrategyError, match="cannot be a key: unhashable type") as caught:
        KeyPartition(lambda item: key).add(Item("the one", 1))
    assert caught.value.ids == ["the one"]


def test_an_exception_of_key_fn_has_a_note_of_the_item():
    with pytest.raises(KeyError) as caught:
        KeyPartition(lambda item: item.payload["user"]).add(Item(37, {}))
    assert caught.value.__notes__ == ["raised by key_fn, for item 37"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_fn": "user"}, r"key_fn must be a function such as lambda item: item\.payload\['user'\], not 'user'"),
        ({"key_fn": first, "batch_size": 0}, "batch_size must be at least 1, not 0"),
    ],
)
def test_a_bad_option_is_refused_by_name(options, message):
    with pytest.raises(OptionError, match=message):
        KeyPartition(**options)


def test_it_works_on_endless_input():
    batches = KeyPartition(lambda item: item.payload % 2, batch_size=3).batches(itertools.count())
    assert payloads(itertools.islice(batches, 2)) == [[0, 2, 4], [1, 3, 5]]
